"""Which channel is told what of an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mac_actors.core.outcomes import (
    Cleared,
    LockSet,
    OopsSet,
    Outcome,
    Rebooted,
    SessionEnded,
    SessionRefused,
    SessionStarted,
)
from mac_actors.core.state import Flag
from mac_actors.core.wording import full_text, public_text


class Channel(StrEnum):
    """Where notices go: the admins' private channel, or the public one."""

    CONTROL = "control"
    OOPS = "oops"


@dataclass(frozen=True, slots=True)
class Notice:
    """One post to be made."""

    channel: Channel
    text: str
    opens: str | None = None
    """The thread that this notice begins: an oops or a lock, until it is lifted."""
    closes: tuple[str, ...] = ()
    """The threads that this notice ends, the older first."""


def notices(outcome: Outcome) -> tuple[Notice, ...]:
    """Return what is posted where for this outcome (the table of the Slack contract)."""
    match outcome:
        case OopsSet(machine=machine, flag=flag):
            return _both(outcome, opens=thread(machine, "oops", flag))
        case LockSet(machine=machine, flag=flag):
            return _both(outcome, opens=thread(machine, "lock", flag))
        case Cleared(machine=machine, oops=oops, lock=lock):
            flags = [(word, flag) for word, flag in (("oops", oops), ("lock", lock)) if flag]
            flags.sort(key=lambda named: named[1].since)
            return _both(outcome, closes=tuple(thread(machine, word, flag) for word, flag in flags))
        case SessionStarted() | SessionRefused() | SessionEnded() | Rebooted():
            return (Notice(Channel.CONTROL, full_text(outcome)),)
        case _:
            return ()


def thread(machine: str, word: str, flag: Flag) -> str:
    """Return the key by which a set oops or lock and its end find each other: ``MACHINE oops|lock SINCE``."""
    return f"{machine} {word} {flag.since.isoformat()}"


def _both(outcome: Outcome, opens: str | None = None, closes: tuple[str, ...] = ()) -> tuple[Notice, ...]:
    return (
        Notice(Channel.CONTROL, full_text(outcome), opens, closes),
        Notice(Channel.OOPS, public_text(outcome), opens, closes),
    )
