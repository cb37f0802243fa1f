"""Answers that need no worker: the thread that waits for clients begins them, and sends them once they are there.

So an answer that waits for the disk holds no thread, and one that waits for nothing costs no change of threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Protocol

from mac_actors.web.server.parser import ParsedRequest


class Begun(Protocol):
    """A request whose answer is under way."""

    def due(self) -> float:
        """Return from when on (``time.monotonic()``) it can be answered without waiting; 0: now; infinity: a worker
        must answer it, for that may wait, or is no plain answer.
        """

    def then(self, call: Callable[[], None]) -> None:
        """Call ``call``, from whatever thread, when it can be answered before that."""

    def answer(self) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of the answer, whose status is 200."""


class Direct(Protocol):
    """Whose requests are answered so. The application takes what was begun from ``mac.begun`` in its environment."""

    def takes(self, request: ParsedRequest) -> bool:
        """Whether a request is one of them."""

    def begin(self, environ: dict[str, Any]) -> Begun | None:
        """Begin to answer a request; neither waits nor raises. ``None``: a worker is to do it after all."""


def ok_answer(headers: dict[str, str], body: bytes, *, close: bool) -> bytes:
    """Return a complete answer, for HTTP/1.1."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    closing = "Connection: close\r\n" if close else ""
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{lines}{closing}"
        f"Date: {_date(int(time.time()))}\r\nServer: mac-actors\r\n\r\n"
    )
    return head.encode("latin-1") + body


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
