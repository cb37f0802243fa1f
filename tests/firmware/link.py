"""The network between a reader and the server: what goes wrong there is the test's to say."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from tests.e2e.processes import PATIENCE

Answer = bytes
Alter = Callable[[Answer], Answer]


class Report:
    """A report on its way. Its answer is held back until it is let go, if the link holds answers."""

    def __init__(self, head: bytes, sent: bytes) -> None:
        self.body: dict[str, Any] = json.loads(sent or b"{}")
        self.head = head
        self.sent = sent
        """The body, byte for byte."""
        self.answer: Answer = b""
        """What the server said to it."""
        self.let_go = threading.Event()
        self.hung_up = threading.Event()
        """The reader did not wait for the answer."""
        self.answered = threading.Event()
        """The server has answered; what it said may still be held back."""


class Link:
    """A proxy before the server's port. All reports that came are in ``reports``, also those that nobody answers."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.reports: list[Report] = []
        self.others: list[Report] = []
        """Requests for something else: the list."""
        self.hangs = False
        """Reports are taken, and go nowhere."""
        self.holds = False
        """The server gets them at once, but its answers are held back."""
        self.in_pieces = False
        """Answers come byte by byte."""
        self.alter: Alter = lambda answer: answer
        self._came = threading.Condition()
        self._seen = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._start(self._accept, self._listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self.release()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def be_well(self) -> None:
        """Pass everything on, and let go of what was held back."""
        self.release()
        self.mend()

    def release(self) -> None:
        """Hold nothing back any more."""
        with self._came:
            self.hangs = self.holds = False
            for report in self.reports:
                report.let_go.set()

    def hang(self) -> None:
        """Take reports, and pass none on. The next report that is waited for is the first of these."""
        with self._came:
            self.hangs = True
            self.skip()

    def hold(self) -> None:
        """Pass reports on, but no answers. The next report that is waited for is the first of these."""
        with self._came:
            self.holds = True
            self.skip()

    def cut(self) -> None:
        """From now on no connection comes about, and those that were there are gone."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Listen again, on the same port, if that was cut."""
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._start(self._accept, self._listener)

    def skip(self) -> None:
        """Look at no report that has come so far."""
        self._seen = len(self.reports)

    def next_report(self, **fields: Any) -> Report:
        """Wait for a report with these fields, after the one that was waited for last."""

        def found() -> Report | None:
            while self._seen < len(self.reports):
                report = self.reports[self._seen]
                self._seen += 1
                if fields.items() <= report.body.items():
                    return report
            return None

        with self._came:
            report = self._came.wait_for(found, PATIENCE)
        assert report, f"no report with {fields}, but {[report.body for report in self.reports]}"
        return report

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                sock = listener.accept()[0]
                self._sockets.append(sock)
                self._start(self._pass_on, sock)

    def _pass_on(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            head, body = _read_request(sock)
            report = Report(head, body)
            with self._came:
                hangs, holds = self.hangs, self.holds
                (self.reports if body else self.others).append(report)
                self._came.notify_all()
            answer = b""
            if not hangs:
                with socket.create_connection(("127.0.0.1", self.server_port), PATIENCE) as server:
                    server.sendall(head + body)
                    report.answer = answer = b"".join(iter(lambda: server.recv(65536), b""))
                report.answered.set()
            if hangs or holds:
                watch = threading.Thread(target=_watch, args=[sock, report], daemon=True)
                watch.start()
                report.let_go.wait(2 * PATIENCE)
            answer = self.alter(answer)
            if self.in_pieces:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in answer:
                    sock.sendall(bytes([byte]))
            else:
                sock.sendall(answer)
            sock.shutdown(socket.SHUT_RDWR)  # closing alone is none while another thread listens


def _watch(sock: socket.socket, report: Report) -> None:
    with suppress(OSError):
        sock.recv(1)
    report.hung_up.set()


def _read_request(sock: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(sock)
    head, body = data.split(b"\r\n\r\n", 1)
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += _received(sock)
    return head + b"\r\n\r\n", body


def _received(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise OSError("hung up")
    return data
