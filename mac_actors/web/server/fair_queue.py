"""Connections that wait for a thread take turns by address, so that a flood from one holds up no other."""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import Generic, Protocol, TypeVar


class Owned(Protocol):
    """What waits: it belongs to an address."""

    owner: str


Waiting = TypeVar("Waiting", bound=Owned)


class FairQueue(Generic[Waiting]):
    """First in first out within an address, turn by turn between them."""

    def __init__(self) -> None:
        self._tickets: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Waiting | None]] = {}
        self._turns: deque[str] = deque()
        self.size = 0
        """How many wait."""
        self.taken = 0
        """How many were ever taken: while some wait and this stands still, no thread moves."""

    def put(self, conn: Waiting | None) -> None:
        """Add a connection (or ``None``, which ends a thread). Never blocks."""
        owner = conn.owner if conn else ""
        with self._lock:
            line = self._waiting.get(owner)
            if line is None:
                self._waiting[owner] = deque((conn,))
                self._turns.append(owner)
            else:
                line.append(conn)
            self.size += 1
        self._tickets.put(None)

    def get(self) -> Waiting | None:
        """Wait for a connection, and return the first of the address whose turn it is."""
        while True:
            self._tickets.get()
            with self._lock:
                while self._turns:
                    owner = self._turns.popleft()
                    line = self._waiting[owner]
                    if not line:  # all of it was withdrawn
                        del self._waiting[owner]
                        continue
                    conn = line.popleft()
                    self._turns.append(owner)
                    self.size -= 1
                    self.taken += 1
                    return conn

    def withdraw(self, owner: str) -> Waiting | None:
        """Take back the last one of an address, if one waits."""
        with self._lock:
            line = self._waiting.get(owner)
            if not line:
                return None
            self.size -= 1
            return line.pop()
