"""Threads that do one job for connections, in fair turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mac_actors.web.server.connection import Connection
from mac_actors.web.server.fair_queue import FairQueue


class Pool:
    """So many threads, from :meth:`start` to :meth:`stop`. ``failed`` is called when one ends before that."""

    def __init__(
        self, name: str, threads: int, job: Callable[[Connection], None], failed: Callable[[str], None]
    ) -> None:
        self.queue = FairQueue[Connection]()
        self._job = job
        self._failed = failed
        # Daemons: one that hangs keeps the process from nothing.
        self._threads = [
            threading.Thread(target=self._run, name=f"{name} {number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, conn: Connection) -> None:
        """Have the job done for a connection. Never blocks."""
        self.queue.put(conn)

    def stop(self, timeout: float) -> None:
        """End the threads, after what they are at; returns after ``timeout`` seconds whatever they do."""
        for _ in self._threads:
            self.queue.put(None)
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        try:
            while (conn := self.queue.get()) is not None:
                self._job(conn)
        except BaseException as error:
            self._failed(f"the thread {threading.current_thread().name!r} ended: {error!r}")
            raise
