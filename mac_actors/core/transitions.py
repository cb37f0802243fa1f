"""The decision: one input on one machine. A pure function of configuration, users, state and input.

The rules of a reader's report, in this order:

1. *Order*: one that was sent before the last one changes nothing.
2. *Reboot*: the reader restarted. A session ends, a card that is present is blocked.
3. *Offline sessions*, which the reader had by itself: each is told of once. Whose session ran before is over.
4. *Oops button*: sets oops once, ends any session, blocks the card; no card of such a report opens a session.
5. *Card*: taken out, replaced (taken out, then inserted) or inserted (:func:`mac_actors.core.access.authorize`). A new
   one is blocked in a report that is late, or the first one after a gap.
6. *Limits*: a session that is too long, or in which nothing runs, is told so, or ends (:mod:`mac_actors.core.limits`).

A lock that waits for the end of a session falls once that has ended, by whatever: before another card is looked at.
Only an insertion starts a session. Everything else can but end one. :mod:`mac_actors.core.reports` tells which is what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf
from typing import Any

from mac_actors.core.access import Granted, Refused, authorize
from mac_actors.core.config import Directory, MachineConfig, User
from mac_actors.core.inputs import (
    AddDetails,
    Clear,
    Command,
    Configured,
    Done,
    Input,
    Lock,
    OfflineSession,
    Oops,
    Removed,
    Report,
    Unlock,
    Unoops,
)
from mac_actors.core.limits import cut_by, hold_to_limits
from mac_actors.core.maintenance import aligned, newly_due, place_of, power_seconds
from mac_actors.core.offline import TAKEN_KEPT, ended_offline
from mac_actors.core.outcomes import (
    CardSeen,
    Cleared,
    DetailsAdded,
    Ended,
    EndReason,
    LockPending,
    LockSet,
    MaintenanceDone,
    MaintenanceDue,
    OopsSet,
    Outcome,
    OverTime,
    PendingCleared,
    Person,
    PowerChanged,
    Rebooted,
    SessionEnded,
    SessionRefused,
    SessionStarted,
)
from mac_actors.core.outputs import relay_on
from mac_actors.core.readable import Readable
from mac_actors.core.reports import LATE_SECONDS, arrival, elapsed, has_rebooted, is_heartbeat, is_older, was_silent
from mac_actors.core.state import (
    KEPT_REFUSALS,
    Card,
    Details,
    Flag,
    MachineState,
    Maintained,
    Refusal,
    Session,
    SessionKind,
    Source,
    TimeLimit,
)


class Already(StrEnum):
    """What an admin's command found to be so already."""

    OOPSED = "oopsed"
    LOCKED_OUT = "locked_out"
    NOT_OOPSED = "not_oopsed"
    NOT_LOCKED_OUT = "not_locked_out"
    NO_SUCH_MAINTENANCE = "no_such_maintenance"
    SET_SINCE = "set_since"
    """An oops or lock was set after the command that would lift it was given."""
    LOCK_PENDING = "lock_pending"
    OVER = "over"
    """The oops or lock that the details belong to is over."""
    FREE = "free"
    """Somebody who wanted to be told when the machine is free finds that it is."""
    WAITING = "waiting"
    """They wait for it already."""
    NOT_WAITING = "not_waiting"


@dataclass(frozen=True, slots=True, repr=False)
class Decision(Readable):
    """The new state, what came of the input, and what was already so.

    ``changed`` is whether there is an outcome, or anything but telemetry and the time of the last check-in
    moved: what must be on disk before it counts. ``offline`` are the ids of a report's offline sessions that need not
    be told again, ``refused`` says of which there is nothing in the journal, and why.
    """

    state: MachineState
    outcomes: tuple[Outcome, ...] = ()
    already: tuple[Already, ...] = ()
    changed: bool = False
    offline: tuple[int, ...] = ()
    refused: tuple[str, ...] = ()


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
        )
        is_due = bool(seen.maintenance) and bool(newly_due(config, seen))
        is_limited = state.session is not None and state.session.limits is not None
        if is_heartbeat(state, given) and not (rebooted or given.offline or is_limited or is_due):
            return Decision(seen)
        if now is not None and now - came > LATE_SECONDS:
            hold = hold or Refusal.LATE
        elif was_silent(config, state, given):
            hold = hold or Refusal.GAP
        draft = _Draft(config, directory, seen, given.at, last_arrival)
        draft.report(given, hold, rebooted=rebooted)
        draft.limit(gap)
        draft.maintain()
        return draft.decision(state)
    draft = _Draft(config, directory, state, given.at, given.at.timestamp() if now is None else now)
    draft.apply(given)
    return draft.decision(state)


