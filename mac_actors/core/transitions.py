"""The decision: one input on one machine. A pure function of configuration, users, state and input.

The rules of a reader's report, in this order:

1. *Order*: one that was sent before the last one changes nothing.
2. *Reboot*: the reader restarted. A session ends, a card that is present is blocked.
3. *Offline sessions*, which the reader had by itself: each is told of once. Whose session ran before is over.
4. *Oops button*: sets oops once, ends any session, an override session on an oopsed machine too, blocks the card; no
   card of such a report opens a session.
5. *Card*: taken out, replaced (taken out, then inserted) or inserted (:func:`mac_actors.core.access.authorize`). A new
   one is blocked in a report that is late, or the first one after a gap or the restore of a backup.
6. *Limits*: a session that is too long, or in which nothing runs, is told so, or ends (:mod:`mac_actors.core.limits`).

A lock that waits for the end of a session falls once that has ended, by whatever: before another card is looked at.
Only an insertion starts a session. Everything else can but end one. :mod:`mac_actors.core.reports` tells which is what.
Every other input is in :mod:`mac_actors.core.commands`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import inf

from mac_actors.core.access import Granted, Refused, authorize
from mac_actors.core.commands import apply, maintain, set_oops
from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.decision import Decision, Draft
from mac_actors.core.inputs import Input, OfflineSession, Oops, Report
from mac_actors.core.limits import cut_by, hold_to_limits
from mac_actors.core.maintenance import newly_due, power_seconds
from mac_actors.core.offline import TAKEN_KEPT, ended_offline
from mac_actors.core.outcomes import (
    CardSeen,
    EndReason,
    OverTime,
    Person,
    Rebooted,
    SessionEnded,
    SessionRefused,
    SessionStarted,
)
from mac_actors.core.reports import LATE_SECONDS, arrival, elapsed, has_rebooted, is_heartbeat, is_older, was_silent
from mac_actors.core.state import KEPT_REFUSALS, Card, MachineState, Refusal, Session, SessionKind, Source, TimeLimit


def decide(
    config: MachineConfig,
    directory: Directory,
    state: MachineState,
    given: Input,
    *,
    now: float | None = None,
    hold: Refusal | None = None,
) -> Decision:
    """Decide what ``given`` does to a machine in ``state``. Changes nothing; raises nothing for any input.

    ``now`` is the moment of the decision, on the clock of :attr:`Report.arrived`; ``None``: when the input came.
    ``hold`` is the server's own reason to start no session now (the disk hangs), by which an inserted card is blocked.
    """
    if isinstance(given, Report):
        if is_older(state, given):
            return Decision(state)
        came, rebooted = arrival(given), has_rebooted(state, given)
        last_arrival = came if state.last_arrival is None else max(came, state.last_arrival)
        gap = elapsed(state, given)
        seen = replace(
            state,
            telemetry=given.telemetry,
            last_checkin=given.at,
            last_arrival=last_arrival,
            power_seconds=power_seconds(config, state, gap),
            restored=False,
        )
        is_due = bool(seen.maintenance) and bool(newly_due(config, seen))
        is_limited = state.session is not None and state.session.limits is not None
        if is_heartbeat(state, given) and not (rebooted or given.offline or is_limited or is_due):
            return Decision(seen)
        if now is not None and now - came > LATE_SECONDS:
            hold = hold or Refusal.LATE
        elif was_silent(config, state, given):
            hold = hold or Refusal.GAP
        draft = Draft(config, directory, seen, given.at, last_arrival)
        _report(draft, given, hold, rebooted=rebooted)
        _limit(draft, gap)
        maintain(draft)
        return draft.decision(state)
    draft = Draft(config, directory, replace(state), given.at, given.at.timestamp() if now is None else now)
    apply(draft, given)
    return draft.decision(state)


def _report(draft: Draft, report: Report, hold: Refusal | None, *, rebooted: bool) -> None:
    if rebooted:
        ended = draft.end_session(EndReason.REBOOT)
        draft.block_card()
        draft.emit(Rebooted, ended=ended, card_blocked=report.fob is not None)
        draft.lock_if_due()
    for session in report.offline:
        _offline_session(draft, report, session)
    if report.oops and draft.state.oops is None:
        set_oops(draft, Oops(draft.at, Source.BUTTON))
    elif report.oops and draft.state.session is not None:
        draft.stop(EndReason.OOPS)  # whoever has the override: the button stops what runs
    if report.fob == (draft.state.card.fob if draft.state.card else None):
        return
    _take_out(draft, EndReason.CARD_REMOVED if report.fob is None else EndReason.CARD_CHANGED)
    if report.fob is None:
        return
    if rebooted:
        # not authorized at all: whoever's card it is, it must be put in again
        draft.change(card=Card(report.fob, draft.at, blocked=True))
    else:
        _insert(draft, report.fob, Refusal.OOPSED if report.oops else hold)


def _offline_session(draft: Draft, report: Report, session: OfflineSession) -> None:
    draft.offline.append(session.id)
    key = (report.telemetry.boot or 0, session.id)
    if key in draft.state.offline_taken:
        return
    draft.change(offline_taken=(*draft.state.offline_taken, key)[-TAKEN_KEPT:])
    ended = ended_offline(draft.directory, report, session)
    if isinstance(ended, str):
        draft.refused.append(ended)
        return
    running = draft.state.session
    if running is not None and running.since < ended.since:  # its card was taken out before
        _take_out(draft, EndReason.CARD_REMOVED, (ended.since - running.since).total_seconds())
    draft.emit(SessionEnded, at=ended.since + timedelta(seconds=ended.seconds), ended=ended)


def _take_out(draft: Draft, reason: EndReason, most: float = inf) -> None:
    ended = draft.end_session(reason, most)
    draft.change(card=None)
    if ended:
        draft.emit(SessionEnded, ended=ended)
    draft.lock_if_due()


def _insert(draft: Draft, fob: str, hold: Refusal | None) -> None:
    access = authorize(draft.config, draft.directory, draft.state, fob, draft.at, hold)
    user = Person.of(access.user) if access.user else None
    match access:
        case Granted(user=holder, kind=kind, second=second):
            name, lcd_name = holder.full_name, holder.lcd_name
            limits = None if kind is SessionKind.OVERRIDE else draft.config.limits
            session = Session(holder.account_id, name, lcd_name, kind, draft.at, second, began=draft.now, limits=limits)
            draft.change(card=Card(fob, draft.at), session=session)
            relay = draft.config.second_relay
            alias = relay.alias if relay else None
            draft.emit(SessionStarted, user=user, session=kind, second=second, second_alias=alias, fob=fob)
        case Refused(refusal=refusal):
            draft.change(
                card=Card(
                    fob,
                    draft.at,
                    blocked=draft.state.flagged or hold is not None,
                    refusal=refusal if refusal in KEPT_REFUSALS else None,
                )
            )
            flags = ((Refusal.OOPSED, draft.state.oops), (Refusal.LOCKED_OUT, draft.state.lock))
            also = tuple(word for word, flag in flags if flag and word is not refusal)
            draft.emit(SessionRefused, refusal=refusal, also=also, user=user, fob=fob)
        case _:  # Noted
            draft.change(card=Card(fob, draft.at, blocked=draft.state.flagged or hold is not None))
            draft.emit(CardSeen, user=user, fob=fob)


def _limit(draft: Draft, gap: float | None) -> None:
    """Hold the running session to its limits; ``gap``: the seconds since the report before."""
    session = draft.state.session
    if session is None or session.limits is None:
        return
    held = hold_to_limits(session, session.limits, draft.state.telemetry, draft.now, gap)
    draft.change(session=held)
    if reason := cut_by(held, session.limits, draft.now):
        draft.stop(reason)
    elif held.time_limit is TimeLimit.OVER is not session.time_limit:
        draft.emit(OverTime, user=Person.of(session), limit=session.limits.session_seconds)
