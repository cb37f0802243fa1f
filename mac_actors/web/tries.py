"""How often a wrong token may be tried. In memory, and bounded."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

TRY_SECONDS = 60.0
TRIES_PER_ADDRESS, TRIES_IN_ALL = 5, 60
"""How many wrong tokens are checked in this time in the login, from one address and from all together."""

READING_TRIES_PER_ADDRESS, READING_TRIES_IN_ALL = 60, 600
"""The same for tokens that come along with calls that read: a monitor with an old token reads often."""


class Tries:
    """Counts wrong tokens of the last minute. While there are too many, not even the right one is taken."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        per_address: int = TRIES_PER_ADDRESS,
        in_all: int = TRIES_IN_ALL,
    ) -> None:
        self._clock = clock
        self._per_address, self._in_all = per_address, in_all
        self._lock = threading.Lock()
        self._wrong: deque[tuple[float, str]] = deque()

    def wait(self, address: str, right: bool) -> float | None:
        """Take a try; returns ``None`` if the token is to be checked, else the seconds until one will be."""
        now = self._clock()
        with self._lock:
            while self._wrong and self._wrong[0][0] <= now - TRY_SECONDS:
                self._wrong.popleft()
            own = [at for at, whose in self._wrong if whose == address]
            if len(own) >= self._per_address:
                return own[0] + TRY_SECONDS - now
            if len(self._wrong) >= self._in_all:
                return self._wrong[0][0] + TRY_SECONDS - now
            if not right:
                self._wrong.append((now, address))
            return None
