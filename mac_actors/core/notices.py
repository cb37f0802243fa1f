"""What is posted of an outcome, and in which channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from mac_actors.core import outcomes as o
from mac_actors.core.config import MachineConfig
from mac_actors.core.outcomes import Outcome, Person
from mac_actors.core.routing import Mode, Routing
from mac_actors.core.state import Flag, MachineState, Refusal
from mac_actors.core.wording import details_text, end_text, full_text, lock_text, public_text, summary_text


class Channel(StrEnum):
    """Where notices go: the admins' private channel, the public one, or one member alone."""

    CONTROL = "control"
    OOPS = "oops"
    DIRECT = "direct"


def oops_channel(slack_id: str | None = None) -> str:
    """Return the address of the public notices of machines that have a channel of their own; ``None``: they have none.

    As all addresses of notices it begins with the :class:`Channel`.
    """
    return f"{Channel.OOPS}:{slack_id}" if slack_id else Channel.OOPS


def member(slack_id: str) -> str:
    """Return the address of direct messages to a Slack user."""
    return f"{Channel.DIRECT}:{slack_id}"


def account(account_id: str) -> str:
    """Return the address of direct messages to the Slack user who is this account, if there is one who wants them."""
    return f"{Channel.DIRECT}:@{account_id}"


def channel_of(address: str) -> tuple[Channel, str]:
    """Return what an address consists of: which channel it is, and the rest."""
    channel, _, rest = address.partition(":")
    return Channel(channel), rest


def notifier_of(address: str) -> str:
    """Return the address of whoever posts what goes to ``address``: all direct messages are sent by one."""
    return Channel.DIRECT if address.startswith(f"{Channel.DIRECT}:") else address


MAINTENANCE, FOB, AUTHORIZATION = "maintenance", "fob", "authorization"
"""What else a notice has buttons for, in its key: maintenance that is due, an unknown fob, a missing authorization."""


