"""The files in etc/cell that put one address before two servers, with the real HAProxy."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from mac_actors.fleet.fleet import MachineFleet, SentReport
from tests.cluster.proxies import ETC, configuration, haproxy, needs_haproxy
from tests.conftest import start_server
from tests.e2e.processes import free_port
from tests.fakes import wait_until
from tests.hostile.siege import certificate
from tests.web.client import Raw, Running
from tests.web.server.raw import report

TRUSTED: dict[str, Any] = {"trusted_proxies": (ip_network("127.0.0.1"),)}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The addresses of readers, as the servers' fleets are told them."""
    addresses: list[str | None] = []
    ask = MachineFleet.begin

    def noted(self: MachineFleet, *given: Any) -> SentReport:
        addresses.append(given[2])
        return ask(self, *given)

    monkeypatch.setattr(MachineFleet, "begin", noted)
    return addresses


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[Running]]:
    """Two servers that trust this computer's proxies."""
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(start_server(tmp_path / name, **TRUSTED))
    yield servers
    for server in servers:
        server.stop()


def of_reader(port: int, address: str) -> Raw:
    """Return a connection of a reader with this address."""
    sock = socket.socket()
    sock.bind((address, 0))
    sock.connect(("127.0.0.1", port))
    return Raw(sock)


@needs_haproxy
def test_the_haproxy_configuration_is_good_as_it_stands() -> None:
    done = subprocess.run(
        ["haproxy", "-c", "-f", str(ETC / "haproxy.cfg")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "WARNING" in done.stdout + done.stderr) == (0, False), done


@pytest.mark.skipif(
    shutil.which("keepalived") is None and "CI" not in os.environ,
    reason="keepalived is not on this computer (Debian: apt install keepalived)",
)
def test_the_keepalived_configuration_is_good_but_for_the_network_card(tmp_path: Path) -> None:
    card = next((name for _, name in socket.if_nameindex() if name != "lo"), "lo")
    file = tmp_path / "keepalived.conf"
    file.write_text((ETC / "keepalived.conf").read_text().replace("eth0", card))
    done = subprocess.run(["keepalived", "-t", "-f", str(file)], capture_output=True, text=True, check=False)
    wrong = [line for line in (done.stdout + done.stderr).splitlines() if "Line" in line and "loopback" not in line]
    assert wrong == []
    assert done.returncode in {0, -15}, "some versions end themselves by a signal when all is well"


READERS = [f"127.0.1.{number}" for number in range(1, 7)]


def ask(port: int, address: str, context: ssl.SSLContext | None = None) -> list[int]:
    """Report twice on one connection from this address; returns the statuses."""
    sock = socket.socket()
    sock.bind((address, 0))
    sock.connect(("127.0.0.1", port))
    with Raw(context.wrap_socket(sock, server_hostname="127.0.0.1") if context else sock) as reader:
        reader.send(report() * 2)
        return [reader.reply().status for _ in range(2)]


@needs_haproxy
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2"])
def test_readers_keep_their_addresses_and_a_server_that_serves_nobody_is_left_out(
    tmp_path: Path, two: list[Running], seen: list[str | None], send: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with haproxy(tmp_path, configuration([server.port for server in two], port, send), port):
        for address in READERS:
            assert ask(port, address) == [200, 200]
        assert seen == [address for address in READERS for _ in range(2)]
        assert all(server.service.server.served for server in two)
        monkeypatch.setattr(two[0].fleet, "_holds", lambda: True)
        wait_until(lambda: "serving/one is DOWN" in (tmp_path / "haproxy.log").read_text())
        before = two[1].service.server.served
        for address in READERS:
            assert ask(port, address) == [200, 200]
        assert two[1].service.server.served >= before + 2 * len(READERS)
        monkeypatch.setattr(two[1].fleet, "_holds", lambda: True)
        wait_until(lambda: "serving/two is DOWN" in (tmp_path / "haproxy.log").read_text())
        assert ask(port, READERS[0]) == [200, 200], "a server that holds answers, if there is no other"


@needs_haproxy
def test_a_proxy_that_speaks_http_says_the_address_in_a_header(
    tmp_path: Path, two: list[Running], seen: list[str | None]
) -> None:
    port = free_port()
    text = configuration([server.port for server in two], port, "")
    text = text.replace("mode tcp", "mode http\n    option forwardfor")
    with haproxy(tmp_path, text, port):
        for address in READERS:
            assert ask(port, address) == [200, 200]
    assert seen == [address for address in READERS for _ in range(2)]


@needs_haproxy
def test_https_goes_through_to_the_server_and_the_address_with_it(tmp_path: Path, seen: list[str | None]) -> None:
    files = certificate(tmp_path)
    pair: dict[str, Any] = {"tls_cert": Path(files["MAC_TLS_CERT"]), "tls_key": Path(files["MAC_TLS_KEY"])}
    server, port = start_server(tmp_path, **TRUSTED, **pair), free_port()
    try:
        text = configuration([server.port] * 2, port).replace("check inter", "check check-ssl verify none inter")
        with haproxy(tmp_path, text, port):
            context = ssl.create_default_context(cafile=files["MAC_TLS_CERT"])
            assert ask(port, READERS[0], context) == [200, 200]
    finally:
        server.stop()
    assert seen == [READERS[0]] * 2
