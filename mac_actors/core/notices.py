"""What is posted of an outcome, and in which channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from mac_actors.core import outcomes as o
from mac_actors.core.outcomes import Outcome
from mac_actors.core.wording import full_text, public_text


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
    """One post to be made."""

    channel: Channel
    text: str
    opens: ThreadKey | None = None
    """The thread that this notice begins: an oops or a lock, until it is lifted."""
    closes: tuple[ThreadKey, ...] = ()
    """The threads that this notice ends, the older first."""


def notices(outcome: Outcome) -> tuple[Notice, ...]:
    """Return what is posted where for this outcome (the table of the Slack contract)."""
    match outcome:
        case o.OopsSet(machine=machine, flag=flag):
            return _both(outcome, opens=ThreadKey(machine, "oops", flag.since))
        case o.LockSet(machine=machine, flag=flag):
            return _both(outcome, opens=ThreadKey(machine, "lock", flag.since))
        case o.Cleared(machine=machine, oops=oops, lock=lock):
            keys = [ThreadKey(machine, word, flag.since) for word, flag in (("oops", oops), ("lock", lock)) if flag]
            return _both(outcome, closes=tuple(sorted(keys, key=lambda key: key.since)))
        case o.SessionStarted() | o.SessionRefused() | o.SessionEnded() | o.Rebooted():
            return (Notice(Channel.CONTROL, full_text(outcome)),)
        case _:
            return ()


def text_in(channel: Channel, outcome: Outcome) -> str:
    """Return what is posted of this outcome in this channel; of one that is posted in both."""
    return next(notice.text for notice in notices(outcome) if notice.channel is channel)


def _both(outcome: Outcome, opens: ThreadKey | None = None, closes: tuple[ThreadKey, ...] = ()) -> tuple[Notice, ...]:
    return (
        Notice(Channel.CONTROL, full_text(outcome), opens, closes),
        Notice(Channel.OOPS, public_text(outcome), opens, closes),
    )
