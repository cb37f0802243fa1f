"""Reads the database at once for whoever needs it fresh, and keeps nobody waiting where it does not answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class _Reading(threading.Event):
    """Set once it has ended; ``good``: it was read."""

    good = False


class Fresh:
    """Calls ``read`` in a thread of its own; any thread may :meth:`wait` for that."""

    def __init__(self, read: Callable[[], None]) -> None:
        self._read = read
        self._waiting: list[_Reading] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._begun: float | None = None
        """Since when it is read, while it is."""
        self._thread = threading.Thread(target=self._run, name="fresh states", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until ``read``, which begins after this, has returned; false: not in so many seconds, or it has raised.

        It does not wait where the one before has not returned for longer than that: the database does not answer.
        """
        begun = self._begun  # once: it may end meanwhile
        if begun is not None and time.monotonic() - begun > seconds:
            return False
        done = _Reading()
        with self._lock:
            self._waiting.append(done)
        self._wake.set()
        return done.wait(seconds) and done.good

    def close(self) -> None:
        """End the thread, once it does not read."""
        self._stopping = True
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stopping:
                return
            with self._lock:
                waiting, self._waiting = self._waiting, []
            self._begun = time.monotonic()
            good = False
            try:
                self._read()
                good = True
            except Exception as error:
                log.debug("the states can't be read: %s", error)
            self._begun = None
            for done in waiting:
                done.good = good
                done.set()
