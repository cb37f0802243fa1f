"""Outcomes in plain words.

Two forms of one sentence: *full*, with names, for the control channel, the log and admins; *public*,
without any member's name, for the oops channel and for whoever reads the events without a token.
"""

from __future__ import annotations

from datetime import datetime

from mac_actors.core import outcomes as o
from mac_actors.core.outcomes import Outcome
from mac_actors.core.redaction import MEMBER
from mac_actors.core.state import Details, Flag, Refusal, SecondDecision, SessionKind, Source
from mac_actors.core.text import duration, local_time, one_line

SOURCES = {
    Source.BUTTON: "the button at the machine",
    Source.SLACK: "Slack",
    Source.HTTP: "HTTP",
    Source.BOARD: "the board",
    Source.CLI: "the command line",
    Source.REPL: "the Python shell",
    Source.MQTT: "MQTT",
    Source.MAINTENANCE: "the maintenance plan",
    Source.SERVER: "the server itself",
}

_REFUSALS = {
    Refusal.UNKNOWN: "the fob is unknown",
    Refusal.EXPIRED: "the membership has expired",
    Refusal.UNAUTHORIZED: "not authorized",
    Refusal.OOPSED: "the machine is oopsed",
    Refusal.LOCKED_OUT: "the machine is locked out for maintenance",
    Refusal.LATE: "the report had waited too long in the server",
    Refusal.GAP: "the reader had not reported for a while, so the card may be out by now",
    Refusal.STORAGE: "the server's disk is not keeping up",
    Refusal.TWO_READERS: "two boards report under this machine's name",
    Refusal.MOVING: "another server was taking over at that moment",
}

_SECOND = {
    SecondDecision.NONE: "",
    SecondDecision.GRANTED: ", {} granted",
    SecondDecision.WARN: ", {} WITHOUT authorization (warn only)",
    SecondDecision.ALWAYS_ENABLED: ", {} always on",
    SecondDecision.DENIED: ", NOT authorized for {}",
}

_LOGINS = {
    SessionKind.AUTHORIZED: "logged in",
    SessionKind.WARN_ONLY: "logged in WITHOUT authorization (warn only)",
    SessionKind.OVERRIDE: "logged in by OVERRIDE of the oops or lock-out",
    SessionKind.OFFLINE: "logged in without the server",
}


def full_text(outcome: Outcome) -> str:
    """Say what happened, with names."""
    found, ended = outcome.origin, outcome.ended_session
    by = origin(found.source, _who_did(found)) if found else ""
    return _about(outcome, by, f" {_ended(ended, names=True)}." if ended else "", names=True)


def public_text(outcome: Outcome) -> str:
    """Say what happened without any member's name, and without what is of interest to admins alone."""
    return _about(outcome, "", "", names=False)


def summary_text(cleared: o.Cleared, *, names: bool) -> str:
    """Say for how long a machine was out of use, and why; empty while it still is, or if it was not."""
    if cleared.still_oopsed or cleared.still_locked or isinstance(cleared, o.PendingCleared):
        return ""
    flags = sorted((flag.since, word, flag) for word, flag in _lifted(cleared))
    told = (f"{word}{origin(flag.source, flag.by) if names else ''}{_reason(flag, names)}" for _, word, flag in flags)
    began = min(flag.begins for _, _, flag in flags)
    return f"Out of use for {_lasted(began, cleared)}: {'; '.join(told)}."


def _lifted(cleared: o.Cleared) -> list[tuple[str, Flag]]:
    return [(word, flag) for word, flag in (("oopsed", cleared.oops), ("locked out", cleared.lock)) if flag]


def _lasted(since: datetime, cleared: o.Cleared) -> str:
    return duration(max(0.0, (cleared.at - since).total_seconds()))


def _about(outcome: Outcome, by: str, also: str, *, names: bool) -> str:
    if isinstance(outcome, o.UserChanged):
        return f"{_changed(outcome, names)}{by}{_reason(outcome, names)}."
    sentence = _sentence(outcome, by, also, names)
    return f"{outcome.display_name}{' ' if sentence.startswith(('is ', 'will ')) else ': '}{sentence}"


