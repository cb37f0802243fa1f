"""Who owns the machines, told by clocks that nobody sets: no I/O, and every time is given.

The owner beats: it counts up a number in the database. Its lease is valid for 0.9 of the lease's seconds from *before*
it sent the last beat that was answered. A standby takes over when epoch and beat have stood still for all of these
seconds (the owner's or its own, where they differ: the longer), counted from when the answer was there that showed them
for the first time. So an owner knows that its lease is over before anybody may take it, however long a message was
under way and whatever was suspended in between; the tenth that is left is for clocks that run at different speeds.

All times are those of :func:`mac_actors.clock.seconds`, of one computer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VALID: Final = 0.9
"""The part of a lease for which a beat makes it valid."""

SKEW_NOTED: Final = 2.0
"""Seconds that a computer's clock may differ from the database's before it is said."""

SKEW_REFUSED: Final = 30.0
"""Seconds from which on a node does not own: uptimes are compared by the clock of one computer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The lease as it stands in the database."""

    epoch: int
    beat: int
    released: bool
    alone: bool
    """The owner was the only node when it sent this beat: it keeps its lease while the database is away."""
    owner: str
    incarnation: str
    server: str
    """Which run of which database server was asked. Another one may have lost beats that were answered."""
    seconds: float
    """Those of the owner's lease; 0: nobody has had one yet."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat as it is sent."""

    epoch: int
    number: int
    alone: bool
    sent: float
    sure: bool
    """It must not be lost, even if the database's computer fails: it is the first of those that say ``alone``."""


@dataclass(frozen=True, slots=True)
class _Held:
    epoch: int
    until: float
    alone: bool = False


class Lease:
    """What one node knows of the lease of ``seconds``. One thread changes it; any may ask whether it is :meth:`valid`.

    ``incarnation`` is this process's own; ``owner`` is its URL, "" where it is to be the only one.
    """

    def __init__(self, seconds: float, incarnation: str, owner: str) -> None:
        self.seconds = seconds
        self.incarnation = incarnation
        self.owner = owner
        self._held: _Held | None = None
        self._seen: Seen | None = None
        self._since = 0.0
        self._number = 0
        self._others = 1  # as long as nobody has counted, there may be some

    # for the owner

    @property
    def epoch(self) -> int | None:
        """The epoch that this node owns, as far as it knows; ``None``: it owns nothing."""
        held = self._held
        return held.epoch if held else None

    def valid(self, now: float) -> bool:
        """Whether this node may switch something on now."""
        held = self._held
        return held is not None and (held.alone or now < held.until)

    def left(self, now: float) -> float:
        """Return for how many seconds it may yet, if it hears nothing more."""
        held = self._held
        return 0.0 if held is None else self.seconds * VALID if held.alone else max(0.0, held.until - now)

    def taken(self, epoch: int, sent: float) -> None:
        """Own ``epoch``: the database has answered a takeover that was sent at ``sent``."""
        self._number, self._others = 0, 1
        self._held = _Held(epoch, sent + VALID * self.seconds)

    def next_beat(self, now: float) -> Beat | None:
        """Return the beat that is to be sent now; ``None``: this node owns nothing."""
        if (held := self._held) is None:
            return None
        self._number += 1
        alone = not self._others
        return Beat(held.epoch, self._number, alone, now, alone and not held.alone)

    def beaten(self, beat: Beat, others: int) -> None:
        """The database has taken a beat; ``others`` is the number of other nodes that it knows."""
        if (held := self._held) is None or (held.epoch, self._number) != (beat.epoch, beat.number):
            return
        self._others = others
        until = max(held.until, beat.sent + VALID * self.seconds)
        self._held = _Held(held.epoch, until, beat.alone and not others)

    def lost(self) -> None:
        """Own nothing more: somebody else has taken over, or this node lets go."""
        self._held = self._seen = None

    # for a standby

    def look(self, seen: Seen, answered: float) -> None:
        """Take note of what the database showed; the answer was there at ``answered``."""
        if seen != self._seen:
            self._seen, self._since = seen, answered

    def blind(self) -> None:
        """Forget what was seen: the connection is lost, and beats that were answered may be, too."""
        self._seen = None

    @property
    def patience(self) -> float:
        """For how many seconds the owner may be silent: those of its lease, or this node's where they are more."""
        seen = self._seen
        return max(self.seconds, seen.seconds if seen else 0.0)

    @property
    def differs(self) -> float | None:
        """The seconds of the lease that another node has, where they are not this one's."""
        seen = self._seen
        if seen is None or self._held or seen.released or seen.seconds == self.seconds:
            return None
        return seen.seconds

    def silent(self, now: float) -> float:
        """Return for how long the owner has been silent, as far as this node has seen."""
        return 0.0 if self._seen is None else max(0.0, now - self._since)

    def may_take(self, now: float, *, gone: bool = False) -> Seen | None:
        """Return what must still be so in the database for this node to take over now; ``None``: it may not.

        ``gone``: the owner's own address was asked, and its computer says that no server is there. Needed where the
        owner had no other node beside it: it keeps its lease while it does not reach the database.
        """
        seen = self._seen
        if seen is None or self._held is not None:
            return None
        if seen.released or seen.incarnation == self.incarnation:
            return seen  # nobody else can own that epoch: ours may be one whose answer was lost
        if self.silent(now) < self.patience:
            return None
        return seen if gone or not seen.alone or seen.owner in {"", self.owner} else None
