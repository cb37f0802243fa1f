"""Of whom a request is, where a proxy stands between: what is believed, of whom, and what a liar gets."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.fleet.fleet import SentReport
from mac_actors.web.errors import RequestRefused
from mac_actors.web.server.origin import MOST_V1, MOST_V2, V2, Origins, Preface
from mac_actors.web.server.parser import ParsedRequest
from tests.conftest import MakeServer, start_server
from tests.fakes import ANN, wait_until
from tests.hostile.siege import certificate
from tests.web.client import Raw, Running, report_body
from tests.web.server.raw import report

READER = "192.0.2.7"


def v2(source: str = READER, extra: bytes = b"", family: int = 0x11, command: int = 0x21) -> bytes:
    """Return a header of version 2."""
    kind = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = socket.inet_pton(kind, source) * 2 + struct.pack("!HH", 40000, 5000) + extra
    return V2 + struct.pack("!BBH", command, family, len(addresses)) + addresses


def fed(data: bytes, step: int) -> tuple[Preface, bytes]:
    """Return a header that came so many bytes at a time, and what followed."""
    preface, at = Preface(), 0
    while not preface.over and at < len(data):
        used = preface.feed(data[at : at + step])
        at += used
    return preface, data[at:]


@pytest.mark.parametrize("step", [1, 7, 4096])
@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 5000\r\n", READER),
        (b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        (v2(), READER),
        (v2("2001:db8::7", family=0x21), "2001:db8::7"),
        (v2(extra=b"\x04\x00\x10" + b"x" * 1000), READER),
        (v2(command=0x20), None),
        (v2(family=0x31), None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_header_is_read_however_its_bytes_come(header: bytes, address: str | None, step: int) -> None:
    preface, rest = fed(header + b"GET / HTTP/1.1\r\n", step)
    assert preface.found
    assert preface.address == address
    assert rest == b"GET / HTTP/1.1\r\n"
    assert preface.plain == b""


@pytest.mark.parametrize("step", [1, 4096])
@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"PROX", b"\r\n\r\n\0\r\nQUIT!", b"\x16"]
)
def test_what_is_no_header_is_left_whole(data: bytes, step: int) -> None:
    preface, rest = fed(data + b"x" * 20, step)
    assert preface.over
    assert not preface.found
    assert preface.plain + rest == data + b"x" * 20


WRONG = [
    b"PROXY TCP4 192.0.2.7 10.0.0.1 40000\r\n",
    b"PROXY TCP4 192.0.2.777 10.0.0.1 40000 5000\r\n",
    b"PROXY TCP6 192.0.2.7 10.0.0.1 40000 5000\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 65536\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 -1 5000\r\n",
    b"PROXY  TCP4 192.0.2.7 10.0.0.1 40000 5000\r\n",
    b"PROXY TCP5 192.0.2.7 10.0.0.1 40000 5000\r\n",
    b"PROXY \xff\xff\r\n",
    b"PROXY \r\n",
    b"PROXY " + b"x" * MOST_V1,
    v2(extra=b"x" * MOST_V2),
    v2(command=0x11),
    v2(command=0x22),
    v2(family=0x21),
    v2(family=0x12),
    V2 + b"\x21\x11\x00\x04abcd",
]


@pytest.mark.parametrize("step", [1, 4096])
@pytest.mark.parametrize("header", WRONG, ids=lambda value: repr(value)[:50])
def test_a_wrong_header_is_refused_and_its_length_is_bounded(header: bytes, step: int) -> None:
    with pytest.raises(RequestRefused, match="the proxy's PROXY header is wrong"):
        fed(header, step)


@given(st.binary(max_size=64), st.sampled_from([b"", b"PROXY ", V2, V2 + b"\x21\x11"]), st.integers(1, 80))
def test_any_bytes_are_a_header_or_none_or_refused(data: bytes, begin: bytes, step: int) -> None:
    try:
        preface, rest = fed(begin + data, step)
    except RequestRefused:
        return
    assert preface.found or preface.plain + rest == begin + data


TRUSTED = [ip_network("10.0.0.0/24"), ip_network("2001:db8::/64"), ip_network("127.0.0.0/8")]
CELL = {"HTTP_MAC_CELL_SECRET": "s3cret", "HTTP_MAC_CELL_ADDRESS": READER, "HTTP_MAC_CELL_AGE": "2.5"}


def request(**headers: str) -> ParsedRequest:
    return ParsedRequest("GET", "/", "", "1.1", headers, b"", True, received=100.0)


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("10.0.0.9", READER, READER),
        ("::ffff:10.0.0.9", READER, READER),
        ("10.0.0.9", f"1.2.3.4, {READER}", READER),
        ("10.0.0.9", f"1.2.3.4, {READER}, 10.0.0.8,10.0.0.7", READER),
        ("10.0.0.9", f"{READER}:4711", READER),
        ("10.0.0.9", "[2001:db9::1]:80", "2001:db9::1"),
        ("10.0.0.9", "::ffff:192.0.2.7", READER),
        ("2001:db8::1", "fe80::1%eth0", "fe80::1"),
        ("10.0.0.9", "10.0.0.8, 10.0.0.7", "10.0.0.8"),
        ("10.0.0.9", f"{READER}, unknown", "10.0.0.9"),
        ("10.0.0.9", f"{READER}, , 10.0.0.8", "10.0.0.8"),
        ("10.0.0.9", "", "10.0.0.9"),
        ("10.0.1.9", READER, "10.0.1.9"),
        ("not an address", READER, "not an address"),
    ],
)
def test_the_forwarded_address_is_the_last_one_that_no_proxy_of_ours_has(peer: str, header: str, address: str) -> None:
    origins = Origins(TRUSTED)
    assert origins.look(peer, request(HTTP_X_FORWARDED_FOR=header)) == address
    assert origins.look("10.0.1.9", request(HTTP_X_FORWARDED_FOR=header)) == "10.0.1.9"
    assert origins.look("10.0.0.9", request()) == "10.0.0.9"


def test_another_server_of_the_cell_says_address_and_age_and_the_secret_goes_no_further() -> None:
    passed = request(**CELL, HTTP_MAC_CELL_HOPS="1", HTTP_HOST="mac")
    assert Origins(secret="s3cret").look("10.9.9.9", passed) == READER
    assert (passed.received, passed.hops) == (97.5, 1)
    assert passed.headers == {"HTTP_HOST": "mac"}


@pytest.mark.parametrize("secret", [None, "", "s3cre", "s3cret ", "\xff\xff"])
def test_who_has_not_the_secret_of_the_cell_is_refused(secret: str | None) -> None:
    headers = {**CELL, "HTTP_MAC_CELL_HOPS": "1", "HTTP_MAC_CELL_SECRET": secret or ""}
    if secret is None:
        del headers["HTTP_MAC_CELL_SECRET"]
    with pytest.raises(RequestRefused) as refused:
        Origins(TRUSTED, "s3cret").look("10.0.0.9", request(**headers))
    assert refused.value.status == 401
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"HTTP_MAC_CELL_AGE": "-1"},
        {"HTTP_MAC_CELL_AGE": "nan"},
        {"HTTP_MAC_CELL_AGE": "soon"},
        {"HTTP_MAC_CELL_ADDRESS": "here"},
        {"HTTP_MAC_CELL_HOPS": "0"},
        {"HTTP_MAC_CELL_HOPS": "x"},
    ],
)
def test_a_wrong_header_of_another_server_is_a_400(wrong: dict[str, str]) -> None:
    with pytest.raises(RequestRefused, match="Mac-Cell-Age") as refused:
        Origins(secret="s3cret").look("10.0.0.9", request(**(CELL | {"HTTP_MAC_CELL_HOPS": "1"} | wrong)))
    assert refused.value.status == 400


# on real sockets


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that believes what comes from 127.0.0.1 and ::1."""
    local = (ip_network("127.0.0.1"), ip_network("::1"))
    running = start_server(tmp_path_factory.mktemp("proxied"), trusted_proxies=local)
    yield running
    running.stop()


