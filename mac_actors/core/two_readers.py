"""Two readers that report under one name: which of them holds the card can't be known, so nothing may start.

The uptime of one reader only grows, or falls back when it restarts; the number of its boot is another one after each
restart; its address hardly ever changes. What comes back to where it was before comes from two readers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mac_actors.core.reports import UPTIME_SLACK_SECONDS
from mac_actors.core.state import Telemetry

WITHIN_SECONDS = 60.0
"""So many returns in this time are no chance; once it has passed without them, the other reader is gone."""

RETURNS = 2
"""So often must a reader have come back after another one."""


class _Report(NamedTuple):
    at: float
    uptime: float | None
    boot: int | None
    address: str | None


@dataclass
class TwoReaders:
    """Watches one machine's reports. Not part of its state: a restart of the server forgets it, and sees it anew."""

    _last: list[_Report] = field(default_factory=list)
    _returns: list[float] = field(default_factory=list)

    def seen(self, at: float, telemetry: Telemetry, address: str | None) -> bool:
        """Take a report into account, which came ``at`` (seconds); returns whether two readers report now."""
        report = _Report(at, telemetry.uptime, telemetry.boot, address)
        if len(self._last) == 2:
            before, between = self._last
            if at - before.at <= WITHIN_SECONDS and _same_reader(before, report) and _is_return(between, report):
                self._returns.append(at)
        if not self._last or not _same_reader(self._last[-1], report):
            self._last = [*self._last[-1:], report]
        else:
            self._last[-1] = report
        self._returns = [moment for moment in self._returns[-RETURNS:] if at - moment <= WITHIN_SECONDS]
        return len(self._returns) >= RETURNS


def _same_reader(earlier: _Report, later: _Report) -> bool:
    """Whether two reports can be of one reader that did not restart between them."""
    if earlier.address != later.address:
        return False
    if earlier.boot is not None and later.boot is not None:
        return earlier.boot == later.boot
    if earlier.uptime is None or later.uptime is None:
        return True  # a reader has no uptime at its start: that tells nothing
    expected = earlier.uptime + later.at - earlier.at
    return abs(later.uptime - expected) <= UPTIME_SLACK_SECONDS or earlier.uptime <= later.uptime <= expected


def _is_return(earlier: _Report, later: _Report) -> bool:
    """Whether the later report is of another reader; where uptimes alone tell them apart, one that started before."""
    if _same_reader(earlier, later):
        return False
    if earlier.address != later.address or earlier.boot != later.boot or earlier.uptime is None or later.uptime is None:
        return True
    return later.uptime - earlier.uptime > later.at - earlier.at
