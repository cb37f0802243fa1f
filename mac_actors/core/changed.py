"""Saying things once: when a condition begins, and when it ends."""

from __future__ import annotations


class Changed:
    """Remembers a value; ``changed(now)`` says whether it has become another one since the last call."""

    def __init__(self, first: object = False) -> None:
        self._last = first

    def __call__(self, now: object) -> bool:
        """Remember ``now``; says whether it differs from what was remembered."""
        last, self._last = self._last, now
        return now != last
