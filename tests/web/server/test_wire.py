"""Bare bytes on a socket: what a client may do wrong, and what it may do right."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack

import pytest

from tests.conftest import MakeServer
from tests.fakes import ANN, wait_until
from tests.web.client import Raw, Running, report_body
from tests.web.server.raw import BODY, exchange, head, report, still_serves


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\r\n\r\n",
        b"nothing of ours",
        b"x" * 17_000,
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.x\r\n\r\n",
        b"GET / FTP/1.1\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"GET nothing HTTP/1.1\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\n\r\n",
        b"GET //[ HTTP/1.1\r\n\r\n",
        b"GET //[::1/ HTTP/1.1\r\n\r\n",
        b"GET http://[/ HTTP/1.1\r\n\r\n",
        b"GET /#fragment HTTP/1.1\r\n\r\n",
        b"GET / a HTTP/1.1\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\n\x00\x01\xfc\x03\x03",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"\xff\xfe\xfd\n",
        b"GET /nothing HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\n: empty\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\n folded: first\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nA\x00B: c\r\n\r\n",
        b"M-SEARCH * HTTP/1.1\r\n\r\n",
        b"GET /api/machines/%FF HTTP/1.1\r\n\r\n",
        b"GET /api/machines/%00 HTTP/1.1\r\n\r\n",
        b"GET /api/machines/%zz HTTP/1.1\r\n\r\n",
        b"GET /api/machines/\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET /api/events?kind=%FF HTTP/1.1\r\n\r\n",
        b"GET /api/events?since=%ED%A0%80 HTTP/1.1\r\n\r\n",
        b"GET /api/events?\xff=\xfe&limit=\xff HTTP/1.1\r\n\r\n",
        b"GET /api/events?cursor=%00 HTTP/1.1\r\n\r\n",
    ],
    ids=lambda data: repr(data[:36]),
)
def test_garbage_is_answered_with_a_4xx_in_json_or_closed(shared_server: Running, data: bytes) -> None:
    with shared_server.connect() as raw:
        raw.send(data)
        raw.end()
        answer = raw.rest()
    if answer:
        first_line, _, rest = answer.partition(b"\r\n")
        status = int(first_line.split()[1])
        assert 400 <= status < 500 or status in {501, 505}, answer
        body = rest.partition(b"\r\n\r\n")[2]
        assert set(json.loads(body)) == {"error"}
    still_serves(shared_server)


def test_a_header_without_the_rest_of_the_request_is_dropped_when_the_client_goes(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        raw.send(b"POST /api/machine/update HTTP/1.1\r\nHost: mac\r\n")
        raw.end()
        assert raw.rest() == b""
    still_serves(shared_server)


@pytest.mark.parametrize(
    "data",
    [
        head("X: " + "x" * 17_000),
        head(*(f"X-{number}: {'x' * 100}" for number in range(200))),
        head(path="/" + "x" * 17_000, method="GET"),
        b"GET /" + b"x" * 17_000,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 60_000,
        head(*(f"{number}: x" for number in range(257))),
    ],
    ids=["one header", "many headers", "path", "no line", "no end", "many short headers"],
)
def test_headers_over_16_kib_are_a_431(shared_server: Running, data: bytes) -> None:
    reply = exchange(shared_server, data)
    assert reply.status == 431
    assert "16384" in reply.error
    still_serves(shared_server)


def test_headers_just_under_the_limit_are_taken(shared_server: Running) -> None:
    assert exchange(shared_server, report("X: " + "x" * 16_000)).status == 200


@pytest.mark.parametrize("line", ["Content_Length: x", "Content_Length: -5", "Content_Length: 3", "Content_Type: x"])
def test_a_header_that_only_looks_like_a_length_is_none(shared_server: Running, line: str) -> None:
    assert exchange(shared_server, report(line)).status == 200


def test_clients_that_do_not_read_their_answers_hold_up_no_reader(server: Running) -> None:
    get = head(method="GET", path="/static/swagger-ui-bundle.js")
    with ExitStack() as stack:
        for _ in range(40):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(get * 30)  # more than the kernel holds for a client
        for _ in range(50):
            with server.connect() as raw:
                raw.sock.settimeout(5.0)  # more than a reader has patience for
                raw.send(report("Connection: close"))
                assert raw.reply().status == 200


@pytest.fixture
def hasty(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A server that waits but a moment for a request."""
    monkeypatch.setattr("mac_actors.web.server.request_buffer.REQUEST_SECONDS", 0.2)
    return make_server()


@pytest.mark.parametrize(
    "data",
    [
        head("Content-Length: 100"),
        head("Content-Length: 100") + b"x" * 99,
        head("Transfer-Encoding: chunked") + b"5\r\n12",
        b"POST /api/machine/update HTTP/1.1\r\n",
        b"POST",
        b"GET /nothing-of-ours",
    ],
    ids=lambda data: repr(data[-20:]),
)
def test_a_request_that_does_not_go_on_is_a_408_and_closed(hasty: Running, data: bytes) -> None:
    with hasty.connect() as raw:
        raw.send(data)
        reply = raw.reply()
        assert reply.status == 408
        assert reply.error
        assert raw.rest() == b""
    assert hasty.service.server.refusals.so_far()["408"] == 1


def test_a_request_that_drips_in_byte_by_byte_is_cut_off_too(hasty: Running) -> None:
    answered = False
    with hasty.connect() as raw:
        raw.sock.settimeout(0.05)
        for byte in head("Content-Length: 5000") + b"x" * 1000:
            try:
                raw.send(bytes([byte]))
                answered = bool(raw.sock.recv(1, socket.MSG_PEEK))
            except TimeoutError:
                continue
            except OSError:
                answered = True
            break
    assert answered


