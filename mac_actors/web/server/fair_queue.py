"""Requests that wait for a worker take turns by address, so that a flood from one holds up no other."""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import Any


class FairQueue:
    """A queue for cheroot's thread pool: first in first out within an address, turn by turn between them."""

    def __init__(self) -> None:
        self._tickets: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Any]] = {}
        self._turns: deque[str] = deque()
        self.taken = 0
        """How many were ever taken: while some wait and this stands still, no worker moves."""

    def put(self, conn: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add a connection (or cheroot's sign to stop, which has no address). Never blocks."""
        address = getattr(conn, "remote_addr", None) or ""
        with self._lock:
            line = self._waiting.get(address)
            if line is None:
                self._waiting[address] = deque((conn,))
                self._turns.append(address)
            else:
                line.append(conn)
        self._tickets.put(None)

    def get(self) -> Any:
        """Wait for a connection, and return the first of the address whose turn it is."""
        self._tickets.get()
        with self._lock:
            address = self._turns.popleft()
            line = self._waiting[address]
            conn = line.popleft()
            self.taken += 1
            if line:
                self._turns.append(address)
            else:
                del self._waiting[address]
            return conn

    def qsize(self) -> int:
        """Return how many wait."""
        return self._tickets.qsize()