def _sentence(outcome: Outcome, by: str, also: str, names: bool) -> str:  # noqa: PLR0912 - one for each outcome
    """Return the sentence; ``by``: who did it from where, ``also``: the session that it ended, where they are said."""
    match outcome:
        case o.SessionStarted(user=user, session=session, second=second, second_alias=alias):
            return f"{_who(user, names)} {_LOGINS[session]}{_SECOND[second].format(alias or 'second relay')}."
        case o.SessionRefused(refusal=refusal, also=others, user=user, fob=fob):
            who = _who(user, names)
            if refusal is Refusal.UNKNOWN:
                who = f"a card (fob ending in {fob[-4:]})" if fob and names else "a card"
            return f"{who} was refused: {'; '.join(_REFUSALS[why] for why in (refusal, *others))}."
        case o.SessionEnded(ended=ended):
            return f"{_ended(ended, names)}."
        case o.CardSeen(user=user):
            return f"{_who(user, names)} inserted a card (the machine is always enabled)."
        case o.Rebooted(card_blocked=blocked):
            hint = " Its card must be taken out and put in again." if blocked else ""
            return f"the reader restarted.{also}{hint}"
        case o.OopsSet(flag=flag, card=card) | o.LockSet(flag=flag, card=card):
            what = "oopsed" if isinstance(outcome, o.OopsSet) else "locked out for maintenance"
            return f"is {what}{by}{_reason(flag, names)}.{also}{_in_reader(card, names)}"
        case o.LockPending(flag=flag, user=user):
            until = f" {_who(user, names)}'s session goes on." if names else ""
            return f"will be locked out for maintenance once it is free{by}{_reason(flag, names)}.{until}"
        case o.DetailsAdded(details=details):
            return f"details{by}{_reason(details, names)}. {details.severity.capitalize()}."
        case o.Cleared():
            return _cleared(outcome, by, names)
        case o.PowerChanged(on=on):
            return f"power is {'on (it is' if on else 'off (it is no longer'} always enabled)."
        case o.Reported(text=text, by=who):
            return _problem(text, who) if names else "a problem was reported."
        case _:
            return _more(outcome, by, names)


def _more(outcome: Outcome, by: str, names: bool) -> str:
    """Return the sentence of what the configuration of a machine asks for."""
    match outcome:
        case o.OverTime(user=user, limit=limit):
            return f"{_who(user, names)} has used it for {duration(limit)}, the limit. Power stays on."
        case o.MaintenanceDue(what=what, hours=hours):
            return f"maintenance is due after {hours:.0f} h: {one_line(what).rstrip('.')}."
        case o.MaintenanceDone(what=what, hours=hours):
            return f"maintenance was done after {hours:.1f} h{by}: {one_line(what).rstrip('.')}."
        case _:
            raise TypeError(f"no wording for {type(outcome).__name__}: add it to mac_actors.core.wording")


def _changed(outcome: o.UserChanged, names: bool) -> str:
    who, fob = _who(outcome.user, names), ""
    if outcome.fob and names:
        fob = f" (ending in {outcome.fob[-4:]})"
    match outcome:
        case o.FobGiven():
            return f"{who} was given a fob{fob}"
        case o.FobTaken():
            return f"{who}'s fob{fob} counts no more"
        case o.AuthorizationGranted(authorization=authorization, until=until):
            return f"{who} is authorized for {authorization}{f' until {until}' if until else ''}"
        case o.AuthorizationWithdrawn(authorization=authorization, until=until):
            return f"{who} is not authorized for {authorization} {f'until {until}' if until else 'any more'}"
        case _:
            return f"{who} was added to the users"


def _who_did(found: Flag | o.Cleared | o.UserChanged) -> str | None:
    return named(found.by, confirmed=found.confirmed) if isinstance(found, o.UserChanged) else found.by


