"""Counters that many threads add to."""

from __future__ import annotations

import threading
from collections import Counter


class Counts:
    """How often each word was counted: none is lost when threads count at the same moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: Counter[str] = Counter()

    def add(self, word: str) -> None:
        """Count a word."""
        with self._lock:
            self._counted[word] += 1

    def so_far(self) -> Counter[str]:
        """Return a copy of what was counted until now."""
        with self._lock:
            return self._counted.copy()