class _Draft:
    """A decision in the making; lives for one call of :func:`decide`."""

    def __init__(
        self, config: MachineConfig, directory: Directory, state: MachineState, at: datetime, now: float
    ) -> None:
        self.config = config
        self.directory = directory
        self.state = state
        self.at = at
        self.now = now
        self.outcomes: list[Outcome] = []
        self.already: list[Already] = []
        self.offline: list[int] = []
        self.refused: list[str] = []
        self._common = {"machine": config.name, "display_name": config.display_name, "at": at}

    def decision(self, before: MachineState) -> Decision:
        """Stamp what follows from the change, and freeze it."""
        now = self.state
        if now.what_people_did != before.what_people_did:
            now = replace(now, last_update=self.at)
        if now.status is not before.status:
            now = replace(now, status_since=self.at)
        changed = bool(self.outcomes) or now.durable != before.durable
        return Decision(
            now, tuple(self.outcomes), tuple(self.already), changed, tuple(self.offline), tuple(self.refused)
        )

    def apply(self, given: Input) -> None:
        match given:
            case Oops():
                self.set_oops(given)
            case Lock():
                self.set_lock(given)
            case Unoops():
                self.clear(given, oops=True, lock=False)
            case Unlock():
                self.clear(given, oops=False, lock=True)
            case Clear():
                self.clear(given, oops=True, lock=True)
            case AddDetails():
                self.add_details(given)
            case Done():
                self.done(given)
            case Configured():
                self.configured()
            case Removed():
                ended = self.end_session(EndReason.MACHINE_REMOVED)
                self.block_card()
                if ended:
                    self.emit(SessionEnded, ended=ended)
                self.lock_if_due()

    # reports

    def report(self, report: Report, hold: Refusal | None, *, rebooted: bool) -> None:
        if rebooted:
            ended = self.end_session(EndReason.REBOOT)
            self.block_card()
            self.emit(Rebooted, ended=ended, card_blocked=report.fob is not None)
            self.lock_if_due()
        for session in report.offline:
            self.offline_session(report, session)
        if report.oops and self.state.oops is None:
            self.set_oops(Oops(self.at, Source.BUTTON))
        if report.fob == (self.state.card.fob if self.state.card else None):
            return
        self.take_out(EndReason.CARD_REMOVED if report.fob is None else EndReason.CARD_CHANGED)
        if report.fob is None:
            return
        if rebooted:
            # not authorized at all: whoever's card it is, it must be put in again
            self.change(card=Card(report.fob, self.at, blocked=True))
        else:
            self.insert(report.fob, Refusal.OOPSED if report.oops else hold)

    def offline_session(self, report: Report, session: OfflineSession) -> None:
        self.offline.append(session.id)
        key = (report.telemetry.boot or 0, session.id)
        if key in self.state.offline_taken:
            return
        self.change(offline_taken=(*self.state.offline_taken, key)[-TAKEN_KEPT:])
        ended = ended_offline(self.directory, report, session)
        if isinstance(ended, str):
            self.refused.append(ended)
            return
        running = self.state.session
        if running is not None and running.since < ended.since:  # its card was taken out before
            self.take_out(EndReason.CARD_REMOVED, (ended.since - running.since).total_seconds())
        self.emit(SessionEnded, at=ended.since + timedelta(seconds=ended.seconds), ended=ended)

    def take_out(self, reason: EndReason, most: float = inf) -> None:
        ended = self.end_session(reason, most)
        self.change(card=None)
        if ended:
            self.emit(SessionEnded, ended=ended)
        self.lock_if_due()

    def insert(self, fob: str, hold: Refusal | None) -> None:
        access = authorize(self.config, self.directory, self.state, fob, self.at, hold)
        user = _person(access.user)
        match access:
            case Granted(user=holder, kind=kind, second=second):
                name, lcd_name = holder.full_name, holder.lcd_name
                limits = None if kind is SessionKind.OVERRIDE else self.config.limits
                session = Session(
                    holder.account_id, name, lcd_name, kind, self.at, second, began=self.now, limits=limits
                )
                self.change(card=Card(fob, self.at), session=session)
                relay = self.config.second_relay
                alias = relay.alias if relay else None
                self.emit(SessionStarted, user=user, session=kind, second=second, second_alias=alias, fob=fob)
            case Refused(refusal=refusal):
                self.change(
                    card=Card(
                        fob,
                        self.at,
                        blocked=self.state.flagged or hold is not None,
                        refusal=refusal if refusal in KEPT_REFUSALS else None,
                    )
                )
                flags = ((Refusal.OOPSED, self.state.oops), (Refusal.LOCKED_OUT, self.state.lock))
                also = tuple(word for word, flag in flags if flag and word is not refusal)
                self.emit(SessionRefused, refusal=refusal, also=also, user=user, fob=fob)
            case _:  # Noted
                self.change(card=Card(fob, self.at, blocked=self.state.flagged or hold is not None))
                self.emit(CardSeen, user=user, fob=fob)

    def limit(self, gap: float | None) -> None:
        """Hold the running session to its limits; ``gap``: the seconds since the report before."""
        session = self.state.session
        if session is None or session.limits is None:
            return
        held = hold_to_limits(session, session.limits, self.state.telemetry, self.now, gap)
        self.change(session=held)
        if reason := cut_by(held, session.limits, self.now):
            ended = self.end_session(reason)
            self.block_card()
            self.emit(SessionEnded, ended=ended)
            self.lock_if_due()
        elif held.time_limit is TimeLimit.OVER is not session.time_limit:
            user = Person(session.account_id, session.full_name)
            self.emit(OverTime, user=user, limit=session.limits.session_seconds)

    def maintain(self) -> None:
        """Say what is due by now, and lock the machine for it where that is wanted, once no session runs."""
        for place in newly_due(self.config, self.state):
            item, kept = self.config.maintenance[place], list(self.state.maintenance)
            hours = (self.state.power_seconds - kept[place].done_at) / 3600
            # each has a moment of its own, by which a button that is pressed much later finds it
            kept[place] = replace(kept[place], due=self.at + timedelta(microseconds=place))
            self.change(maintenance=tuple(kept))
            self.emit(MaintenanceDue, what=item.what, hours=hours)
            if item.lock and self.state.lock is None and self.state.lock_pending is None:
                self.set_lock(Lock(self.at, Source.MAINTENANCE, None, f"due: {item.what}", when_free=True))

    def done(self, command: Done) -> None:
        place = place_of(self.state, command.reason, command.due)
        if place is None:
            self.already.append(Already.OVER if command.due else Already.NO_SUCH_MAINTENANCE)
            return
        kept = list(self.state.maintenance)
        hours = (self.state.power_seconds - kept[place].done_at) / 3600
        kept[place] = Maintained(kept[place].what, self.state.power_seconds)
        self.change(maintenance=tuple(kept))
        self.emit(MaintenanceDone, what=kept[place].what, hours=hours, flag=Flag(self.at, command.source, command.by))

    # oops, lock, clear

    def set_oops(self, command: Command) -> None:
        if self.state.oops is not None:
            self.already.append(Already.OOPSED)
            return
        flag = _flag(command, self.state.lock)
        ended = self.end_session(EndReason.OOPS)
        self.block_card()
        self.change(oops=flag)
        self.emit(OopsSet, flag=flag, ended=ended, card=None if ended else self.card_holder())
        self.lock_if_due()

    def set_lock(self, command: Lock) -> None:
        session = self.state.session
        if self.state.lock is not None:
            self.already.append(Already.LOCKED_OUT)
        elif session is None or not command.when_free:
            self.lock(_flag(command, self.state.oops))
        elif self.state.lock_pending is not None:
            self.already.append(Already.LOCK_PENDING)
        else:
            flag = _flag(command, None)
            self.change(lock_pending=flag)
            self.emit(LockPending, flag=flag, user=Person(session.account_id, session.full_name))

    def lock_if_due(self) -> None:
        """Let the lock fall that waited for the end of the session."""
        if flag := self.state.due_lock(self.at):
            self.lock(flag)

    def lock(self, flag: Flag) -> None:
        ended = self.end_session(EndReason.LOCK)
        self.block_card()
        self.change(lock=flag, lock_pending=None)
        self.emit(LockSet, flag=flag, ended=ended, card=None if ended else self.card_holder())

    def add_details(self, command: AddDetails) -> None:
        flags = [flag for flag in (self.state.oops, self.state.lock) if flag]
        if not any(command.about in {None, flag.since} for flag in flags):
            self.already.append(Already.OVER)
            return
        incident = min(flag.incident or flag.since for flag in flags)
        origin = (command.source, command.by, command.reason, command.public_reason)
        details = Details(command.at, *origin, incident, command.severity)
        if details == self.state.details:  # the same once more
            return
        self.change(details=details)
        self.emit(DetailsAdded, details=details)

    def clear(self, command: Command, *, oops: bool, lock: bool) -> None:
        lifted_oops = self.state.oops if oops else None
        lifted_lock = self.state.lock if lock else None
        pending = self.state.lock_pending if lock else None
        if any(flag.is_newer(command.given) for flag in (lifted_oops, lifted_lock, pending) if flag):
            self.already.append(Already.SET_SINCE)
            return
        if oops and lifted_oops is None:
            self.already.append(Already.NOT_OOPSED)
        if lock and lifted_lock is None and pending is None:
            self.already.append(Already.NOT_LOCKED_OUT)
        if lifted_oops is None and lifted_lock is None and pending is None:
            return
        had_power = relay_on(self.config, self.state)
        self.change(
            oops=None if lifted_oops else self.state.oops,
            lock=None if lifted_lock else self.state.lock,
            lock_pending=None if pending else self.state.lock_pending,
        )
        if not self.state.flagged:
            self.change(details=None)
        self.emit(
            Cleared if lifted_oops or lifted_lock else PendingCleared,
            oops=lifted_oops,
            lock=lifted_lock,
            pending=pending,
            source=command.source,
            by=command.by,
            reason=command.reason,
            public_reason=command.public_reason,
            still_oopsed=self.state.oops is not None,
            still_locked=self.state.lock is not None,
            power_on=relay_on(self.config, self.state) and not had_power,
        )

    # configuration

    def configured(self) -> None:
        was, now = self.state.always_enabled, self.config.always_enabled
        had_power = relay_on(replace(self.config, always_enabled=was), self.state)
        self.change(always_enabled=now, maintenance=aligned(self.config, self.state))
        card = self.state.card
        if card and not now and self.state.session is None and (was or not card.refusal):
            self.block_card()
        has_power = relay_on(self.config, self.state)
        if has_power is not had_power:
            self.emit(PowerChanged, on=has_power)
        self.maintain()

    # the parts

    def change(self, **parts: Any) -> None:
        self.state = replace(self.state, **parts)

    def emit(self, kind: Callable[..., Outcome], **facts: object) -> None:
        self.outcomes.append(kind(**{**self._common, **facts}))

    def end_session(self, reason: EndReason, most: float = inf) -> Ended | None:
        session = self.state.session
        if session is None:
            return None
        self.change(session=None)
        person = Person(session.account_id, session.full_name)
        return Ended(person, session.kind, session.since, min(session.seconds(self.now), most), reason)

    def card_holder(self) -> Person | None:
        return _person(self.directory.find(self.state.card.fob)) if self.state.card else None

    def block_card(self) -> None:
        if self.state.card is not None:
            self.change(card=replace(self.state.card, blocked=True))


def _flag(command: Command, other: Flag | None) -> Flag:
    incident = other.begins if other else None
    return Flag(command.at, command.source, command.by, command.reason, command.public_reason, incident)


def _person(user: User | None) -> Person | None:
    return Person(user.account_id, user.full_name) if user else None