def named(by: str | None, *, confirmed: bool) -> str | None:
    """Return who changed a user; the name that came along with the admins' token is in brackets."""
    if confirmed:
        return by
    return f"an admin ({by})" if by else "an admin"


def _problem(text: str, by: str | None) -> str:
    said = f": {one_line(text).rstrip('.')}" if text else ""
    return f"a problem was reported{f', by {by}' if by else ''}{said}."


def _cleared(outcome: o.Cleared, by: str, names: bool) -> str:
    if isinstance(outcome, o.PendingCleared):
        return f"will not be locked out for maintenance after all{by}{_reason(outcome, names)}."
    lifted = " and ".join(word for word, _ in _lifted(outcome))
    rest = ""
    if outcome.still_oopsed:
        rest = " It is still oopsed."
    elif outcome.still_locked:
        rest = " It is still locked out."
    elif outcome.power_on:
        rest = " Power is on."
    pending = ", nor will it be locked out once it is free" if outcome.pending else ""
    return f"is no longer {lifted}{pending}{by}{_reason(outcome, names)}.{rest}"


def end_text(since: datetime, cleared: o.Cleared, *, names: bool) -> str:
    """Say in the notice of an oops or lock of ``since`` how it ended: who, after how long, when, why."""
    when = f"after {_lasted(since, cleared)}, {local_time(cleared.at)}"
    return f"Cleared{_by(cleared, names)} {when}{_reason(cleared, names)}."


def lock_text(lock: Flag, *, names: bool) -> str:
    """Say in the notice of an oops that the machine is locked out, too: ``Locked out by Ann.``"""
    return f"Locked out{_by(lock, names)}."


def details_text(details: Details, *, names: bool) -> str:
    """Say what is wrong with a machine, and how bad it is: ``usable with care, by Ann: bearing is loud``."""
    by = f", by {details.by}" if names and details.by else ""
    return f"{details.severity}{by}{_reason(details, names)}"


def _by(origin: Flag | o.Cleared, names: bool) -> str:
    """Return by whom something was done, else from where; nothing where names are hidden."""
    return (f" by {origin.by}" if origin.by else f" from {SOURCES[origin.source]}") if names else ""


def origin(source: Source, by: str | None) -> str:
    """Say who did something, where that is known and shown, and from where: ``, by Ann, from Slack``."""
    return (f", by {by}" if by else "") + f", from {SOURCES[source]}"


def _in_reader(card: o.Person | None, names: bool) -> str:
    return f" {_who(card, names)}'s card is in the reader." if card and names else ""


def _reason(origin: Flag | o.Cleared | o.UserChanged, names: bool) -> str:
    reason = origin.reason
    if not names:
        reason = None if isinstance(origin, o.UserChanged) else origin.public_reason or reason
    return f": {one_line(reason).rstrip('.')}" if reason else ""


def _who(user: o.Person | None, names: bool) -> str:
    if user is None:
        return "someone unknown"
    return (user if names else MEMBER).full_name or "someone"


_END_REASONS = {
    o.EndReason.CARD_CHANGED: " (another card was inserted)",
    o.EndReason.MACHINE_REMOVED: " (the machine was removed from the configuration)",
    o.EndReason.TIME_LIMIT: " (the limit of this machine)",
    o.EndReason.IDLE: " (nothing was running; was the card forgotten?)",
    o.EndReason.RESTORED: " (the database was restored from a backup)",
}


def _ended(ended: o.Ended, names: bool) -> str:
    kind = f" {ended.kind}" if ended.kind in {SessionKind.OVERRIDE, SessionKind.OFFLINE} else ""
    why = _END_REASONS.get(ended.reason, "")
    if ended.reason is o.EndReason.OFFLINE:
        why = f" (without the server, from {local_time(ended.since)})"
    return f"{_who(ended.user, names)}'s{kind} session ended after {duration(ended.seconds)}{why}"
