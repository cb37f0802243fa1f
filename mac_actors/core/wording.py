"""Outcomes in plain words, and which channel is told.

Two forms of one sentence: *full*, with names, for the control channel, the log and admins; *public*,
without any member's name, for the oops channel and for whoever reads the events without a token.
"""

from __future__ import annotations

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
from mac_actors.core.text import duration

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
    return (user.full_name or "someone") if names else "a member"


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
