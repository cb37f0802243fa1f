"""Outcomes in plain words, and which channel is told.

Two forms of one sentence: *full*, with names, for the control channel, the log and admins; *public*,
without any member's name, for the oops channel and for whoever reads the events without a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mac_actors.core.outcomes import (
    CardSeen,
    Cleared,
    Ended,
    EndReason,
    LockSet,
    OopsSet,
    Outcome,
    Person,
    PowerChanged,
    Rebooted,
    SessionEnded,
    SessionRefused,
    SessionStarted,
)
from mac_actors.core.state import Flag, Refusal, SecondDecision, SessionKind, Source


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


SOURCES = {
    Source.BUTTON: "the button at the machine",
    Source.SLACK: "Slack",
    Source.HTTP: "HTTP",
    Source.CLI: "the command line",
    Source.REPL: "the Python shell",
    Source.SERVER: "the server itself",
}

_REFUSALS = {
    Refusal.UNKNOWN: "the fob is unknown",
    Refusal.EXPIRED: "the membership has expired",
    Refusal.UNAUTHORIZED: "not authorized",
    Refusal.OOPSED: "the machine is oopsed",
    Refusal.LOCKED_OUT: "the machine is locked out for maintenance",
    Refusal.LATE: "the report had waited too long in the server",
    Refusal.STORAGE: "the server's disk is not keeping up",
    Refusal.TWO_READERS: "two boards report under this machine's name",
}

_SECOND = {
    SecondDecision.NONE: "",
    SecondDecision.GRANTED: ", second relay granted",
    SecondDecision.WARN: ", second relay WITHOUT authorization (warn only)",
    SecondDecision.ALWAYS_ENABLED: ", second relay always enabled",
    SecondDecision.DENIED: ", second relay denied",
}

_LOGINS = {
    SessionKind.AUTHORIZED: "logged in",
    SessionKind.WARN_ONLY: "logged in WITHOUT authorization (warn only)",
    SessionKind.OVERRIDE: "logged in by OVERRIDE of the oops or lock-out",
}


def kind(outcome: Outcome) -> str:
    """Return the one word by which journal, API and metrics call this outcome."""
    match outcome:
        case Cleared(oops=Flag(), lock=None):
            return "oops_cleared"
        case Cleared(oops=None):
            return "lock_cleared"
        case PowerChanged(on=on):
            return "power_on" if on else "power_off"
        case _:
            return _KINDS[type(outcome)]


_KINDS: dict[type[Outcome], str] = {
    SessionStarted: "session_started",
    SessionRefused: "session_refused",
    SessionEnded: "session_ended",
    CardSeen: "card_seen",
    Rebooted: "rebooted",
    OopsSet: "oops_set",
    LockSet: "lock_set",
    Cleared: "cleared",
}

KINDS = frozenset(_KINDS.values()) | {"oops_cleared", "lock_cleared", "power_on", "power_off"}
"""Every word that :func:`kind` returns."""


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


def full_text(outcome: Outcome) -> str:
    """Say what happened, with names."""
    return _about(outcome, names=True)


def public_text(outcome: Outcome) -> str:
    """Say what happened without any member's name."""
    return _about(outcome, names=False)


def _about(outcome: Outcome, *, names: bool) -> str:
    sentence = _sentence(outcome, names=names)
    return f"{outcome.display_name}{' ' if sentence.startswith('is ') else ': '}{sentence}"


def _sentence(outcome: Outcome, *, names: bool) -> str:
    match outcome:
        case SessionStarted(user=user, session=session, second=second):
            return f"{_who(user, names)} {_LOGINS[session]}{_SECOND[second]}."
        case SessionRefused(refusal=Refusal.UNKNOWN as refusal, fob=fob):
            shown = f"a card (fob ending in {fob[-4:]})" if names and fob else "a card"
            return f"{shown} was refused: {_REFUSALS[refusal]}."
        case SessionRefused(refusal=refusal, user=user):
            return f"{_who(user, names)} was refused: {_REFUSALS[refusal]}."
        case SessionEnded(ended=ended):
            return f"{_ended(ended, names)}."
        case CardSeen(user=user):
            return f"{_who(user, names)} inserted a card (the machine is always enabled)."
        case Rebooted(ended=ended, card_blocked=blocked):
            hint = " Its card must be taken out and put in again." if blocked else ""
            return f"the reader restarted.{_also(ended, names)}{hint}"
        case OopsSet(flag=flag, ended=ended):
            return f"is oopsed{_flag(flag, names)}.{_also(ended, names)}"
        case LockSet(flag=flag, ended=ended):
            return f"is locked out for maintenance{_flag(flag, names)}.{_also(ended, names)}"
        case Cleared():
            return _cleared(outcome, names)
        case PowerChanged(on=on):
            return f"power is {'on (it is' if on else 'off (it is no longer'} always enabled)."
        case _:
            raise TypeError(f"no wording for {type(outcome).__name__}: add it to mac_actors.core.wording")


def _cleared(outcome: Cleared, names: bool) -> str:
    lifted = " and ".join(word for word, flag in (("oopsed", outcome.oops), ("locked out", outcome.lock)) if flag)
    rest = ""
    if outcome.still_oopsed:
        rest = " It is still oopsed."
    elif outcome.still_locked:
        rest = " It is still locked out."
    elif outcome.power_on:
        rest = " Power is on."
    by_whom = origin(outcome.source, outcome.by if names else None, names)
    return f"is no longer {lifted}{by_whom}{_reason(outcome.reason)}.{rest}"


def _flag(flag: Flag, names: bool) -> str:
    return origin(flag.source, flag.by if names else None, names) + _reason(flag.reason)


def origin(source: Source, by: str | None, where: bool = True) -> str:
    """Say who did something, where that is told, and from where: ``, by Ann, from Slack``."""
    return (f", by {by}" if by else "") + (f", from {SOURCES[source]}" if where else "")


def _reason(reason: str | None) -> str:
    return f": {' '.join(reason.split()).rstrip('.')}" if reason else ""


def _who(user: Person | None, names: bool) -> str:
    if user is None:
        return "someone unknown"
    return user.full_name if names else "a member"


def _also(ended: Ended | None, names: bool) -> str:
    """The session that an oops, a lock or a reboot cut, beside it in its line; of interest to admins alone."""
    return f" {_ended(ended, names)}." if ended and names else ""


_END_REASONS = {
    EndReason.CARD_CHANGED: " (another card was inserted)",
    EndReason.MACHINE_REMOVED: " (the machine was removed from the configuration)",
    EndReason.RESTORED: " (the database was restored from a backup)",
}


def _ended(ended: Ended, names: bool) -> str:
    whose = f"{_who(ended.user, names)}'s"
    override = " override" if ended.kind is SessionKind.OVERRIDE else ""
    return f"{whose}{override} session ended after {duration(ended.seconds)}{_END_REASONS.get(ended.reason, '')}"


def count(number: int, noun: str) -> str:
    """Say how many: ``1 user``, ``2 users``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Say a length of time as people do: ``42 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min"
    return f"{hours // 24} d {hours % 24} h"
