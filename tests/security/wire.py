"""Several clients at once, on real sockets of a real server: what each does is read from a fuzzer's bytes."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import Any

from mac_actors.web.server.server import Server
from tests.security.fuzz_wire import CLIENTS, PIECES

PATIENCE = 10.0
"""Seconds in which a server that is whole has answered and closed everything."""


def _application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    body = b"x" * 300_000 if environ["PATH_INFO"] == "/large" else environ["wsgi.input"].read()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@cache
def _server() -> Server:
    server = Server(_application, "127.0.0.1", 0)
    server.open()
    server.run_in_thread()
    return server


def check_wire(data: bytes) -> None:
    """Whatever clients do, and in whatever order: the next one is answered, and nothing is left of them."""
    server = _server()
    socks: list[socket.socket | None] = [None] * CLIENTS
    rest = memoryview(data)
    while len(rest) >= 2:
        do, amount = rest[0], rest[1]
        rest = rest[2:]
        client = do % CLIENTS
        sock = socks[client]
        if sock is None:
            sock = socks[client] = socket.create_connection(("127.0.0.1", server.bind_addr[1]), timeout=PATIENCE)
            sock.setblocking(False)
        action = do // CLIENTS % 8
        with suppress(OSError):
            if action < 3:
                sock.send(rest[:amount])
                rest = rest[amount:]
            elif action == 3:
                sock.send(PIECES[amount % len(PIECES)] * (1 + amount // 32))
            elif action == 4:
                sock.recv(amount * 100 + 1)
            elif action == 5:
                sock.shutdown(socket.SHUT_WR)
            elif action == 6:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if action >= 6:
            sock.close()
            socks[client] = None
    for sock in socks:
        if sock:
            sock.close()
    with socket.create_connection(("127.0.0.1", server.bind_addr[1]), timeout=PATIENCE) as honest:
        honest.sendall(b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        answer = b""
        while part := honest.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"ok")
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while server.open_connections:
        server._connections._waker.wake()  # it counts what workers have closed when it wakes
        assert time.monotonic() < deadline, server.open_connections
        pause.wait(0.001)
    assert server.failure is None
    assert (server.waiting, server.held) == (0, 0)
