"""What slack.json says: which notices are posted at once, which are held for a while, and which not at all.

:func:`.notices.route` goes by it. Times of day are the shop's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

SERVER = "server"
"""The kind of a line of the server's own: readers that fall silent, actors that are restarted, and the like."""

USUAL = ("session_started", "session_refused", "session_ended", "rebooted")
"""Kinds of line of the control channel that are no news: unless it is said otherwise, quiet hours hold these."""

LINES = (*USUAL, "over_time", SERVER)
"""Kinds of line that go to the control channel alone."""

FLAGS = (
    *("oops_set", "lock_set", "lock_pending", "lock_pending_cleared", "details"),
    *("oops_cleared", "lock_cleared", "cleared"),
)
"""Kinds of notice that go to both channels."""


class Mode(StrEnum):
    """What becomes of a line of the control channel."""

    NOW = "now"
    DIGEST = "digest"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From when until when the notices of some kinds are held, in each channel. ``until`` may be on the next day."""

    start: time
    until: time
    control: frozenset[str] = frozenset(USUAL)
    oops: frozenset[str] = frozenset()

    def period(self, at: datetime) -> tuple[datetime, datetime] | None:
        """Return the quiet period that ``at`` is in; ``None``: it is in none."""
        now = at.astimezone().replace(tzinfo=None)
        for day in (now.date(), now.date() - timedelta(days=1)):
            start, end = datetime.combine(day, self.start), datetime.combine(day, self.until)
            if end <= start:
                end += timedelta(days=1)
            if start <= now < end:
                return start.astimezone(UTC), end.astimezone(UTC)
        return None


@dataclass(frozen=True, slots=True)
class Routing:
    """What slack.json says; without that file all is posted at once, and nobody is reminded."""

    lines: Mapping[str, Mode] = field(default_factory=dict)
    """What becomes of lines of the control channel, by kind; those that are not in it are posted at once."""
    digest_minutes: int = 60
    quiet: QuietHours | None = None
    remind_after: Mapping[str, timedelta] = field(default_factory=dict)
    """After how long it is asked whether an ``oops`` or a ``lock`` is to stay, and how often again."""

    def is_quiet(self, at: datetime) -> bool:
        """Whether quiet hours are on."""
        return self.quiet is not None and self.quiet.period(at) is not None

    def next_digest(self, at: datetime) -> datetime:
        """Return the end of the stretch of :attr:`digest_minutes` that ``at`` is in; the first begins at midnight."""
        now = at.astimezone().replace(tzinfo=None)
        midnight = datetime.combine(now.date(), time())
        step = timedelta(minutes=self.digest_minutes)
        end = midnight + ((now - midnight) // step + 1) * step
        return min(end, midnight + timedelta(days=1)).astimezone(UTC)


AT_ONCE = Routing()
"""Without slack.json."""
