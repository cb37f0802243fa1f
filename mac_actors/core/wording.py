"""Outcomes in plain words.

Two forms of one sentence: *full*, with names, for the control channel, the log and admins; *public*,
without any member's name, for the oops channel and for whoever reads the events without a token.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from mac_actors.core import outcomes as o
from mac_actors.core.outcomes import Outcome
from mac_actors.core.phrases import Phrase, joined, phrase
from mac_actors.core.redaction import MEMBER
from mac_actors.core.state import Details, Flag, Refusal, SecondDecision, SessionKind, Severity, Source
from mac_actors.core.text import duration, local_time, one_line

SOURCES = {
    Source.BUTTON: phrase("the button at the machine"),
    Source.SLACK: phrase("Slack"),
    Source.HTTP: phrase("HTTP"),
    Source.BOARD: phrase("the board"),
    Source.CLI: phrase("the command line"),
    Source.REPL: phrase("the Python shell"),
    Source.MQTT: phrase("MQTT"),
    Source.MAINTENANCE: phrase("the maintenance plan"),
    Source.SERVER: phrase("the server itself"),
}

_REFUSALS = {
    Refusal.UNKNOWN: phrase("the fob is unknown"),
    Refusal.EXPIRED: phrase("the membership has expired"),
    Refusal.UNAUTHORIZED: phrase("not authorized"),
    Refusal.OOPSED: phrase("the machine is oopsed"),
    Refusal.LOCKED_OUT: phrase("the machine is locked out for maintenance"),
    Refusal.LATE: phrase("the report had waited too long in the server"),
    Refusal.GAP: phrase("the reader had not reported for a while, so the card may be out by now"),
    Refusal.STORAGE: phrase("the server's disk is not keeping up"),
    Refusal.TWO_READERS: phrase("two boards report under this machine's name"),
    Refusal.MOVING: phrase("another server was taking over at that moment"),
}

SEVERITIES = {Severity.UNUSABLE: phrase("Unusable"), Severity.WITH_CARE: phrase("Usable with care")}

_SECOND = {
    SecondDecision.NONE: Phrase(""),
    SecondDecision.GRANTED: phrase(", {second} granted"),
    SecondDecision.WARN: phrase(", {second} WITHOUT authorization (warn only)"),
    SecondDecision.ALWAYS_ENABLED: phrase(", {second} always on"),
    SecondDecision.DENIED: phrase(", NOT authorized for {second}"),
}

_LOGINS = {
    SessionKind.AUTHORIZED: phrase("{who} logged in{second}."),
    SessionKind.WARN_ONLY: phrase("{who} logged in WITHOUT authorization (warn only){second}."),
    SessionKind.OVERRIDE: phrase("{who} logged in by OVERRIDE of the oops or lock-out{second}."),
    SessionKind.OFFLINE: phrase("{who} logged in without the server{second}."),
}


def full_text(outcome: Outcome) -> Phrase:
    """Say what happened, with names."""
    found, ended = outcome.origin, outcome.ended_session
    by = origin(found.source, _who_did(found)) if found else ""
    return _about(outcome, by, Phrase(" {ended}.", ended=_ended(ended, names=True)) if ended else "", names=True)


def public_text(outcome: Outcome) -> Phrase:
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


def _about(outcome: Outcome, by: str, also: str, *, names: bool) -> Phrase:
    reason = "" if outcome.origin is None else _reason(outcome.origin, names)
    if isinstance(outcome, o.UserChanged):
        return joined("", (_changed(outcome, names), by, reason, "."))
    sentence = _sentence(outcome, Told(outcome.display_name, by, reason), also, names)
    if sentence.template.startswith("{machine} "):
        return sentence
    return Phrase("{machine}: {sentence}", machine=outcome.display_name, sentence=sentence)


class Told(NamedTuple):
    """What sentences have in common: the machine, who did it from where, and why; empty where it is not said."""

    machine: str
    by: str
    reason: str

    def phrase(self, template: str, **more: object) -> Phrase:
        """Make a phrase of a template that has ``{by}`` and ``{reason}``, and ``{machine}`` where it is the subject."""
        return Phrase(template, **self._asdict(), **more)


def _sentence(outcome: Outcome, told: Told, also: str, names: bool) -> Phrase:  # noqa: PLR0912 - one for each outcome
    """Return the sentence; ``also``: the session that it ended, where that is said."""
    match outcome:
        case o.SessionStarted(user=user, session=session, second=second, second_alias=alias):
            relay = Phrase(_SECOND[second].template, second=alias or phrase("second relay"))
            return Phrase(_LOGINS[session].template, who=_who(user, names), second=relay)
        case o.SessionRefused(refusal=refusal, also=others, user=user, fob=fob):
            who = _who(user, names)
            if refusal is Refusal.UNKNOWN:
                who = phrase("a card (fob ending in {end})", end=fob[-4:]) if fob and names else phrase("a card")
            why = joined("; ", (_REFUSALS[one] for one in (refusal, *others)))
            return phrase("{who} was refused: {why}.", who=who, why=why)
        case o.SessionEnded(ended=ended):
            pressed = phrase(" (Oops was pressed)") if ended.reason is o.EndReason.OOPS else ""
            return Phrase("{ended}{pressed}.", ended=_ended(ended, names), pressed=pressed)
        case o.CardSeen(user=user):
            return phrase("{who} inserted a card (the machine is always enabled).", who=_who(user, names))
        case o.Rebooted(card_blocked=blocked):
            hint = phrase(" Its card must be taken out and put in again.") if blocked else ""
            return joined("", (phrase("the reader restarted."), also, hint))
        case o.OopsSet(card=card) | o.LockSet(card=card):
            more = {"also": also, "reader": _in_reader(card, names)}
            if isinstance(outcome, o.OopsSet):
                return told.phrase("{machine} is oopsed{by}{reason}.{also}{reader}", **more)
            return told.phrase("{machine} is locked out for maintenance{by}{reason}.{also}{reader}", **more)
        case o.LockPending(user=user):
            until = phrase(" {who}'s session goes on.", who=_who(user, names)) if names else ""
            return told.phrase(
                "{machine} will be locked out for maintenance once it is free{by}{reason}.{until}", until=until
            )
        case o.DetailsAdded(details=details):
            return told.phrase("details{by}{reason}. {severity}.", severity=SEVERITIES[details.severity])
        case o.Cleared():
            return _cleared(outcome, told)
        case o.PowerChanged(on=on):
            if on:
                return phrase("power is on (it is always enabled).")
            return phrase("power is off (it is no longer always enabled).")
        case o.Reported(text=text, by=who):
            return _problem(text, who) if names else phrase("a problem was reported.")
        case _:
            return _more(outcome, told, names)


def _more(outcome: Outcome, told: Told, names: bool) -> Phrase:
    """Return the sentence of what the configuration of a machine asks for."""
    match outcome:
        case o.OverTime(user=user, limit=limit):
            who, time = _who(user, names), duration(limit)
            return phrase("{who} has used it for {time}, the limit. Power stays on.", who=who, time=time)
        case o.MaintenanceDue(what=what, hours=hours):
            what = one_line(what).rstrip(".")
            return phrase("maintenance is due after {hours:.0f} h: {what}.", hours=hours, what=what)
        case o.MaintenanceDone(what=what, hours=hours):
            what = one_line(what).rstrip(".")
            return told.phrase("maintenance was done after {hours:.1f} h{by}: {what}.", hours=hours, what=what)
        case _:
            raise TypeError(f"no wording for {type(outcome).__name__}: add it to mac_actors.core.wording")


def _changed(outcome: o.UserChanged, names: bool) -> Phrase:
    who, fob = _who(outcome.user, names), ""
    if outcome.fob and names:
        fob = phrase(" (ending in {end})", end=outcome.fob[-4:])
    match outcome:
        case o.FobGiven():
            return phrase("{who} was given a fob{fob}", who=who, fob=fob)
        case o.FobTaken():
            return phrase("{who}'s fob{fob} counts no more", who=who, fob=fob)
        case o.AuthorizationGranted(authorization=name, until=until):
            if until:
                return phrase("{who} is authorized for {name} until {until}", who=who, name=name, until=until)
            return phrase("{who} is authorized for {name}", who=who, name=name)
        case o.AuthorizationWithdrawn(authorization=name, until=until):
            if until:
                return phrase("{who} is not authorized for {name} until {until}", who=who, name=name, until=until)
            return phrase("{who} is not authorized for {name} any more", who=who, name=name)
        case _:
            return phrase("{who} was added to the users", who=who)


def _who_did(found: Flag | o.Cleared | o.UserChanged) -> str | None:
    return named(found.by, confirmed=found.confirmed) if isinstance(found, o.UserChanged) else found.by


def named(by: str | None, *, confirmed: bool) -> str | None:
    """Return who changed a user; the name that came along with the admins' token is in brackets."""
    if confirmed:
        return by
    return phrase("an admin ({by})", by=by) if by else phrase("an admin")


