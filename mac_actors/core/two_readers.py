"""Two readers that report under one name: which of them holds the card can't be known, so nothing may start.

The uptime of one reader only grows, or falls back once when it restarts; its address hardly ever changes. Values that
go to and fro come from two readers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

WITHIN = timedelta(seconds=60)
"""So many returns in this time are no chance; once it has passed without them, the other reader is gone."""

RETURNS = 4
"""So often must an uptime or an address have come back to what it was before."""

UPTIME_SLACK_SECONDS = 15.0
"""How far an uptime may be from where it would have come to by now: firmware measures it now and then."""


@dataclass
class TwoReaders:
    """Watches one machine's reports. Not part of its state: a restart of the server forgets it, and sees it anew."""

    _last: list[tuple[datetime, float | None, str | None]] = field(default_factory=list)
    _returns: list[datetime] = field(default_factory=list)

    def seen(self, at: datetime, uptime: float | None, address: str | None) -> bool:
        """Take a report into account; returns whether two readers report now."""
        report = (at, uptime, address)
        if len(self._last) == 2 and self._has_returned(self._last[0], self._last[1], report):
            self._returns.append(at)
        if not self._last or not _same_reader(self._last[-1], report):
            self._last = [*self._last[-1:], report]
        else:
            self._last[-1] = report
        self._returns = [moment for moment in self._returns if timedelta() <= at - moment <= WITHIN]
        return len(self._returns) >= RETURNS

    @staticmethod
    def _has_returned(
        before: tuple[datetime, float | None, str | None],
        between: tuple[datetime, float | None, str | None],
        now: tuple[datetime, float | None, str | None],
    ) -> bool:
        return now[0] - before[0] <= WITHIN and _same_reader(before, now) and not _same_reader(between, now)


def _same_reader(
    earlier: tuple[datetime, float | None, str | None], later: tuple[datetime, float | None, str | None]
) -> bool:
    """Whether two reports can be of one reader that did not restart between them."""
    if earlier[2] != later[2]:
        return False
    if earlier[1] is None or later[1] is None:
        return earlier[1] is later[1]
    expected = earlier[1] + (later[0] - earlier[0]).total_seconds()
    return abs(later[1] - expected) <= UPTIME_SLACK_SECONDS or earlier[1] <= later[1] <= expected
