"""What people's commands, maintenance by hours and a change of configuration do to a machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mac_actors.core.decision import Already, Draft
from mac_actors.core.inputs import (
    AddDetails,
    Clear,
    Command,
    Configured,
    Done,
    Input,
    Lock,
    Oops,
    Removed,
    Unlock,
    Unoops,
)
from mac_actors.core.maintenance import aligned, newly_due, place_of
from mac_actors.core.outcomes import (
    Cleared,
    DetailsAdded,
    EndReason,
    LockPending,
    MaintenanceDone,
    MaintenanceDue,
    OopsSet,
    PendingCleared,
    Person,
    PowerChanged,
)
from mac_actors.core.outputs import relay_on
from mac_actors.core.state import Details, Flag, Maintained, Source


def apply(draft: Draft, given: Input) -> None:
    """Let an input that is no report change the draft."""
    match given:
        case Oops():
            set_oops(draft, given)
        case Lock():
            _set_lock(draft, given)
        case Unoops():
            _clear(draft, given, oops=True, lock=False)
        case Unlock():
            _clear(draft, given, oops=False, lock=True)
        case Clear():
            _clear(draft, given, oops=True, lock=True)
        case AddDetails():
            _add_details(draft, given)
        case Done():
            _done(draft, given)
        case Configured():
            _configured(draft)
        case Removed():
            draft.stop(EndReason.MACHINE_REMOVED)


def set_oops(draft: Draft, command: Command) -> None:
    """Set oops, once; it ends any session."""
    if draft.state.oops is not None:
        draft.already.append(Already.OOPSED)
        return
    flag = _flag(command, draft.state.lock)
    ended = draft.end_session(EndReason.OOPS)
    draft.block_card()
    draft.change(oops=flag)
    draft.emit(OopsSet, flag=flag, ended=ended, card=None if ended else draft.card_holder())
    draft.lock_if_due()


def _set_lock(draft: Draft, command: Lock) -> None:
    session = draft.state.session
    if draft.state.lock is not None:
        draft.already.append(Already.LOCKED_OUT)
    elif session is None or not command.when_free:
        draft.lock(_flag(command, draft.state.oops))
    elif draft.state.lock_pending is not None:
        draft.already.append(Already.LOCK_PENDING)
    else:
        flag = _flag(command, None)
        draft.change(lock_pending=flag)
        draft.emit(LockPending, flag=flag, user=Person.of(session))


def _add_details(draft: Draft, command: AddDetails) -> None:
    flags = [flag for flag in (draft.state.oops, draft.state.lock) if flag]
    if not any(command.about in {None, flag.since} for flag in flags):
        draft.already.append(Already.OVER)
        return
    incident = min(flag.incident or flag.since for flag in flags)
    origin = (command.source, command.by, command.reason, command.public_reason)
    details = Details(command.at, *origin, incident, command.severity)
    if details == draft.state.details:  # the same once more
        return
    draft.change(details=details)
    draft.emit(DetailsAdded, details=details)


def _clear(draft: Draft, command: Command, *, oops: bool, lock: bool) -> None:
    lifted_oops = draft.state.oops if oops else None
    lifted_lock = draft.state.lock if lock else None
    pending = draft.state.lock_pending if lock else None
    if any(flag.is_newer(command.given, command.at) for flag in (lifted_oops, lifted_lock, pending) if flag):
        draft.already.append(Already.SET_SINCE)
        return
    if oops and lifted_oops is None:
        draft.already.append(Already.NOT_OOPSED)
    if lock and lifted_lock is None and pending is None:
        draft.already.append(Already.NOT_LOCKED_OUT)
    if lifted_oops is None and lifted_lock is None and pending is None:
        return
    had_power = relay_on(draft.config, draft.state)
    draft.change(
        oops=None if lifted_oops else draft.state.oops,
        lock=None if lifted_lock else draft.state.lock,
        lock_pending=None if pending else draft.state.lock_pending,
    )
    if not draft.state.flagged:
        draft.change(details=None)
    draft.emit(
        Cleared if lifted_oops or lifted_lock else PendingCleared,
        oops=lifted_oops,
        lock=lifted_lock,
        pending=pending,
        source=command.source,
        by=command.by,
        reason=command.reason,
        public_reason=command.public_reason,
        still_oopsed=draft.state.oops is not None,
        still_locked=draft.state.lock is not None,
        power_on=relay_on(draft.config, draft.state) and not had_power,
    )


def _done(draft: Draft, command: Done) -> None:
    place = place_of(draft.state, command.reason, command.due)
    if place is None:
        draft.already.append(Already.OVER if command.due else Already.NO_SUCH_MAINTENANCE)
        return
    kept = list(draft.state.maintenance)
    hours = (draft.state.power_seconds - kept[place].done_at) / 3600
    kept[place] = Maintained(kept[place].what, draft.state.power_seconds)
    draft.change(maintenance=tuple(kept))
    draft.emit(MaintenanceDone, what=kept[place].what, hours=hours, flag=Flag(draft.at, command.source, command.by))


def maintain(draft: Draft) -> None:
    """Say what is due by now, and lock the machine for it where that is wanted, once no session runs."""
    for place in newly_due(draft.config, draft.state):
        item, kept = draft.config.maintenance[place], list(draft.state.maintenance)
        hours = (draft.state.power_seconds - kept[place].done_at) / 3600
        # each has a moment of its own, by which a button that is pressed much later finds it
        kept[place] = replace(kept[place], due=draft.at + timedelta(microseconds=place))
        draft.change(maintenance=tuple(kept))
        draft.emit(MaintenanceDue, what=item.what, hours=hours)
        if item.lock and draft.state.lock is None and draft.state.lock_pending is None:
            _set_lock(draft, Lock(draft.at, Source.MAINTENANCE, None, f"due: {item.what}", when_free=True))


def _configured(draft: Draft) -> None:
    was, now = draft.state.always_enabled, draft.config.always_enabled
    had_power = relay_on(replace(draft.config, always_enabled=was), draft.state)
    draft.change(always_enabled=now, maintenance=aligned(draft.config, draft.state))
    card = draft.state.card
    if card and not now and draft.state.session is None and (was or not card.refusal):
        draft.block_card()
    has_power = relay_on(draft.config, draft.state)
    stays_on = now and not was and not draft.state.flagged  # a session that runs no longer ends it
    if has_power is not had_power or stays_on:
        draft.emit(PowerChanged, on=has_power)
    maintain(draft)


def _flag(command: Command, other: Flag | None) -> Flag:
    incident = other.begins if other else None
    return Flag(command.at, command.source, command.by, command.reason, command.public_reason, incident)