def _problem(text: str, by: str | None) -> Phrase:
    who = phrase(", by {by}", by=by) if by else ""
    said = f": {one_line(text).rstrip('.')}" if text else ""
    return phrase("a problem was reported{who}{said}.", who=who, said=said)


def _cleared(outcome: o.Cleared, told: Told) -> Phrase:
    if isinstance(outcome, o.PendingCleared):
        return told.phrase("{machine} will not be locked out for maintenance after all{by}{reason}.")
    rest: str = ""
    if outcome.still_oopsed:
        rest = phrase(" It is still oopsed.")
    elif outcome.still_locked:
        rest = phrase(" It is still locked out.")
    elif outcome.power_on:
        rest = phrase(" Power is on.")
    more = {"pending": phrase(", nor will it be locked out once it is free") if outcome.pending else "", "rest": rest}
    if outcome.oops and outcome.lock:
        return told.phrase("{machine} is no longer oopsed and locked out{pending}{by}{reason}.{rest}", **more)
    if outcome.oops:
        return told.phrase("{machine} is no longer oopsed{pending}{by}{reason}.{rest}", **more)
    return told.phrase("{machine} is no longer locked out{pending}{by}{reason}.{rest}", **more)


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


def origin(source: Source, by: str | None) -> Phrase:
    """Say who did something, where that is known and shown, and from where: ``, by Ann, from Slack``."""
    if by:
        return phrase(", by {by}, from {source}", by=by, source=SOURCES[source])
    return phrase(", from {source}", source=SOURCES[source])


