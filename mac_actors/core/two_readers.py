"""Two readers that report under one name: which of them holds the card can't be known, so nothing may start.

The uptime of one reader only grows, or falls back once when it restarts; its address hardly ever changes. Values that
go to and fro come from two readers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

WITHIN = timedelta(seconds=60)
"""So many returns in this time are no chance; once it has passed without them, the other reader is gone."""

RETURNS = 4
"""So often must an uptime or an address have come back to what it was before."""

UPTIME_SLACK_SECONDS = 15.0
"""How far an uptime may be from where it would have come to by now: firmware measures it now and then."""


class _Seen(NamedTuple):
    at: datetime
    uptime: float | None
    address: str | None


@dataclass
class TwoReaders:
    """Watches one machine's reports. Not part of its state: a restart of the server forgets it, and sees it anew."""

    _last: list[_Seen] = field(default_factory=list)
    _returns: list[datetime] = field(default_factory=list)

    def seen(self, at: datetime, uptime: float | None, address: str | None) -> bool:
        """Take a report into account; says whether two readers are at it now."""
        now = _Seen(at, uptime, address)
        if len(self._last) == 2 and _has_returned(self._last[0], self._last[1], now):
            self._returns.append(at)
        if not self._last or not _same_reader(self._last[-1], now):
            self._last = [*self._last[-1:], now]
        else:
            self._last[-1] = now
        self._returns = [moment for moment in self._returns if timedelta() <= at - moment <= WITHIN]
        return len(self._returns) >= RETURNS


def _has_returned(before: _Seen, between: _Seen, now: _Seen) -> bool:
    return now.at - before.at <= WITHIN and _same_reader(before, now) and not _same_reader(between, now)


def _same_reader(earlier: _Seen, later: _Seen) -> bool:
    """Whether two reports can be of one reader that did not restart between them."""
    if earlier.address != later.address:
        return False
    if earlier.uptime is None or later.uptime is None:
        return earlier.uptime is later.uptime
    expected = earlier.uptime + (later.at - earlier.at).total_seconds()
    return abs(later.uptime - expected) <= UPTIME_SLACK_SECONDS or earlier.uptime <= later.uptime <= expected