def test_a_silent_connection_is_closed(hasty: Running) -> None:
    with hasty.connect() as raw:
        assert raw.rest() == b""


def test_an_idle_kept_connection_is_closed_without_a_word(hasty: Running) -> None:
    with hasty.connect() as raw:
        raw.send(report())
        assert raw.reply().status == 200
        assert raw.rest() == b""


def test_http_1_0_is_answered_and_closed(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        raw.send(report(version="1.0"))
        reply = raw.reply()
        assert reply.status == 200
        assert len(reply.json) == 6
        assert raw.rest() == b""


def test_http_1_0_may_be_kept_open(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        for _ in range(3):
            raw.send(report("Connection: Keep-Alive", version="1.0"))
            assert raw.reply().status == 200


def test_a_connection_serves_many_requests(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        for _ in range(20):
            raw.send(report())
            assert raw.reply().status == 200
        raw.send(report("Connection: close"))
        assert raw.reply().status == 200
        assert raw.rest() == b""


def test_an_error_keeps_the_connection_in_step(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        for body in (b"{}", b"{", b"[]"):
            raw.send(report(body=body))
            assert raw.reply().status in {400, 422}
        raw.send(head("Content-Length: 7", path="/nothing") + b"ignored")
        assert raw.reply().status == 404
        raw.send(report())
        assert raw.reply().status == 200


def test_pipelined_requests_are_answered_in_order(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        raw.send(report() + head(method="GET", path="/api/") + report(body=b"{}") + report())
        assert "relay" in raw.reply().json
        assert raw.reply().json["name"] == "mac-actors"
        assert raw.reply().status == 422
        assert "relay" in raw.reply().json


def test_a_request_in_small_pieces_is_answered(shared_server: Running) -> None:
    data = report()
    with shared_server.connect() as raw:
        raw.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), 7):
            raw.send(data[start : start + 7])
        assert raw.reply().status == 200


def test_an_empty_line_before_a_request_is_forgiven(shared_server: Running) -> None:
    assert exchange(shared_server, b"\r\n" + report()).status == 200


def test_a_client_that_expects_100_continue_gets_it_once(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        raw.send(head(f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert raw.reply().status == 100
        raw.send(BODY)
        assert raw.reply().status == 200


def test_a_client_that_expects_100_continue_for_too_much_gets_a_413(shared_server: Running) -> None:
    assert exchange(shared_server, head("Content-Length: 70000", "Expect: 100-continue")).status == 413


def test_a_hundred_silent_connections_hold_up_no_reader(shared_server: Running) -> None:
    with ExitStack() as stack:
        silent: list[Raw] = [stack.enter_context(shared_server.connect()) for _ in range(100)]
        for number, raw in enumerate(silent[::2]):
            raw.send(head(f"Content-Length: {number + 1}"))
        for _ in range(20):
            assert shared_server.outputs("metal-mill")["relay"] is False
        silent[1].send(report())
        assert silent[1].reply().status == 200


def test_clients_that_vanish_leave_nothing_open(server: Running) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(server.connect()).send(b"POST")
    wait_until(lambda: server.service.server.open_connections == 0)


@pytest.mark.parametrize("path", ["/api/", "/api/machines", "/healthz", "/openapi.json", "/nothing"])
def test_head_has_the_headers_of_get_and_no_body(shared_server: Running, path: str) -> None:
    got, headed = shared_server.get(path), shared_server.request("HEAD", path)
    assert (headed.status, headed.body) == (got.status, b"")
    assert headed.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("OPTIONS", "/api/machine/update"),
        ("OPTIONS", "/api/machines"),
        ("GET", "/api/machine/update"),
        ("PUT", "/api/machine/update"),
        ("PATCH", "/api/machines"),
        ("DELETE", "/api/machines"),
        ("GET", "/api/machine/oops/metal-mill"),
        ("GET", "/api/reload"),
        ("DELETE", "/api/machine/clear/metal-mill"),
        ("TRACE", "/api/machines"),
        ("BREW", "/api/machines"),
    ],
)
def test_another_method_is_a_405_in_json(shared_server: Running, method: str, path: str) -> None:
    reply = shared_server.request(method, path)
    assert reply.status == 405
    assert reply.error
    assert "Allow" in reply.headers


def test_options_of_everything_is_no_500(shared_server: Running) -> None:
    with shared_server.connect() as raw:
        raw.send(b"OPTIONS * HTTP/1.1\r\nHost: mac\r\n\r\n")
        assert raw.reply().status in {200, 204, 404, 405}


def test_a_path_that_is_not_there_is_a_404_in_json(shared_server: Running) -> None:
    for path in ("/nothing", "/api/nothing", "/static/nothing.js", "/static/..%2fmodels.py", "/api/machine"):
        reply = shared_server.get(path)
        assert reply.status == 404, path
        assert reply.error


def test_readers_that_hang_up_without_reading_start_nothing_and_harm_nobody(server: Running) -> None:
    body = json.dumps(report_body("metal-mill", ANN)).encode()
    for _ in range(20):
        with server.connect() as raw:
            raw.send(report(body=body))
    wait_until(lambda: server.service.server.open_connections == 0)
    server.outputs("metal-mill", "")
    assert server.outputs("metal-mill", ANN)["relay"] is True
