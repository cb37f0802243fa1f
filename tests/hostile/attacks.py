"""What somebody who means harm may do: ``python -m tests.hostile.attacks NAME PORT SECONDS SIZE``.

Each attack goes on for some seconds, in a process of its own, from addresses of 127.0.1.0/24. ``SIZE`` is how many
connections it has at once.
"""

from __future__ import annotations

import random
import resource
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

HEAD = b"POST /api/machine/update HTTP/1.1\r\nHost: x\r\n"
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"

IP_BIND_ADDRESS_NO_PORT = 24
"""Linux's; the socket module has no name for it."""


class Attack:
    """One attack: where, how long, how large."""

    def __init__(self, port: int, seconds: float, size: int) -> None:
        self.port = port
        self.size = size
        self.end = time.monotonic() + seconds

    def going_on(self) -> Iterator[int]:
        """Count until the time is over."""
        number = 0
        while time.monotonic() < self.end:
            yield number
            number += 1

    def connect(self, number: int = 0) -> socket.socket:
        """Open a connection from an address; there are so many as numbers, up to 200."""
        sock = socket.socket()
        sock.settimeout(5.0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # which port is chosen by the connection: of those that were in use a moment ago, too, there are enough
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((f"127.0.1.{number % 200 + 1}", 0))
        sock.connect(("127.0.0.1", self.port))
        return sock

    def tls(self) -> ssl.SSLSocket:
        """Open a connection, and shake hands."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(self.connect())

    def hold(self, first: bytes, addresses: int = 1) -> list[socket.socket]:
        """Open connections that have sent something; those that are refused or closed don't count."""
        held = []
        for number in range(self.size):
            if time.monotonic() > self.end:
                break
            sock = self.connect(number % addresses)
            sock.setblocking(False)
            held.append(sock)
            with suppress(OSError):
                sock.send(first)
        return held

    def in_threads(self, count: int, work: Callable[[], None]) -> None:
        """Do the same several times at once."""

        def again() -> None:
            for _ in self.going_on():
                with suppress(OSError):
                    work()

        threads = [threading.Thread(target=again) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def one_packet(attack: Attack) -> None:
    """Headers on which a pattern would backtrack."""
    blanks = b" " * 16_200
    for number in attack.going_on():
        line = (b"Content-Length:" + blanks, b"Transfer-Encoding:" + blanks, b"Expect:" + blanks, b"X" + blanks)[
            number % 4
        ]
        with attack.connect() as sock, suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\n" + line + (b"\rx\r\n\r\n" if number % 2 else b"x\r\n\r\n"))
            sock.shutdown(socket.SHUT_WR)
            sock.recv(4096)


def nonsense_after_requests(attack: Attack) -> None:
    """A request, then nonsense, then the end of what is sent: the server's threads are to meet at one connection."""

    def once() -> None:
        with attack.connect() as sock:
            sock.sendall(GET % b"/healthz" + b"nonsense\r\n")
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass

    attack.in_threads(4, once)


def crumbs(attack: Attack) -> None:
    """Bodies in chunks of a byte, then byte by byte."""
    held = attack.hold(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000, addresses=20)
    for _ in attack.going_on():
        for sock in held:
            with suppress(OSError):
                sock.send(b"1")
        time.sleep(0.1)


def tiny_records(attack: Attack) -> None:
    """TLS records of one byte, without an end, after a first line that is refused."""
    with attack.tls() as sock, suppress(OSError):
        sock.sendall(b"nonsense\r\n")
        for _ in attack.going_on():
            sock.sendall(b"x")


def unread_scripts(attack: Attack) -> None:
    """Large answers that nobody reads."""
    held = attack.hold((GET % b"/static/swagger-ui-bundle.js") * 3, addresses=20)
    time.sleep(max(0.0, attack.end - time.monotonic()))
    del held


def unread_pages(attack: Attack) -> None:
    """Answers made for each request that nobody reads."""
    held = attack.hold((GET % b"/openapi.json") * 60, addresses=20)
    time.sleep(max(0.0, attack.end - time.monotonic()))
    del held


def unfinished_bodies(attack: Attack) -> None:
    """Bodies that end just before their end, then the same again: what is closed must be given back."""
    for _ in attack.going_on():
        for sock in attack.hold(HEAD + b"Content-Length: 65536\r\n\r\n" + b"x" * 65_000, addresses=20):
            with sock, suppress(OSError):
                sock.send(b"x")


def pipelines(attack: Attack) -> None:
    """As many small requests in few bytes as there can be, answers not read."""
    held = attack.hold(b"GET /nothing HTTP/1.1\r\n\r\n" * 2000)
    for _ in attack.going_on():
        for sock in held:
            with suppress(OSError):
                sock.send(b"GET /nothing HTTP/1.1\r\n\r\n" * 200)
        time.sleep(0.05)


def many_headers(attack: Attack) -> None:
    """Heads that are all headers, and end just before their end."""
    lines = b"".join(b"%x:\r\n" % number for number in range(250))
    held = attack.hold(HEAD + lines)
    time.sleep(max(0.0, attack.end - time.monotonic()))
    del held


def churned_silence(attack: Attack) -> None:
    """Connections that say nothing: the oldest is closed, a new one opened, without a pause."""
    held = attack.hold(b"")
    for number in attack.going_on():
        if held:
            held[number % len(held)].close()
            held[number % len(held)] = attack.connect()


def resets(attack: Attack) -> None:
    """Connections that are reset in the middle of everything."""

    def once() -> None:
        with attack.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall((GET % b"/openapi.json") * random.randrange(4) + HEAD)
        time.sleep(0.002)  # much faster, and the kernel's queue of new connections is full: that is not ours to mend

    attack.in_threads(4, once)


def flood(attack: Attack) -> None:
    """Whole requests without a pause, from one address."""

    def once() -> None:
        with attack.connect() as sock:
            for _ in attack.going_on():
                sock.sendall((GET % b"/api/machines") * 10)
                sock.recv(65536)

    attack.in_threads(16, once)


def hellos(attack: Attack) -> None:
    """Beginnings of TLS handshakes, each of which has the server make a signature."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    hello = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    canned = hello.read()

    def once() -> None:
        with attack.connect() as sock:
            sock.sendall(canned)
            sock.recv(4096)

    attack.in_threads(8, once)


def hangs_up_early(attack: Attack) -> None:
    """TLS clients that are gone before their answer."""

    def once() -> None:
        with attack.tls() as sock:
            sock.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, random.randrange(2)))

    attack.in_threads(4, once)


PLAIN = {
    attack.__name__: (attack, size)
    for attack, size in (
        (one_packet, 1),
        (nonsense_after_requests, 4),
        (crumbs, 200),
        (unread_scripts, 200),
        (unread_pages, 100),
        (unfinished_bodies, 1000),
        (pipelines, 100),
        (many_headers, 300),
        (churned_silence, 500),
        (resets, 4),
        (flood, 16),
    )
}
"""Attacks, and their small size."""

TLS = {
    attack.__name__: (attack, size)
    for attack, size in ((tiny_records, 1), (hellos, 8), (hangs_up_early, 4), (churned_silence, 200))
}
"""Attacks on a server that speaks TLS."""


def main() -> None:
    name, port, seconds, size = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16_384, hard), hard))
    attack, _ = {**PLAIN, **TLS}[name]
    attack(Attack(int(port), float(seconds), int(size)))


if __name__ == "__main__":
    main()