def untrusted(server: Running) -> Raw:
    sock = socket.socket()
    sock.bind(("127.0.0.2", 0))
    sock.connect(("127.0.0.1", server.port))
    return Raw(sock)


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 5000\r\n", v2()], ids=["1", "2"])
def test_the_fleet_learns_the_readers_address_and_not_the_proxys(
    proxied: Running, header: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    ask = proxied.fleet.begin

    def noted(*given: Any) -> SentReport:
        seen.append(given[2])
        return ask(*given)

    monkeypatch.setattr(proxied.fleet, "begin", noted)
    with proxied.connect() as raw:
        for byte in header:
            raw.send(bytes([byte]))
        raw.send(report() * 2)
        assert [raw.reply().status for _ in range(2)] == [200, 200]
    with proxied.connect() as raw:
        raw.send(report("X-Forwarded-For: 192.0.2.8") + report("X-Forwarded-For: 192.0.2.9, 192.0.2.10"))
        assert [raw.reply().status for _ in range(2)] == [200, 200]
    with untrusted(proxied) as raw:
        raw.send(report("X-Forwarded-For: 192.0.2.8"))
        assert raw.reply().status == 200
    assert seen == [READER, READER, "192.0.2.8", "192.0.2.10", "127.0.0.2"]


@pytest.mark.parametrize(
    "header", [*WRONG, b"PROX!\r\n\r\n", b"\r\n\r\n\0\r\nQUIT!\r\n\r\n"], ids=lambda value: repr(value)[:40]
)
def test_a_proxy_that_speaks_wrong_gets_a_400_and_the_server_goes_on(proxied: Running, header: bytes) -> None:
    with proxied.connect() as raw:
        raw.send(header)
        assert raw.reply().status == 400
    assert proxied.outputs("metal-mill")["relay"] is False


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 5000\r\n", v2()], ids=["1", "2"])
def test_a_header_from_elsewhere_is_a_400_that_says_what_to_set(proxied: Running, header: bytes) -> None:
    with untrusted(proxied) as raw:
        raw.send(header + report())
        reply = raw.reply()
    assert (reply.status, reply.error) == (400, "a PROXY header, but its sender is not in MAC_TRUSTED_PROXIES")


def test_half_a_header_holds_up_nobody_and_is_let_go(proxied: Running) -> None:
    with proxied.connect() as raw, proxied.connect() as gone:
        raw.send(b"PROXY TCP4 192.0")
        gone.send(V2)
        gone.end()
        assert gone.rest() == b""
        assert proxied.outputs("metal-mill")["relay"] is False
    wait_until(lambda: not proxied.service.server.open_connections)


def test_who_comes_by_a_proxy_is_not_this_computers_admin(proxied: Running) -> None:
    assert proxied.post("/api/machine/oops/router").status == 200
    assert proxied.post("/api/machine/clear/router").status == 200
    for said in ("127.0.0.1", READER):
        assert proxied.post("/api/machine/oops/router", headers={"X-Forwarded-For": said}).status == 403
    with proxied.connect() as raw:
        raw.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 5000\r\n")
        raw.send(b"POST /api/machine/oops/router HTTP/1.1\r\nHost: mac\r\nContent-Length: 0\r\n\r\n")
        assert raw.reply().status == 403


def test_memory_and_turns_are_counted_for_the_client_and_not_for_its_proxy(proxied: Running) -> None:
    opened = proxied.service.server._connections.open
    with proxied.connect() as raw:
        raw.send(b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 5000\r\n" + report())
        assert raw.reply().status == 200
        wait_until(lambda: opened._budget.held(READER) > 0)
        assert opened._budget.held("127.0.0.1") == 0
    with proxied.connect() as raw:
        for reader in ("192.0.2.8", "192.0.2.9"):
            raw.send(report(f"X-Forwarded-For: {reader}"))
            assert raw.reply().status == 200
        assert opened._budget.held("192.0.2.9") > 0
        assert opened._budget.held("192.0.2.8") == 0
    wait_until(lambda: opened.held == 0)


def test_the_header_comes_before_tls(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    pair: dict[str, Any] = {"tls_cert": Path(files["MAC_TLS_CERT"]), "tls_key": Path(files["MAC_TLS_KEY"])}
    server = start_server(tmp_path, trusted_proxies=(ip_network("127.0.0.1"),), **pair)
    try:
        context = ssl.create_default_context(cafile=files["MAC_TLS_CERT"])
        server.context = context
        for header in (b"", v2(), b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 5000\r\n"):
            sock = socket.create_connection(("127.0.0.1", server.port))
            sock.sendall(header)
            with Raw(context.wrap_socket(sock, server_hostname="127.0.0.1")) as raw:
                raw.send(report())
                assert raw.reply().status == 200
        for header in (b"PROXY wrong\r\n", b"PROX", b"\r\n\r\n\0\r\nQUIT?"):
            with server.connect() as raw:
                raw.send(header + b"x" * 20)
                assert raw.rest() == b""
        assert server.post("/api/machine/update", report_body("metal-mill")).status == 200
    finally:
        server.stop()


def test_two_readers_of_one_name_are_seen_behind_a_proxy_and_one_reader_is_one(make_server: MakeServer) -> None:
    server = make_server(trusted_proxies=(ip_network("127.0.0.1"),))
    for number in range(6):
        server.post("/api/machine/update", report_body("metal-mill"), headers={"X-Forwarded-For": READER})
        other = f"192.0.2.{number % 2}"
        server.post("/api/machine/update", report_body("router"), headers={"X-Forwarded-For": other})
    for name, relay in (("metal-mill", True), ("router", False)):
        body = report_body(name, ANN)
        assert server.post("/api/machine/update", body, headers={"X-Forwarded-For": READER}).json["relay"] is relay
