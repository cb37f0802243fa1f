"""What other threads have for the one that waits for clients: its wake-up, and answers that were waited for."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from mac_actors.actors import wakes
from mac_actors.web.server.connection import Connection
from mac_actors.web.server.direct import Begun

_Entry = list[tuple[Connection, Begun]]
"""An answer that waits; empty once it was given."""


class Waker:
    """Wakes a thread that waits for what :meth:`fileno` says to be readable."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._woken = False
        """Whether a byte is on its way, so that no second one is needed."""

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._read.fileno()

    def wake(self) -> None:
        """Wake it; for any thread."""
        if not self._woken:
            self._woken = True
            with suppress(OSError):  # full: it wakes anyway. Closed: it has ended
                self._write.send(b"\0")

    def clear(self) -> None:
        """Be ready for the next time; the thread calls it before it looks: what comes after the look wakes it again."""
        with suppress(BlockingIOError):
            self._read.recv(65536)
        self._woken = False

    def close(self) -> None:
        """Close it, for good."""
        self._read.close()
        self._write.close()


class PendingAnswers:
    """Answers that wait for the disk, and until when; all may wait equally long."""

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._there: deque[_Entry] = deque()
        """Those that are on disk."""
        self._waiting: deque[tuple[float, _Entry]] = deque()

    def __bool__(self) -> bool:
        """Whether any waits."""
        return bool(self._waiting)

    @property
    def due(self) -> float:
        """When (``time.monotonic()``) the first one has waited long enough, if any waits."""
        return self._waiting[0][0]

    def add(self, due: float, conn: Connection, begun: Begun) -> None:
        """Have an answer wait for the disk until ``due`` at most."""
        # It is emptied when it is given: what tells of the disk knows it until the disk has all, which may be never.
        entry = [(conn, begun)]
        self._waiting.append((due, entry))

        def there() -> None:
            self._there.append(entry)
            wakes.wake(self._waker.wake)

        begun.then(there)

    def take(self, now: float) -> Iterator[tuple[Connection, Begun]]:
        """Give what is on disk, and what has waited long enough; each once."""
        while self._there:
            yield from _given(self._there.popleft())
        while self._waiting and (not self._waiting[0][1] or self.due <= now):
            yield from _given(self._waiting.popleft()[1])


def _given(entry: _Entry) -> Iterator[tuple[Connection, Begun]]:
    while entry:
        yield entry.pop()
