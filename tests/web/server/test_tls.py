"""HTTPS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mac_actors import RemoteFleet
from mac_actors.errors import ConfigError
from tests.conftest import start_server
from tests.fakes import ANN
from tests.hostile.siege import certificate
from tests.web.client import Raw, Running, report_body


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    files = certificate(tmp_path_factory.mktemp("tls"))
    return Path(files["MAC_TLS_CERT"]), Path(files["MAC_TLS_KEY"])


@pytest.fixture(scope="module")
def tls(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that speaks HTTPS."""
    running = start_server(tmp_path_factory.mktemp("shop"), tls_cert=pair[0], tls_key=pair[1])
    running.context = ssl.create_default_context(cafile=str(pair[0]))
    yield running
    running.stop()


def wrapped(tls: Running) -> Raw:
    """Open a TLS connection for bare bytes."""
    assert tls.context
    return Raw(tls.context.wrap_socket(socket.create_connection(("127.0.0.1", tls.port)), server_hostname="127.0.0.1"))


def test_reports_and_orders_go_over_https(tls: Running) -> None:
    assert tls.outputs("metal-mill", ANN)["relay"] is True
    assert tls.post("/api/machine/oops/router").status == 200
    assert tls.service.server.url == f"https://127.0.0.1:{tls.port}"


def test_our_own_https_page_gives_orders(tls: Running) -> None:
    headers = {"Origin": f"https://127.0.0.1:{tls.port}"}
    assert tls.post("/api/machine/oops/router", headers=headers).status == 200


def test_a_connection_is_kept_and_pipelining_works(tls: Running) -> None:
    get = b"GET /api/ HTTP/1.1\r\nHost: mac\r\n\r\n"
    with wrapped(tls) as raw:
        raw.send(get)
        assert raw.reply().status == 200
        raw.send(get * 3)
        assert [raw.reply().status for _ in range(3)] == [200] * 3


def test_a_large_body_and_a_large_answer_pass(tls: Running) -> None:
    assert tls.post("/api/machine/update", report_body("router", x="x" * 60_000)).status == 200
    assert len(tls.get("/static/swagger-ui-bundle.js").body) > 100_000


def test_too_large_a_body_is_a_413_that_the_client_can_read(tls: Running) -> None:
    with wrapped(tls) as raw:
        raw.send(b"POST /api/machine/update HTTP/1.1\r\nHost: mac\r\nContent-Length: 200000\r\n\r\n")
        raw.send(b"x" * 200_000)
        assert raw.reply().status == 413


def test_silent_clients_hold_up_nobody(tls: Running) -> None:
    with ExitStack() as stack:
        for number in range(60):
            raw = stack.enter_context(tls.connect())
            if number % 2:
                raw.send(b"\x16\x03\x01\x02\x00")  # the beginning of a handshake
        for _ in range(5):
            assert tls.outputs("router")["relay"] is False


def test_a_client_that_stops_after_the_handshake_holds_up_nobody(tls: Running) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(wrapped(tls)).send(b"POST /api/mach")
        assert tls.outputs("router")["relay"] is False


def test_plain_http_is_told_to_use_https(tls: Running) -> None:
    with tls.connect() as raw:
        raw.send(b"GET /api/ HTTP/1.1\r\nHost: mac\r\n\r\n")
        reply = raw.reply()
    assert reply.status == 400
    assert "https" in reply.error
    assert tls.outputs("router")["relay"] is False


@pytest.mark.parametrize("data", [b"\x00" * 50, b"\xff" * 500, b"\r\n\r\n", b"nonsense nonsense\r\n\r\n"], ids=repr)
def test_garbage_on_the_tls_port_is_dropped(tls: Running, data: bytes) -> None:
    with tls.connect() as raw:
        raw.send(data)
        raw.end()
        raw.rest()
    assert tls.outputs("router")["relay"] is False


def test_a_client_that_does_not_trust_us_harms_nobody(tls: Running) -> None:
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", tls.port)) as sock:
        ssl.create_default_context().wrap_socket(sock, server_hostname="127.0.0.1")
    assert tls.outputs("router")["relay"] is False


def test_a_certificate_with_another_key_stops_the_start(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MAC_TLS_CERT"):
        start_server(tmp_path, tls_cert=pair[0], tls_key=pair[0])
    start_server(tmp_path).stop()


def test_a_script_on_this_computer_reaches_it_by_its_own_certificate(
    tls: Running, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"MAC_PORT": str(tls.port), "MAC_TLS_CERT": str(pair[0])}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MAC_URL", raising=False)
    with RemoteFleet() as fleet:
        assert fleet.url == f"https://127.0.0.1:{tls.port}"
        assert "router" in fleet
