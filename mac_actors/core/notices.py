"""What is posted of an outcome, and in which channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from mac_actors.core import outcomes as o
from mac_actors.core.outcomes import Outcome
from mac_actors.core.state import Flag, MachineState
from mac_actors.core.wording import details_text, end_text, full_text, lock_text, public_text, summary_text


class Channel(StrEnum):
    """Where notices go: the admins' private channel, or the public one."""

    CONTROL = "control"
    OOPS = "oops"


@dataclass(frozen=True, slots=True)
class ThreadKey:
    """By this an oops or a lock and its end find each other; ``flag`` is ``oops`` or ``lock``.

    As text, on disk and in the buttons of a post, it is ``MACHINE oops|lock SINCE``.
    """

    machine: str
    flag: str
    since: datetime

    def __str__(self) -> str:
        """Return the text."""
        return f"{self.machine} {self.flag} {self.since.isoformat()}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the text back; ``None``: it is no such key."""
        try:
            machine, flag, since = text.split(" ")
            return cls(machine, flag, datetime.fromisoformat(since))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Notice:
    """One post to be made, or one event to be sent: then ``channel`` is a webhook's, and there is no text."""

    channel: str
    text: str
    opens: ThreadKey | None = None
    """The thread that this notice begins: an oops or a lock, until it is lifted."""
    closes: tuple[ThreadKey, ...] = ()
    """The threads that this notice ends, the older first."""
    within: tuple[ThreadKey, ...] = ()
    """The threads of what goes on at the machine, the older first: the notice is posted in one of them, and their first
    posts show how it stands.
    """


@dataclass(frozen=True, slots=True)
class Standing:
    """What the post of an oops or a lock shows beneath its text; ``locked``: of an oops, that there is a lock, too."""

    lines: tuple[str, ...] = ()
    locked: bool = False
    over: bool = False


def standing(channel: Channel, key: ThreadKey, state: MachineState | None, cleared: o.Cleared | None) -> Standing:
    """Return how an oops or a lock stands: what ended it, else what was said of it since."""
    names = channel is Channel.CONTROL
    if cleared:
        return Standing((end_text(key.since, cleared, names=names),), over=True)
    flag = (state.oops if key.flag == "oops" else state.lock) if state else None
    if state is None or flag is None or flag.since != key.since:
        return Standing()
    lock = state.lock if key.flag == "oops" else None
    details = details_text(state.details, names=names) if state.details else ""
    lines = (f"{details[:1].upper()}{details[1:]}." if details else "", lock_text(lock, names=names) if lock else "")
    return Standing(tuple(filter(None, lines)), locked=lock is not None)


def notices(outcome: Outcome, state: MachineState | None = None) -> tuple[Notice, ...]:
    """Return what is posted where for this outcome (the table of the Slack contract).

    ``state`` is the machine's after it: while it is oopsed or locked, all is posted in the thread that tells of that.
    """
    within = _keys(outcome.machine, state.oops, state.lock) if state and outcome.machine else ()
    match outcome:
        case o.OopsSet(machine=machine, flag=flag):
            return _both(outcome, ThreadKey(machine, "oops", flag.since), within=within)
        case o.LockSet(machine=machine, flag=flag):
            return _both(outcome, ThreadKey(machine, "lock", flag.since), within=within)
        case o.LockPending() | o.PendingCleared() | o.DetailsAdded():
            return _both(outcome, within=within)
        case o.Cleared(machine=machine, oops=oops, lock=lock):
            return _both(outcome, closes=_keys(machine, oops, lock), within=within)
        case (
            o.SessionStarted()
            | o.SessionRefused()
            | o.SessionEnded()
            | o.OverTime()
            | o.MaintenanceDue()
            | o.MaintenanceDone()
            | o.Rebooted()
            | o.Reported()
        ):
            return (Notice(Channel.CONTROL, full_text(outcome), within=within),)
        case o.UserChanged():
            return (Notice(Channel.CONTROL, full_text(outcome)),)
        case _:
            return ()


def text_in(channel: Channel, outcome: Outcome) -> str:
    """Return what is posted of this outcome in this channel; of one that is posted in both."""
    return next(notice.text for notice in notices(outcome) if notice.channel is channel)


def _keys(machine: str, oops: Flag | None, lock: Flag | None) -> tuple[ThreadKey, ...]:
    keys = [ThreadKey(machine, word, flag.since) for word, flag in (("oops", oops), ("lock", lock)) if flag]
    return tuple(sorted(keys, key=lambda key: key.since))


def _both(
    outcome: Outcome,
    opens: ThreadKey | None = None,
    closes: tuple[ThreadKey, ...] = (),
    within: tuple[ThreadKey, ...] = (),
) -> tuple[Notice, ...]:
    full, public = full_text(outcome), public_text(outcome)
    if isinstance(outcome, o.Cleared):
        full, public = (
            f"{text} {summary_text(outcome, names=names)}".rstrip() for text, names in ((full, True), (public, False))
        )
    within = tuple(key for key in within if key != opens)
    return (
        Notice(Channel.CONTROL, full, opens, closes, within),
        Notice(Channel.OOPS, public, opens, closes, within),
    )
