"""Bodies: lengths, chunks, and how much is read."""

from __future__ import annotations

import gc
import re
import socket

import pytest

from mac_actors.web.server.parser import RequestParser
from tests.fakes import wait_until
from tests.web.client import Running
from tests.web.server.raw import BODY, chunk, exchange, head, report, still_serves


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: -1"],
        ["Content-Length: +5"],
        ["Content-Length: 5.0"],
        ["Content-Length: 0x10"],
        ["Content-Length: 1_0"],
        ["Content-Length: five"],
        ["Content-Length:"],
        ["Content-Length: 5 5"],
        ["Content-Length: 5, 5"],
        ["Content-Length: " + "9" * 30],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5", "X: y", "Content-Length: 6"],
        ["Content-Length: 5", "content-length: 500"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: 5", "X: y", "Transfer-Encoding: gzip, chunked"],
        ["Content-Length:\r\n 5"],
        ["Transfer-Encoding:\r\n chunked"],
        ["Content-Length: 5", "Transfer-Encoding:\r\n chunked"],
    ],
    ids=str,
)
def test_a_length_that_does_not_say_one_thing_is_refused(shared_server: Running, lines: list[str]) -> None:
    with shared_server.connect() as raw:
        raw.send(head(*lines) + b"0\r\n\r\n")
        reply = raw.reply()
        assert reply.status in {400, 413, 501}, reply
        assert reply.error
        raw.end()
        assert raw.rest() == b"", "after this nobody knows where the next request begins"
    still_serves(shared_server)


def test_two_equal_lengths_that_are_followed_by_more_never_are_two_requests(shared_server: Running) -> None:
    smuggled = head(method="GET", path="/api/")
    with shared_server.connect() as raw:
        raw.send(head("Content-Length: 0", f"Content-Length: {len(smuggled)}") + smuggled)
        raw.end()
        answers = raw.rest()
    assert len(re.findall(rb"HTTP/1\.1 \d\d\d", answers)) == 1, answers
    assert answers.startswith(b"HTTP/1.1 400"), answers


@pytest.mark.parametrize("coding", ["gzip", "identity", "xchunked", "gzip, chunked", "chunked, gzip"])
def test_an_unknown_coding_is_refused(shared_server: Running, coding: str) -> None:
    with shared_server.connect() as raw:
        raw.send(head(f"Transfer-Encoding: {coding}") + chunk(BODY) + b"0\r\n\r\n")
        reply = raw.reply()
    assert reply.status in {400, 501}
    assert reply.error
    still_serves(shared_server)


def test_a_shorter_body_than_announced_is_dropped_when_the_client_goes(shared_server: Running) -> None:
    before = shared_server.fleet.snapshot("router")
    with shared_server.connect() as raw:
        raw.send(head(f"Content-Length: {len(BODY) + 10}") + BODY.replace(b"metal-mill", b"router"))
        raw.end()
        assert b"HTTP/1.1 200" not in raw.rest()
    assert shared_server.fleet.snapshot("router") == before


@pytest.mark.parametrize(
    "parts",
    [[BODY], [BODY[:1], BODY[1:]], [bytes([byte]) for byte in BODY]],
    ids=["one chunk", "two chunks", "a chunk a byte"],
)
def test_a_chunked_body_is_read(shared_server: Running, parts: list[bytes]) -> None:
    data = head("Transfer-Encoding: chunked") + b"".join(map(chunk, parts)) + b"0\r\n\r\n"
    assert exchange(shared_server, data).status == 200


