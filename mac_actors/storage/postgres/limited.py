"""A connection on which no answer is waited for without limit: psycopg's own calls wait for ever.

A database server that hangs, or a proxy before one that is gone, keeps TCP alive and says nothing. What takes too long
is given up by closing the connection; whether it was carried out is then not known. Nothing is ever cancelled: a commit
that waits for a synchronous standby would be there then without being safe.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg.rows import TupleRow

T = TypeVar("T")

ANSWER_SECONDS = 5.0
"""How long a database that works may take to say anything."""

_READ, _WRITE = 1, 2  # as psycopg's generators have them
_EVENTS = {_READ: select.POLLIN, _WRITE: select.POLLOUT, _READ | _WRITE: select.POLLIN | select.POLLOUT}

_LONGEST_LOOK = 0.1
"""Seconds between two looks whether to wait on, at the most."""


class SilentError(psycopg.OperationalError):
    """The database was given up, and the connection is closed."""


class LimitedConnection(psycopg.Connection[TupleRow]):
    """A connection that is given up where one answer takes longer than ``seconds``; ``None``: never."""

    seconds: float | None = None
    superseded: Callable[[], bool] = staticmethod(lambda: False)
    """Whether no answer is to be waited for any more, because the database was found elsewhere since."""
    _given_up = False

    def close(self) -> None:
        """Close it, from any thread. Where one waits for an answer, that thread does, in a moment: whoever closes what
        another thread is about to read crashes the process.
        """
        self._given_up = True
        if self.lock.acquire(blocking=False):
            try:
                super().close()
            finally:
                self.lock.release()

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Wait for an answer, as all calls of psycopg do once they are connected, with the connection's lock."""
        if self.seconds is None:
            return super().wait(gen, *args, **kwargs)
        try:
            return self._wait(gen, self.seconds)
        except (SilentError, KeyboardInterrupt):
            self._given_up = True
            raise
        finally:
            if self._given_up:
                super().close()

    def _wait(self, gen: Generator[Any, int, T], seconds: float) -> T:
        """Wait until the socket is ready for what psycopg's generator wants, until that ends."""
        deadline = time.monotonic() + seconds
        look = math.ceil(min(_LONGEST_LOOK, seconds / 50) * 1000)
        poll, number = select.poll(), self.pgconn.socket
        try:
            wanted = next(gen)
            while True:
                poll.register(number, _EVENTS[wanted])
                while not (found := poll.poll(look)):
                    if self._given_up or self.superseded() or time.monotonic() >= deadline:
                        raise SilentError("the database does not answer")
                [(_, event)] = found
                readable, writable = event & ~select.POLLOUT, event & select.POLLOUT  # an error is read, too
                wanted = gen.send((_READ if readable else 0) | (_WRITE if writable else 0))
        except StopIteration as end:
            result: T = end.value
            return result
