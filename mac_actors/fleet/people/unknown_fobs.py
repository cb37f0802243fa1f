"""The unknown fobs that were held to readers lately, with their whole number: for admins and trainers alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mac_actors.core.config import Directory
from mac_actors.core.outcomes import CardSeen, Outcome, SessionRefused
from mac_actors.core.readable import Readable
from mac_actors.core.state import Refusal

KEPT, KEPT_FOR = 100, timedelta(hours=24)
"""The last so many of so long."""

KINDS = ("card_seen", "session_refused")
"""The lines of the journal that have them."""

JUST_SEEN = timedelta(minutes=10)
"""What was seen so lately can be given to somebody by its machine, and by trainers."""


@dataclass(frozen=True, slots=True, repr=False)
class UnknownFob(Readable):
    """One of them, and where and when it was seen last."""

    code: str = field(repr=False)
    machine: str
    display_name: str
    at: datetime


class UnknownFobs:
    """Takes outcomes from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], UnknownFob] = OrderedDict()

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Keep what unknown fobs are in these outcomes, which come in their order. Never blocks."""
        for outcome in outcomes:
            if not _is_unknown(outcome) or outcome.machine is None:
                continue
            seen = UnknownFob(outcome.fob, outcome.machine, outcome.display_name, outcome.at)
            with self._lock:
                self._seen.pop((seen.code, seen.machine), None)
                self._seen[seen.code, seen.machine] = seen
                while len(self._seen) > KEPT:
                    self._seen.popitem(last=False)

    def of(self, directory: Directory, now: datetime) -> list[UnknownFob]:
        """Return those that are still unknown, the newest first."""
        with self._lock:
            seen = list(self._seen.values())
        return [one for one in reversed(seen) if now - one.at <= KEPT_FOR and directory.find(one.code) is None]

    def forget(self, fobs: Collection[str]) -> None:
        """Remove these fobs."""
        with self._lock:
            for key in [key for key in self._seen if key[0] in fobs]:
                del self._seen[key]


def _is_unknown(outcome: Outcome) -> bool:
    match outcome:
        case SessionRefused(refusal=Refusal.UNKNOWN, fob=fob) | CardSeen(user=None, fob=fob):
            return bool(fob)
        case _:
            return False