def _in_reader(card: o.Person | None, names: bool) -> str:
    return phrase(" {who}'s card is in the reader.", who=_who(card, names)) if card and names else ""


def _reason(origin: Flag | o.Cleared | o.UserChanged, names: bool) -> str:
    reason = origin.reason
    if not names:
        reason = None if isinstance(origin, o.UserChanged) else origin.public_reason or reason
    return f": {one_line(reason).rstrip('.')}" if reason else ""


def _who(user: o.Person | None, names: bool) -> str:
    if user is None:
        return phrase("someone unknown")
    if not names or user.full_name == MEMBER.full_name:
        return phrase("a member")
    return user.full_name or phrase("someone")


_END_REASONS = {
    o.EndReason.CARD_CHANGED: phrase(" (another card was inserted)"),
    o.EndReason.MACHINE_REMOVED: phrase(" (the machine was removed from the configuration)"),
    o.EndReason.TIME_LIMIT: phrase(" (the limit of this machine)"),
    o.EndReason.IDLE: phrase(" (nothing was running; was the card forgotten?)"),
    o.EndReason.RESTORED: phrase(" (the database was restored from a backup)"),
}


def _ended(ended: o.Ended, names: bool) -> Phrase:
    why: str = _END_REASONS.get(ended.reason, "")
    if ended.reason is o.EndReason.OFFLINE:
        why = phrase(" (without the server, from {since})", since=local_time(ended.since))
    told = {"who": _who(ended.user, names), "time": duration(ended.seconds), "why": why}
    if ended.kind is SessionKind.OVERRIDE:
        return phrase("{who}'s override session ended after {time}{why}", **told)
    if ended.kind is SessionKind.OFFLINE:
        return phrase("{who}'s offline session ended after {time}{why}", **told)
    return phrase("{who}'s session ended after {time}{why}", **told)
