"""How often a dead actor is restarted: at once, but not in a loop."""

from __future__ import annotations

import time
from collections import Counter, deque

LIMIT, WINDOW_SECONDS = 5, 60.0
"""More restarts of one actor than this in this time are a storm: from then on it is tried once in that time."""


class Restarts:
    """Counts restarts by actor, and says when there were too many."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Restarts so far, by kind of actor."""
        self._times: dict[str, deque[float]] = {}

    def allow(self, actor: str) -> bool:
        """Whether this actor may be restarted now."""
        times = self._times.get(actor)
        if not times:
            return True
        now = time.monotonic()
        if len(times) > LIMIT:  # a storm: wait until the last try is a whole window ago
            return now - times[-1] > WINDOW_SECONDS
        while times and now - times[0] > WINDOW_SECONDS:
            times.popleft()
        return True

    def note(self, kind: str, actor: str, label: str, happened: str = "was restarted") -> str | None:
        """Count a restart; returns what is to be said of it, if anything. A storm is said once, when it begins."""
        self.counts[kind] += 1
        times = self._times.setdefault(actor, deque(maxlen=LIMIT + 1))
        was_storm = len(times) > LIMIT
        times.append(time.monotonic())
        if was_storm:
            return None
        more = "; it fails again and again, and is tried once a minute from now on" if len(times) > LIMIT else ""
        return f"{label} had stopped and {happened}{more}. The log says why."

    def storms(self) -> list[str]:
        """Return the actors that are restarted no more than once in a while."""
        now = time.monotonic()
        return [
            actor
            for actor, times in list(self._times.items())
            if len(times) > LIMIT and now - times[-1] <= 2 * WINDOW_SECONDS
        ]

    def troubles(self) -> dict[str, str]:
        """Return the storms as a part of a fleet's health."""
        storms = self.storms()
        return {"actors": f"failing again and again (the log says why): {', '.join(storms[:10])}"} if storms else {}
