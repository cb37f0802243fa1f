"""A receiver of webhooks: a real server that takes what is signed rightly, keeps it, and answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks import Webhook

from tests.fakes import PATIENCE

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Taken(NamedTuple):
    """A request that was signed rightly, and the status that it was answered with."""

    path: str
    headers: dict[str, str]
    event: dict[str, Any]
    status: int


class Receiver:
    """``answer`` says the status for an event; ``headers`` go with it."""

    def __init__(self) -> None:
        self.requests: list[Taken] = []
        self.answer: Callable[[dict[str, Any]], int] = lambda event: 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self._changed = threading.Condition()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?key=in-the-url"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def events(self, **having: Any) -> list[dict[str, Any]]:
        """What was taken (answered with a 2xx), in order; only those that have these values."""
        with self._changed:
            taken = [request.event for request in self.requests if 200 <= request.status < 300]
        return [event for event in taken if having.items() <= event.items()]

    def wait_for(self, count: int, **having: Any) -> list[dict[str, Any]]:
        """The same, once there are ``count``."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events(**having)) >= count, PATIENCE), self.requests
        return self.events(**having)

    def wait_for_requests(self, count: int) -> list[Taken]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, PATIENCE), self.requests
            return list(self.requests)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                Webhook(SECRET).verify(body, headers)  # one that is not right gets no answer at all
                event = json.loads(body)
                status = receiver.answer(event)
                with receiver._changed:
                    receiver.requests.append(Taken(self.path, headers, event, status))
                    receiver._changed.notify_all()
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
