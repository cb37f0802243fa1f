"""A card that comes and goes all the time, as one does that is loose in its reader: said once, not each time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mac_actors.core.outcomes import Outcome, SessionEnded, SessionRefused, SessionStarted

AT_MOST, WITHIN_SECONDS = 6, 60.0
"""So often in this time may one card be put in before it is taken for a loose one."""


@dataclass
class Flapping:
    """Watches the outcomes of one machine. Not part of its state: a restart of the server forgets it."""

    active: bool = False
    count: int = 0
    """How often the card was put in since then."""
    _fob: str | None = None
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=AT_MOST))

    def hides(self, outcome: Outcome, now: float) -> bool:
        """Take an outcome at ``now`` (seconds) into account; returns whether the journal alone is to have it."""
        if isinstance(outcome, SessionStarted | SessionRefused):
            if outcome.fob != self._fob:
                self._fob, self.active = outcome.fob, False
                self._times.clear()
            elif not self.active and len(self._times) == AT_MOST and now - self._times[0] <= WITHIN_SECONDS:
                self.active, self.count = True, AT_MOST
            self._times.append(now)
            self.count += 1
        return self.active and isinstance(outcome, SessionStarted | SessionRefused | SessionEnded)

    def is_over(self, now: float) -> bool:
        """Whether the card has just been quiet for long enough; true once."""
        over = self.active and now - self._times[-1] > WITHIN_SECONDS
        if over:
            self.active = False
            self._times.clear()
        return over
