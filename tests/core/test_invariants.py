"""The eight safety invariants, in every state that can be reached.

Twice: by a Hypothesis state machine, which invents histories with real times and keeps the shortest
that breaks a rule; and by a walk through *all* abstract states, in which every time is the same moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mac_actors.core import holding
from mac_actors.core.config import Directory, Limits, MachineConfig, Maintenance, User
from mac_actors.core.decision import Decision
from mac_actors.core.inputs import (
    AddDetails,
    Clear,
    Command,
    Configured,
    Input,
    Lock,
    OfflineSession,
    Oops,
    Removed,
    Report,
    Unlock,
    Unoops,
)
from mac_actors.core.outcomes import Cleared, PowerChanged, Rebooted, SessionStarted
from mac_actors.core.outputs import outputs, relay_on, second_relay_on
from mac_actors.core.reports import is_older, was_silent
from mac_actors.core.state import (
    Flag,
    MachineState,
    Refusal,
    SessionKind,
    Source,
    Telemetry,
    resumed,
    session_seconds,
)
from mac_actors.core.transitions import decide
from mac_actors.settings.language import language, languages
from tests.core.examples import ANNA, BEN, EMIL, ENFORCED, MILL, OTTO, PEOPLE, SAW, STRANGER, T0, TINA, TOM, laser
from tests.core.test_outputs import fits_the_display

TEXTS = [language(code).displays for code in languages()]

OWNERS: dict[str, User] = {fob: user for user in PEOPLE.users for fob in user.fob_codes}


@dataclass(frozen=True, slots=True)
class Step:
    """One event on one machine. ``was`` is the configuration before it, ``config`` the one that it brings or finds."""

    was: MachineConfig
    config: MachineConfig
    directory: Directory
    before: MachineState
    event: Input
    hold: Refusal | None
    decision: Decision

    @property
    def after(self) -> MachineState:
        return self.decision.state

    @property
    def older(self) -> bool:
        """Whether the event is a report that was sent before the last one."""
        return isinstance(self.event, Report) and is_older(self.before, self.event)

    @property
    def card_changed(self) -> bool:
        """Whether the event is a report with another card, or none, than the one in the reader; or with the same one,
        which was out meanwhile: the reader has had another session, by itself.
        """
        card, running = self.before.card, self.before.session
        if not isinstance(self.event, Report) or self.older:
            return False
        alone = [ended for outcome in self.decision.outcomes if (ended := outcome.ended_session)]
        was_out = any(running and one.kind is SessionKind.OFFLINE and one.since > running.since for one in alone)
        return was_out or self.event.fob != (card.fob if card else None)

    @property
    def inserts(self) -> bool:
        return self.card_changed and isinstance(self.event, Report) and self.event.fob is not None


def whole(state: MachineState) -> list[object]:
    """All parts of a state, those too that do not count where two are compared."""
    return [getattr(state, field.name) for field in fields(state)]


def take(
    was: MachineConfig,
    config: MachineConfig,
    directory: Directory,
    before: MachineState,
    event: Input,
    hold: Refusal | None = None,
) -> Decision:
    """Decide, and check everything that must hold of the step."""
    given = whole(before)
    step = Step(was, config, directory, before, event, hold, decide(config, directory, before, event, hold=hold))
    assert whole(before) == given, "the state that is decided on is nobody's to change"
    if step.older:
        assert step.decision == Decision(before)
        assert step.after is before
        return step.decision
    check_state(config, step.after)
    check_what_turns_a_relay_on(step)
    check_card_and_session(step)
    check_flags(step)
    check_twice(step)
    check_nothing_unsaid(step)
    return step.decision


# Many ways lead to one state: it is looked at once.
@lru_cache(maxsize=10_000)
def check_state(config: MachineConfig, state: MachineState) -> None:
    out = outputs(config, state)
    session, card = state.session, state.card
    if session is not None:
        assert card is not None, "a session runs without a card"
        assert OWNERS[card.fob].account_id == session.account_id, "a session runs on another one's card"
        assert not card.blocked
        assert card.refusal is None
    # a lock that waits for the end of a session has one to wait for
    assert state.lock_pending is None or (session is not None and state.lock is None)
    # 1
    assert not out.relay or config.always_enabled or session is not None
    # 2
    flagged = state.oops is not None or state.lock is not None
    override = session is not None and session.kind is SessionKind.OVERRIDE
    assert not flagged or not out.relay or override
    assert not flagged or session is None or override
    # 3
    assert not out.second_relay or out.relay
    # 8
    assert outputs(config, abstract(state)) == out
    # in each language: the display alone is another, and fits
    for texts in TEXTS:
        other = outputs(config, state, texts)
        assert fits_the_display(other.display)
        assert replace(other, display=out.display) == out


def check_what_turns_a_relay_on(step: Step) -> None:
    # 4
    switches_always_enabled_on = step.config.always_enabled and isinstance(
        step.event, Clear | Unoops | Unlock | Configured
    )
    allowed = step.inserts or switches_always_enabled_on
    for on in (relay_on, second_relay_on):
        assert on(step.was, step.before) or not on(step.config, step.after) or allowed
    if isinstance(step.event, Report) and step.event.oops:
        assert not outputs(step.config, step.after).relay


def check_card_and_session(step: Step) -> None:
    event, old, new = step.event, step.before.session, step.after.session
    starts = [outcome for outcome in step.decision.outcomes if isinstance(outcome, SessionStarted)]
    # 5
    if step.card_changed:
        assert new is None or (new is not old and new.since == event.at)
    if new is not None and old is not None and new is not old and not step.card_changed:
        assert isinstance(event, Report)
        assert replace(new, time_limit=old.time_limit) == old, "it is told how long it may go on, and nothing else"
        assert not starts
    elif new is not None and new is not old:
        assert step.inserts
        assert isinstance(event, Report)
        assert not event.oops
        assert step.hold is None
        assert not was_silent(step.config, step.before, event)
        (start,) = starts
        assert start.fob == event.fob
    else:
        assert not starts
    if isinstance(event, Report):
        assert (step.after.card.fob if step.after.card else None) == event.fob
    if isinstance(event, Configured | Clear | Unoops | Unlock):
        assert new is old, "no admin's word but oops and lock touches a session"
    rebooted = any(isinstance(outcome, Rebooted) for outcome in step.decision.outcomes)
    flagged_now = step.after.oops is not step.before.oops and step.after.oops is not None
    flagged_now |= step.after.lock is not step.before.lock and step.after.lock is not None
    if step.before.lock_pending and step.card_changed and new is not None:
        assert new.kind is SessionKind.OVERRIDE, "nobody else starts: the lock has fallen before"
    elif rebooted or flagged_now:
        assert new is None
        assert step.after.card is None or step.after.card.blocked
    if step.before.card and step.before.card.blocked and not step.card_changed:
        assert step.after.card
        assert step.after.card.blocked
        assert new is None


def check_flags(step: Step) -> None:
    # 6
    event = step.event
    if step.before.oops is not None and not isinstance(event, Unoops | Clear):
        assert step.after.oops is step.before.oops
    if step.before.lock is not None and not isinstance(event, Unlock | Clear):
        assert step.after.lock is step.before.lock
    if isinstance(event, Oops) or (isinstance(event, Report) and event.oops):
        assert step.after.oops is not None
    if isinstance(event, Lock):
        assert step.after.lock is not None or (event.when_free and step.after.lock_pending is not None)
        assert not event.when_free or step.after.session is step.before.session
    if step.before.lock_pending is not None and not isinstance(event, Unlock | Clear):
        assert step.after.lock_pending is step.before.lock_pending or step.after.lock is not None
    if isinstance(event, Unoops | Clear):
        assert step.after.oops is None
    if isinstance(event, Unlock | Clear):
        assert step.after.lock is None


_checked_twice: set[object] = set()


def check_twice(step: Step) -> None:
    # 7
    case = (id(step.directory), step.config, step.after, step.event, step.hold)  # directories are constants here
    if case not in _checked_twice:
        again = decide(step.config, step.directory, step.after, step.event, hold=step.hold)
        assert again.state == step.after
        assert again.outcomes == ()
        assert not again.changed
        if len(_checked_twice) > 20_000:  # a long run has time, and need not keep them all
            _checked_twice.clear()
        _checked_twice.add(case)


def check_nothing_unsaid(step: Step) -> None:
    decision, before, after = step.decision, step.before, step.after
    if not decision.changed:
        assert decision.outcomes == ()
        assert after == replace(before, telemetry=after.telemetry, last_checkin=after.last_checkin)
    if decision.already and not isinstance(step.event, Clear):
        assert after == before
    said_on = [
        outcome
        for outcome in decision.outcomes
        if (isinstance(outcome, PowerChanged) and outcome.on) or (isinstance(outcome, Cleared) and outcome.power_on)
    ]
    turned_on = not relay_on(step.was, before) and relay_on(step.config, after) and not isinstance(step.event, Report)
    stays_on = isinstance(step.event, Configured) and after.always_enabled and not before.always_enabled
    assert bool(said_on) is (turned_on or (stays_on and not after.flagged))


# all abstract states

USUAL_UPTIME = 1000.0
USUAL_COUNT = 5


@lru_cache(maxsize=10_000)
def abstract(state: MachineState) -> MachineState:
    """Forget all times: every moment is T0, and an uptime is known or not."""

    def flag(was: Flag | None) -> Flag | None:
        return was and replace(was, since=T0, incident=None)

    return replace(
        state,
        status_since=T0,
        oops=flag(state.oops),
        lock=flag(state.lock),
        lock_pending=flag(state.lock_pending),
        card=state.card and replace(state.card, since=T0),
        session=state.session and replace(state.session, since=T0, began=T0.timestamp()),
        telemetry=Telemetry(
            uptime=None if state.telemetry.uptime is None else USUAL_UPTIME,
            firmware=state.telemetry.firmware,
            boot=state.telemetry.boot and 1,
            count=state.telemetry.count and USUAL_COUNT,
        ),
        last_checkin=state.last_checkin and T0,
        last_update=None,
        last_arrival=state.last_arrival and T0.timestamp(),
        offline_taken=(),
    )


EARLIER = T0 - timedelta(seconds=10)
LATER = T0 + timedelta(seconds=10)
MUCH_LATER = T0 + timedelta(days=1)

CARDS: tuple[str | None, ...] = (
    None,
    *(user.fob_codes[0] for user in (ANNA, BEN, OTTO, TOM, TINA, EMIL)),
    ANNA.fob_codes[1],
    STRANGER,
)


def reports() -> Iterable[tuple[Report, Refusal | None]]:
    for fob in CARDS:
        for oops in (False, True):
            yield Report(LATER, fob, oops, Telemetry(USUAL_UPTIME + 10)), None
            yield Report(LATER, fob, oops, Telemetry(5.0)), None
            yield Report(LATER, fob, oops, Telemetry(None)), None
            yield Report(MUCH_LATER, fob, oops, Telemetry(USUAL_UPTIME + 10)), None
        yield Report(LATER, fob, telemetry=Telemetry(USUAL_UPTIME + 10)), Refusal.LATE
        yield Report(LATER, fob, telemetry=Telemetry(5.0)), Refusal.STORAGE
        yield Report(EARLIER, fob, True, Telemetry(None)), None
        yield Report(LATER, fob, telemetry=Telemetry(USUAL_UPTIME + 60)), None


def reports_that_say_more() -> Iterable[tuple[Report, Refusal | None]]:
    for fob in CARDS:
        for boot, count in ((1, USUAL_COUNT - 1), (1, USUAL_COUNT + 1), (2, 0)):
            yield Report(LATER, fob, telemetry=Telemetry(None, firmware="f", boot=boot, count=count)), None
        says = Telemetry(USUAL_UPTIME + 10, firmware="f", boot=1, count=USUAL_COUNT + 1)
        for user in (ANNA, EMIL):
            alone = OfflineSession(1, user.fob_codes[0], USUAL_UPTIME + 2, USUAL_UPTIME + 8)
            yield Report(LATER, fob, telemetry=says, offline=(alone,)), None


Events = tuple[tuple[Input, Refusal | None], ...]
COMMANDS: Events = (
    (Oops(LATER, Source.SLACK, "U1"), None),
    (Lock(LATER, Source.HTTP, "U2"), None),
    (Lock(LATER, Source.HTTP, "U4", when_free=True), None),
    (Unoops(LATER, Source.CLI), None),
    (Unlock(LATER, Source.REPL), None),
    (Clear(LATER, Source.SLACK, "U3"), None),
    (Removed(LATER), None),
)
EVENTS: Events = (*reports(), *COMMANDS)
SAYING_MORE: Events = (*reports_that_say_more(), *COMMANDS)

Node = tuple[MachineConfig, MachineState]


def walk(configs: tuple[MachineConfig, ...], directory: Directory, events: Events) -> set[Node]:
    """Take every event in every state that can be reached, with every change of configuration; return what was seen."""
    seen: set[Node] = set()
    todo: deque[Node] = deque()

    def found(config: MachineConfig, state: MachineState) -> None:
        node = (config, abstract(state))
        if node not in seen:
            seen.add(node)
            todo.append(node)

    blank = MachineConfig(configs[0].name)
    for config in configs:
        found(config, take(blank, config, directory, MachineState(T0), Configured(T0)).state)
    while todo:
        config, state = todo.popleft()
        for event, hold in events:
            found(config, take(config, config, directory, state, event, hold).state)
        for other in configs:
            found(other, take(config, other, directory, state, Configured(LATER)).state)
    return seen


def always(config: MachineConfig) -> MachineConfig:
    return replace(config, always_enabled=True)


def limited(*, cut: bool) -> MachineConfig:
    """A mill whose sessions may last 20 s, or as in the walk: until the report after the one at their start."""
    return replace(MILL, limits=Limits(20.0, 20.0 if cut else None, 1.0, cut))


HEARTBEATS: Events = tuple(
    (Report(T0 + timedelta(seconds=after), card, telemetry=Telemetry(USUAL_UPTIME + after, amps=amps)), None)
    for after in (10, 40)
    for card in (ANNA.fob_codes[0], OTTO.fob_codes[0])
    for amps in (0.0, 5.0)
)


WALKS: list[tuple[str, tuple[MachineConfig, ...], Directory, Events]] = [
    ("plain", (MILL, always(MILL)), PEOPLE, EVENTS),
    ("firmware that says more", (MILL, always(MILL)), PEOPLE, SAYING_MORE),
    ("expiry enforced", (MILL, always(MILL)), ENFORCED, EVENTS),
    ("warn only", (SAW, always(SAW)), ENFORCED, EVENTS),
    ("limits", (limited(cut=False), always(limited(cut=False))), PEOPLE, (*EVENTS, *HEARTBEATS)),
    ("limits that cut", (limited(cut=True), always(limited(cut=True))), PEOPLE, (*EVENTS, *HEARTBEATS)),
    ("second relay", (laser(), always(laser())), PEOPLE, EVENTS),
    (
        "second relay, warn only",
        (laser(warn_only=True, second_warn=True), always(laser(warn_only=True, second_warn=True))),
        PEOPLE,
        EVENTS,
    ),
    ("second relay always enabled", (laser(second_always=True), always(laser(second_always=True))), PEOPLE, EVENTS),
]


@pytest.mark.untraced
@pytest.mark.parametrize(("configs", "directory", "events"), [row[1:] for row in WALKS], ids=[row[0] for row in WALKS])
def test_the_invariants_hold_in_all_states_that_can_be_reached(
    configs: tuple[MachineConfig, ...], directory: Directory, events: Events
) -> None:
    seen = walk(configs, directory, events)
    # the walk is worth its name: it went through sessions and blocks with every pair of flags
    states = [state for _, state in seen]
    for oops in (False, True):
        for lock in (False, True):
            these = [s for s in states if (s.oops is not None, s.lock is not None) == (oops, lock)]
            assert any(s.session for s in these)
            assert any(s.card and s.card.blocked for s in these)
            assert any(s.card is None for s in these)
    assert any(relay_on(config, state) and state.session is None for config, state in seen)
    assert any(state.lock_pending for state in states)


# histories

CONFIGS = [replace(config, name="machine", alias=None) for config in (MILL, always(MILL), SAW)]
LIMITED = [replace(limited(cut=cut), name="machine", alias=None) for cut in (False, True)]
MAINTAINED = [
    replace(MILL, name="machine", alias=None, maintenance=(Maintenance("blade", seconds, lock=True), *more))
    for seconds, more in ((30.0, ()), (90.0, (Maintenance("oil", 10.0),)))
]
LASERS = [
    replace(laser(machine_always=machine_always, second_warn=second_warn, second_always=second_always), name="machine")
    for second_warn, second_always in ((False, False), (True, False), (False, True))
    for machine_always in (False, True)
]
FEWER = Directory.of((BEN, TOM), enforce_expiration=True)

fobs = st.sampled_from(CARDS)
since_it_came = st.sampled_from([0.0, 0.0, 0.0, 0.04, 3.0, 6.0, 1e4])
seconds = st.sampled_from([0.0, 0.5, 10.0, 119.0, 121.0, 1e5]) | st.floats(0, 1e4)
uptimes = st.none() | st.just("running") | st.sampled_from([0.0, 3.5, 1e9])
admins: st.SearchStrategy[Callable[..., Command]] = st.sampled_from(
    [Oops, Lock, partial(Lock, when_free=True), Unoops, Unlock, Clear, AddDetails]
)


class History(RuleBasedStateMachine):
    """One machine with one set of second relay rules; everything else about it may change at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = T0
        self.booted: datetime = T0
        self.configs = CONFIGS
        self.config = CONFIGS[0]
        self.directory = PEOPLE
        self.state = MachineState(T0)
        self.wrong = timedelta()
        self.boot, self.count = 1, 0
        self.used = 0.0

    @initialize(
        family=st.sampled_from([CONFIGS, LIMITED, MAINTAINED, LASERS[:2], LASERS[2:4], LASERS[4:]]), data=st.data()
    )
    def start(self, family: list[MachineConfig], data: st.DataObject) -> None:
        self.configs = family
        self.config = data.draw(st.sampled_from(family))
        first = MachineConfig("machine")
        self.state = take(first, self.config, self.directory, MachineState(T0), Configured(self.now)).state

    def happens(self, event: Input, hold: Refusal | None = None) -> None:
        decision = take(self.config, self.config, self.directory, self.state, event, hold)
        self.state = decision.state
        ended = [outcome.ended_session for outcome in decision.outcomes]
        self.used += sum(one.seconds for one in ended if one)
        assert 0 <= self.used <= (self.now - T0).total_seconds() + 1e-3, "usage is more than the time that has passed"

    @rule(
        fob=fobs,
        passed=seconds,
        oops=st.booleans(),
        uptime=uptimes,
        hold=st.sampled_from([None, None, Refusal.LATE, Refusal.STORAGE]),
    )
    def report(
        self, fob: str | None, passed: float, oops: bool, uptime: float | str | None, hold: Refusal | None
    ) -> None:
        self.now += timedelta(seconds=passed)
        up = (self.now - self.booted).total_seconds() if isinstance(uptime, str) else uptime
        self.happens(Report(self.now, fob, oops, Telemetry(uptime=up)), hold)

    @rule(fob=fobs, passed=seconds)
    def card(self, fob: str | None, passed: float) -> None:
        """A plain report, so that sessions are not rare."""
        self.now += timedelta(seconds=passed)
        self.happens(Report(self.now, fob, telemetry=self.state.telemetry))

    @rule(
        fob=fobs, ago=since_it_came, oops=st.booleans(), older=st.sampled_from([0, 0, 0, 1, 5]), says_more=st.booleans()
    )
    def true_report(self, fob: str | None, ago: float, oops: bool, older: int, says_more: bool) -> None:
        """One that came some time ago, maybe before others; on a clock of its own, because the wall's may be wrong."""
        came = max(self.now.timestamp() - ago, self.booted.timestamp())
        telemetry = Telemetry(came - self.booted.timestamp())
        if says_more:
            self.count += 1
            telemetry = replace(telemetry, firmware="f", boot=self.boot, count=max(0, self.count - older))
        self.happens(Report(self.now + self.wrong, fob, oops, telemetry, arrived=came))

    @rule(fob=fobs, who=fobs, passed=seconds, share=st.floats(0, 1), number=st.integers(1, 3))
    def was_alone(self, fob: str | None, who: str | None, passed: float, share: float, number: int) -> None:
        """The reader had a session by itself, in some part of the time since the last report, and tells of it."""
        self.now += timedelta(seconds=passed)
        self.count += 1
        up = (self.now - self.booted).total_seconds()
        over = up - passed * share / 2
        alone = OfflineSession(number, who, max(0.0, up - passed, over - passed / 2), max(0.0, over))
        telemetry = Telemetry(up, firmware="f", boot=self.boot, count=self.count)
        came = self.now.timestamp()
        self.happens(Report(self.now, fob, telemetry=telemetry, arrived=came, offline=(alone,)))

    @rule(fobs=st.lists(st.tuples(fobs, st.booleans(), uptimes), min_size=1, max_size=4), passed=seconds)
    def nobody_owns(self, fobs: list[tuple[str | None, bool, float | str | None]], passed: float) -> None:
        """Reports come while no server owns the machine; the next owner has what was kept of them decided."""
        held = holding.Held.of(self.config, self.state)
        for fob, oops, uptime in fobs:
            self.now += timedelta(seconds=passed)
            up = (self.now - self.booted).total_seconds() if isinstance(uptime, str) else uptime
            given = Report(self.now, fob, oops, Telemetry(uptime=up))
            before = held
            held, told = holding.hold(self.config, self.directory, before, given, self.now.timestamp())
            assert before.relay or not told.relay
            assert told.relay or not told.second_relay
            assert not told.relay or told.always_on or (before.state.card and before.state.card.fob == fob)
        for kept in held.inputs:
            self.happens(kept, Refusal.MOVING)
        if not held.relay:
            assert self.state.session is None, "nothing runs on that its reader was told is off"

    @rule(days=st.sampled_from([0, -20_000, -1, 1, 20_000]))
    def wall_clock_is_set(self, days: int) -> None:
        self.wrong = timedelta(days=days)

    @rule()
    def reader_restarts(self) -> None:
        self.booted = self.now
        self.boot, self.count = self.boot + 1, 0

    @rule()
    def server_restarts(self) -> None:
        before = self.state
        self.state = resumed(before, self.now.timestamp())
        assert self.state == before
        assert session_seconds(self.state) == session_seconds(before)

    @rule(kind=admins, by=st.sampled_from([None, "U1", "U2"]), source=st.sampled_from(Source), passed=seconds)
    def admin(self, kind: Callable[..., Command], by: str | None, source: Source, passed: float) -> None:
        self.now += timedelta(seconds=passed)
        self.happens(kind(self.now, source, by))

    @rule(data=st.data())
    def configured(self, data: st.DataObject) -> None:
        was, self.config = self.config, data.draw(st.sampled_from(self.configs))
        self.state = take(was, self.config, self.directory, self.state, Configured(self.now)).state

    @rule(directory=st.sampled_from([PEOPLE, ENFORCED, FEWER]))
    def users_changed(self, directory: Directory) -> None:
        before = outputs(self.config, self.state)
        self.directory = directory
        self.happens(Configured(self.now))
        assert outputs(self.config, self.state) == before

    @rule()
    def removed(self) -> None:
        self.happens(Removed(self.now))

    @invariant()
    def safe(self) -> None:
        check_state(self.config, self.state)


TestHistory = pytest.mark.untraced(History.TestCase)
TestHistory.settings = settings(database=None)
