"""Requests out of bytes, whatever pieces they come in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.web.errors import RequestRefused
from mac_actors.web.server.parser import ParsedRequest, RequestParser
from tests.web.server.raw import BODY, chunk, head, report

PIPELINED = (
    report() + head("Transfer-Encoding: chunked") + chunk(BODY) + b"0\r\nX: y\r\n\r\n" + head(method="GET", path="/a?b")
)


def parsed(*pieces: bytes) -> list[ParsedRequest]:
    """Feed pieces to a parser of their own."""
    parser = RequestParser()
    for piece in pieces:
        parser.feed(piece)
    return list(parser.complete)


@given(st.lists(st.integers(1, len(PIPELINED) - 1), max_size=12))
def test_pieces_mean_what_the_whole_means(cuts: list[int]) -> None:
    at = [0, *sorted(set(cuts)), len(PIPELINED)]
    requests = parsed(*(PIPELINED[a:b] for a, b in pairwise(at)))
    assert [(r.method, r.path, r.query, r.body) for r in requests] == [
        ("POST", "/api/machine/update", "", BODY),
        ("POST", "/api/machine/update", "", BODY),
        ("GET", "/a", "b", b""),
    ]
    assert all(r.keeps_alive for r in requests)


def test_headers_come_as_wsgi_has_them() -> None:
    lines = ("X-a: 1", "x-A:\t2 ", "X_A: 3", "Cookie: a=b", "Cookie: c=d", "Content-Type: text/x", "Y: \xff", "Z:")
    [request] = parsed(head(*lines, method="GET"))
    assert request.headers == {
        "HTTP_HOST": "mac",
        "HTTP_X_A": "1, 2",
        "HTTP_COOKIE": "a=b; c=d",
        "CONTENT_TYPE": "text/x",
        "HTTP_Y": "\xff",
        "HTTP_Z": "",
    }


@pytest.mark.parametrize(
    ("data", "keeps_alive"),
    [
        (head(), True),
        (head("Connection: close"), False),
        (head("Connection: Close, x"), False),
        (head(version="1.0"), False),
        (head("Connection: Keep-Alive", version="1.0"), True),
        (head("Connection: Upgrade", "Upgrade: h2c"), False),
    ],
    ids=repr,
)
def test_a_connection_is_kept_as_the_client_asks(data: bytes, keeps_alive: bool) -> None:
    after = head(method="GET", path="/after")
    requests = parsed(data + after)
    assert [r.keeps_alive for r in requests] == ([True, True] if keeps_alive else [False])
    assert [r.keeps_alive for r in parsed(data, after)] == [r.keeps_alive for r in requests]


@pytest.mark.parametrize(
    "body",
    [
        (f"Content-Length: {len(BODY)}", BODY),
        ("Transfer-Encoding: chunked", chunk(BODY[:7]) + chunk(BODY[7:]) + b"0\r\n\r\n"),
    ],
    ids=["length", "chunks"],
)
def test_who_asks_for_another_protocol_is_answered_in_this_one(body: tuple[str, bytes]) -> None:
    data = head("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", body[0]) + body[1]
    for pieces in ([data + b"more"], [data[:-30], data[-30:]], [data[at : at + 1] for at in range(len(data))]):
        [request] = parsed(*pieces)
        assert (request.body, request.path) == (BODY, "/api/machine/update")


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"nonsense\r\n\r\n", 400, "GET /PATH HTTP/1.1"),
        (b"BREW /pot HTTP/1.1\r\n\r\n", 405, "method"),
        (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", 405, "CONNECT"),
        (b"GET /\r\n\r\n", 400, "HTTP/1.1"),
        (b"GET / HTTP/2.0\r\n\r\n", 400, "HTTP/1.1"),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400, "begins with /"),
        (b"GET * HTTP/1.1\r\n\r\n", 400, "begins with /"),
        (b"POST //api/machine/update HTTP/1.1\r\n\r\n", 404, "//"),
        (b"GET /%ff HTTP/1.1\r\n\r\n", 404, "UTF-8"),
        (head("Transfer-Encoding: gzip, chunked"), 400, "chunked"),
        (head("Transfer-Encoding: chunked", version="1.0") + b"0\r\n\r\n", 400, "HTTP/1.1"),
        (head("Content-Length: 65537"), 413, "65536"),
        (head("Transfer-Encoding: chunked") + b"1;" + b"x" * 150_000, 413, "65536"),
        (head("Transfer-Encoding: chunked") + b"0\r\nX: " + b"x" * 150_000, 413, "65536"),
        (head("Transfer-Encoding: chunked") + b"xyz\r\n", 400, "the body"),
    ],
    ids=lambda value: repr(value)[-30:],
)
def test_what_is_refused_is_said(data: bytes, status: int, says: str) -> None:
    for pieces in ([data], [data[at : at + 4096] for at in range(0, len(data), 4096)]):
        with pytest.raises(RequestRefused) as refused:
            parsed(*pieces)
        assert (refused.value.status, says in refused.value.message) == (status, True), refused.value.message


def test_requests_before_a_wrong_one_are_whole() -> None:
    parser = RequestParser()
    with pytest.raises(RequestRefused):
        parser.feed(report() + b"nonsense\r\n")
    assert [request.body for request in parser.complete] == [BODY]


def test_nothing_is_held_of_what_is_over() -> None:
    parser = RequestParser()
    assert (parser.idle, parser.held) == (True, 0)
    parser.feed(report()[:-1])
    assert (parser.idle, parser.held) == (False, len(BODY) - 1)
    parser.feed(report()[-1:])
    assert (parser.idle, parser.held) == (True, 1024 + len(BODY))
    parser.complete.clear()
    assert parser.held == 0