@dataclass(frozen=True, slots=True)
class ThreadKey:
    """By this an oops or a lock and its end find each other; ``flag`` is ``oops`` or ``lock``. The buttons of other
    notices have a key like it: with :data:`MAINTENANCE`, due since then, or with :data:`FOB` or :data:`AUTHORIZATION`,
    of a refusal at that moment.

    As text, on disk and in the buttons of a post, it is ``MACHINE FLAG SINCE``.
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
    """One post to be made, or one event to be sent: then ``channel`` is a webhook's, and there is no text.

    Else ``channel`` is the address of a channel of the chat, or of a member.
    """

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
    asks: ThreadKey | None = None
    """What it has buttons for without beginning a thread: an oops, a lock, maintenance that is due, or a refusal."""
    due: datetime | None = None
    """Until when it is held; ``None``: it is to be posted at once."""

    @property
    def is_public(self) -> bool:
        """Whether it is for everybody."""
        return channel_of(self.channel)[0] is Channel.OOPS


@dataclass(frozen=True, slots=True)
class Standing:
    """What the post of an oops or a lock shows beneath its text; ``locked``: of an oops, that there is a lock, too."""

    lines: tuple[str, ...] = ()
    locked: bool = False
    over: bool = False


def standing(channel: str, key: ThreadKey, state: MachineState | None, cleared: o.Cleared | None) -> Standing:
    """Return how an oops or a lock stands: what ended it, else what was said of it since."""
    names = channel == Channel.CONTROL
    if cleared:
        return Standing((end_text(key.since, cleared, names=names),), over=True)
    flag = (state.oops if key.flag == "oops" else state.lock) if state else None
    if state is None or flag is None or flag.since != key.since:
        return Standing()
    lock = state.lock if key.flag == "oops" else None
    details = details_text(state.details, names=names) if state.details else ""
    lines = (f"{details[:1].upper()}{details[1:]}." if details else "", lock_text(lock, names=names) if lock else "")
    return Standing(tuple(filter(None, lines)), locked=lock is not None)


def notices(
    outcome: Outcome, state: MachineState | None = None, config: MachineConfig | None = None
) -> tuple[Notice, ...]:
    """Return what is posted where for this outcome (the table of the Slack contract).

    ``state`` is the machine's after it: while it is oopsed or locked, all is posted in the thread that tells of that.
    ``config`` says which oops channel it has, and what it asks of users.
    """
    found = _notices(outcome, state)
    if config is None:
        return found
    if config.slack_channel:
        found = tuple(replace(n, channel=oops_channel(config.slack_channel)) if n.is_public else n for n in found)
    return found + _to_the_refused(outcome, config)


def route(notice: Notice, kind: str, at: datetime, routing: Routing) -> Notice | None:
    """Return the notice of something of this ``kind`` that happened ``at``, as it is to be posted, if at all.

    What belongs to an incident goes into its thread, and so disturbs nobody: a line there is neither held nor left out.
    """
    channel, _ = channel_of(notice.channel)
    if channel is Channel.DIRECT or (channel is Channel.CONTROL and notice.within):
        return notice
    mode = routing.lines.get(kind, Mode.NOW) if channel is Channel.CONTROL else Mode.NOW
    if mode is Mode.OFF:
        return None
    due = routing.next_digest(at) if mode is Mode.DIGEST else None
    period = routing.quiet.period(due or at) if routing.quiet else None
    if routing.quiet and period:
        held = routing.quiet.oops if notice.is_public else routing.quiet.control
        # what follows upon a held notice comes after it
        follows = (key for key in (*notice.closes, *notice.within) if f"{key.flag}_set" in held)
        if kind in held or any(key.since >= period[0] for key in follows):
            due = period[1]
    return replace(notice, due=due) if due else notice


def _to_the_refused(outcome: Outcome, config: MachineConfig) -> tuple[Notice, ...]:
    """Tell somebody who was refused which authorization is missing."""
    match outcome:
        case o.SessionRefused(refusal=Refusal.UNAUTHORIZED, user=Person(account_id=account_id)) if account_id:
            wanted = sorted(config.authorizations_or)
            needed = f"the authorization {wanted[0]}" if len(wanted) == 1 else f"one of {', '.join(wanted)}"
            text = f"{outcome.display_name} did not start with your fob. It needs {needed}, which you don't have yet."
            return (Notice(account(account_id), text),) if wanted else ()
        case _:
            return ()


def _notices(outcome: Outcome, state: MachineState | None) -> tuple[Notice, ...]:
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
        case o.MaintenanceDue(machine=machine, what=what):
            since = next((kept.due for kept in state.maintenance if kept.what == what), None) if state else None
            asks = ThreadKey(machine, MAINTENANCE, since) if since else None
            return (Notice(Channel.CONTROL, full_text(outcome), within=within, asks=asks),)
        case o.SessionStarted() | o.SessionEnded() | o.OverTime() | o.MaintenanceDone() | o.Rebooted() | o.Reported():
            return (Notice(Channel.CONTROL, full_text(outcome), within=within),)
        case o.SessionRefused():
            return (Notice(Channel.CONTROL, full_text(outcome), within=within, asks=_asks(outcome)),)
        case o.UserChanged():
            return (Notice(Channel.CONTROL, full_text(outcome)),)
        case _:
            return ()


def _asks(refused: o.SessionRefused) -> ThreadKey | None:
    """Return the key of what admins can do about a refusal, if there is anything."""
    match refused:
        case o.SessionRefused(refusal=Refusal.UNKNOWN, fob=fob) if fob:
            return ThreadKey(refused.machine, FOB, refused.at)
        case o.SessionRefused(refusal=Refusal.UNAUTHORIZED, user=Person(account_id=account_id)) if account_id:
            return ThreadKey(refused.machine, AUTHORIZATION, refused.at)
        case _:
            return None


def text_in(address: str, outcome: Outcome) -> str:
    """Return what is posted of this outcome in this channel; of one that is posted in both."""
    channel, _ = channel_of(address)
    return next(notice.text for notice in notices(outcome) if notice.channel == channel)


def _keys(machine: str, oops: Flag | None, lock: Flag | None) -> tuple[ThreadKey, ...]:
    keys = [ThreadKey(machine, word, flag.since) for word, flag in (("oops", oops), ("lock", lock)) if flag]
    return tuple(sorted(keys, key=lambda key: key.since))


def _both(
    outcome: Outcome,
    opens: ThreadKey | None = None,
    closes: tuple[ThreadKey, ...] = (),
    within: tuple[ThreadKey, ...] = (),
) -> tuple[Notice, ...]:
    full: str = full_text(outcome)
    public: str = public_text(outcome)
    if isinstance(outcome, o.Cleared):
        full, public = (
            f"{text} {summary_text(outcome, names=names)}".rstrip() for text, names in ((full, True), (public, False))
        )
    within = tuple(key for key in within if key != opens)
    return (
        Notice(Channel.CONTROL, full, opens, closes, within),
        Notice(Channel.OOPS, public, opens, closes, within),
    )
