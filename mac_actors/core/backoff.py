"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random


class Backoff:
    """Seconds until the next try: doubled from ``first`` to ``last``, each give or take the share ``jitter``."""

    def __init__(self, first: float, last: float, jitter: float = 0.0) -> None:
        self._first, self._last, self._jitter = first, last, jitter
        self._seconds = first

    def next(self) -> float:
        """Return for how many seconds to wait now."""
        seconds, self._seconds = self._seconds, min(self._seconds * 2, self._last)
        return seconds * random.uniform(1 - self._jitter, 1 + self._jitter)  # noqa: S311

    def reset(self) -> None:
        """Begin with the first again: it went well."""
        self._seconds = self._first