def test_chunk_extensions_and_trailers_are_ignored(shared_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.web.server.request_buffer.REQUEST_SECONDS", 1.0)
    data = head("Transfer-Encoding: chunked", "Connection: close") + chunk(BODY, b";a=b") + b"0\r\nX: y\r\n\r\n"
    assert exchange(shared_server, data).status == 200


def test_chunked_data_that_looks_like_its_end_is_no_end(shared_server: Running) -> None:
    body = BODY[:-1].replace(b"1000.5", b"1000\r\n\r\n") + b"}"
    cut = body.index(b"1000\r\n\r\n") + len(b"1000\r\n\r\n")
    whole = head("Transfer-Encoding: chunked") + chunk(body) + b"0\r\n\r\n"
    at = whole.index(body) + cut
    with shared_server.connect() as raw:
        raw.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.send(whole[:at])
        still_serves(shared_server)  # by now the server has read the first part
        raw.send(whole[at:])
        assert raw.reply().status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"-5\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"ffffffffffffffffffff\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"5\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"1000\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"0\r\n\r\n",
        b"5;" + b"x" * 5000 + b"\r\n12345\r\n0\r\n\r\n",
        b"\xff\xff\r\n0\r\n\r\n",
        b"0x10\r\n0123456789abcdef\r\n0\r\n\r\n",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_broken_chunked_body_is_a_4xx_or_closed(shared_server: Running, body: bytes) -> None:
    with shared_server.connect() as raw:
        raw.send(head("Transfer-Encoding: chunked") + body)
        raw.end()
        answer = raw.rest()
    if answer:
        assert re.match(rb"HTTP/1\.1 4\d\d ", answer), answer
        assert b'{"error": ' in answer
    still_serves(shared_server)


def test_pipelined_chunked_requests_are_answered_each(shared_server: Running) -> None:
    one = head("Transfer-Encoding: chunked") + chunk(BODY) + b"0\r\n\r\n"
    with shared_server.connect() as raw:
        raw.send(one + one + head(method="GET", path="/api/"))
        raw.end()
        answers = raw.rest()
    assert re.findall(rb"HTTP/1\.1 (\d\d\d)", answers) == [b"200"] * 3, answers


@pytest.mark.parametrize("size", [65_537, 100_000, 5_000_000])
def test_a_body_over_64_kib_is_a_413_that_the_client_can_read(shared_server: Running, size: int) -> None:
    with shared_server.connect() as raw:
        raw.send(head(f"Content-Length: {size}"))
        raw.send(b"x" * size)
        reply = raw.reply()
    assert reply.status == 413
    assert "65536" in reply.error
    still_serves(shared_server)


def test_a_body_over_64_kib_is_refused_without_being_read(shared_server: Running) -> None:
    assert exchange(shared_server, head("Content-Length: 999999999")).status == 413


def test_a_body_of_64_kib_is_read(shared_server: Running) -> None:
    body = BODY[:-1] + b', "x": "'
    body += b"x" * (65_536 - len(body) - 2) + b'"}'
    assert len(body) == 65_536
    assert exchange(shared_server, report(body=body)).status == 200


def test_a_chunked_body_over_64_kib_is_a_413(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        raw.send(head("Transfer-Encoding: chunked") + chunk(b"x" * 70_000) * 3)
        reply = raw.reply()
    assert reply.status == 413
    assert reply.error


def test_a_complete_chunked_body_over_64_kib_is_a_413(shared_server: Running) -> None:
    body = BODY[:-1] + b', "x": "' + b"x" * 66_000 + b'"}'
    reply = exchange(shared_server, head("Transfer-Encoding: chunked") + chunk(body) + b"0\r\n\r\n")
    assert reply.status == 413
    assert reply.error


def test_what_was_sent_is_given_back_at_once_however_a_connection_ends(shared_server: Running) -> None:
    def parsers() -> int:
        return sum(isinstance(each, RequestParser) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    others = parsers()
    try:
        for data in (
            head("Content-Length: 9") + b"x",
            head("Content-Length: 99999"),
            report("Connection: close"),
            b"x\r\n",
        ):
            with shared_server.connect() as raw:
                raw.send(data)
                raw.end()
                raw.rest()
        wait_until(lambda: parsers() <= others)
    finally:
        gc.enable()
