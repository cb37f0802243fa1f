"""The machine actor: one for each machine, so that its transitions happen one at a time.

It decides (pure), hands what came of it to the journal, adopts the new state and answers with the outputs.
It never waits for anything: whoever asked waits for the disk in :meth:`PendingAnswer.settle`, within the commit budget.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pykka
from pykka.typing import proxy_method

from mac_actors import clock
from mac_actors.actors.journal import DISK_FULL, Journal
from mac_actors.actors.messages import (
    MOVING,
    Arrived,
    Commanded,
    HeldBack,
    Reconfigure,
    SaveTelemetry,
    TellWhenFree,
    Withheld,
)
from mac_actors.actors.poker import Poker
from mac_actors.actors.refs import LiveRef
from mac_actors.actors.replies import Answer, Latch, PendingAnswer
from mac_actors.actors.runtime import MacActor, Ping, SharedInbox
from mac_actors.core.changed import Changed
from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.decision import Already, Decision
from mac_actors.core.flapping import Flapping
from mac_actors.core.holding import KEPT, Held, belated, hold, is_same, withhold
from mac_actors.core.inputs import Clear, Command, Configured, Done, Input, Lock, Oops, Removed, Report, Unlock, Unoops
from mac_actors.core.notices import Notice, member
from mac_actors.core.outcomes import CardSeen, LockSet, OopsSet, Outcome, Rebooted, SessionRefused
from mac_actors.core.outputs import Outputs, outputs
from mac_actors.core.phrases import phrase
from mac_actors.core.reports import arrival, is_older
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import MachineState, Refusal, Source, Status
from mac_actors.core.text import check_text
from mac_actors.core.transitions import decide
from mac_actors.core.two_readers import TwoReaders
from mac_actors.core.wording import public_text
from mac_actors.errors import MachineUnavailable
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record, record_state

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MachineContext:
    """What all machine actors share: their ways out, none of which may block."""

    journal: Journal
    poker: Poker
    commit_budget: float
    """Seconds that an answer may wait for the disk."""
    notices: Callable[[Outcome, MachineState, MachineConfig], tuple[Notice, ...]]
    """Returns what is to be posted of an outcome."""
    webhooks: Callable[[Outcome], tuple[Notice, ...]]
    """Returns what is to be written for webhooks."""
    announce: Callable[[tuple[Outcome, ...]], None]
    notify: Callable[[str], None]
    """Says a line to the control channel and the log."""
    refused: Mapping[str, str]
    """Why reports of readers are refused, by machine."""
    displays: Mapping[str, str]
    """The texts of the readers' displays in the shop's language, by the English ones."""
    keyed: Container[str]
    """Machines whose readers have keys."""
    waiting: dict[str, list[str]]
    """Members of the chat who want to be told when a machine is free, by machine; its actor alone changes them."""
    holds: Callable[[], bool] = lambda: False
    """Whether this server does not own the machines now: it then turns nothing on, and nothing counts."""
    held: dict[str, Held] = field(default_factory=dict)
    """What has come to machines since, by name; each machine's actor alone changes its own."""
    stops: dict[str, tuple[Latch, frozenset[datetime]]] = field(default_factory=dict)
    """By machine, whether its last oops or lock is on disk, and when that was set and those before it that were not."""
    written: dict[str, Latch] = field(default_factory=dict)
    """By machine, what is open once its last change is on disk; its actor alone sets it, and one that is restarted goes
    on with it.
    """
    published: dict[str, tuple[MachineConfig, MachineState]] = field(default_factory=dict)
    """Each machine's rules and state, as its actor last published them."""


class MachineActor(MacActor):
    """One machine. Whoever sends it a message carries that out itself while the actor has nothing to do."""

    @staticmethod
    def _create_actor_inbox() -> Any:
        return SharedInbox()

    def __init__(
        self,
        config: MachineConfig,
        directory: Directory,
        state: MachineState,
        context: MachineContext,
    ) -> None:
        super().__init__()
        cast(SharedInbox, self.actor_inbox).share(self.on_receive)
        self._config = config
        self._directory = directory
        self._state = state
        self._outputs = outputs(config, state, context.displays)
        self._told: Outputs | None = None
        """What the reader was told last."""
        self._context = context
        self._saved_checkin = state.last_checkin
        self._left_out = False
        """Whether the journal was too full for the last change: the state is written later."""
        self._taken_up: deque[Input] = deque(maxlen=KEPT)
        """What was held back and is decided."""
        self._flapping = Flapping()
        self._two_readers = TwoReaders()
        self._two_readers_changed = Changed()

    def _start_actor_loop(self) -> None:
        cast(SharedInbox, self.actor_inbox).start_later(super()._start_actor_loop)

    def on_receive(self, message: Any) -> Any:
        """Carry out an input (answered with an :class:`Answer`), or one of the fleet's messages."""
        match message:
            case Arrived():
                return self._report(message)
            case Commanded(command=command, chat_event=chat_event):
                return self._apply(command, (chat_event, command.at))
            case Reconfigure(directory=directory, config=config, at=at):
                self._directory, before = directory, self._outputs
                if config is None:
                    return None
                self._config = config
                self._outputs = outputs(config, self._state, self._context.displays)
                answer = self._apply(Configured(at))
                if self._outputs != before:
                    self._context.poker.poke(self._config)
                if before.relay and self._outputs.second_relay and not before.second_relay:
                    self._context.notify(f"{config.display_name}: its second relay is on (it is always enabled).")
                return answer
            case TellWhenFree():
                return self._tell_when_free(message)
            case Withheld(report=report):
                return self._hold_back(report, withhold)
            case HeldBack(inputs=inputs):
                return self._take_up(inputs)
            case SaveTelemetry():
                self._take_up()
                self._save()
                return None
            case Ping():
                return None
            case _:
                return self._apply(message)

    def _report(self, arrived: Arrived) -> Answer | PendingAnswer:
        if self._context.holds():
            return self._hold_back(arrived.report)
        self._take_up()
        answer = self._apply(arrived.report, hold=self._hold(arrived))
        self._told = self._outputs
        self._say_that_it_is_quiet()
        return answer

    def _hold(self, arrived: Arrived) -> Refusal | None:
        """Whether there is a reason of the server's own to start no session by this report."""
        report = arrived.report
        if is_older(self._state, report):
            return None  # it changes nothing anyway
        self._context.poker.heard(self._config.name, arrival(report), arrived.address, report.telemetry.poke)
        two_readers = self._two_readers.seen(arrival(report), report.telemetry, arrived.address)
        if self._two_readers_changed(two_readers) and two_readers:
            self._context.notify(
                f"{self._config.display_name}: two boards report under the name {self._config.name}. "
                "Nothing starts there until one of them is switched off or given its own name."
            )
        if self._context.journal.full:
            return Refusal.STORAGE
        if arrived.gone():
            return Refusal.LATE
        return Refusal.TWO_READERS if two_readers else None

    # what scripts call; mac_actors.Machine says what each does

    def oops(self, by: str | None = None, reason: str | None = None) -> Answer:
        return self._command(Oops(_now(), Source.REPL, by, reason))

    def lock(self, by: str | None = None, reason: str | None = None, *, when_free: bool = False) -> Answer:
        return self._command(Lock(_now(), Source.REPL, by, reason, when_free=when_free))

    def clear(self, by: str | None = None, reason: str | None = None) -> Answer:
        return self._command(Clear(_now(), Source.REPL, by, reason))

    def unoops(self, by: str | None = None, reason: str | None = None) -> Answer:
        return self._command(Unoops(_now(), Source.REPL, by, reason))

    def unlock(self, by: str | None = None, reason: str | None = None) -> Answer:
        return self._command(Unlock(_now(), Source.REPL, by, reason))

    def done(self, what: str | None = None, by: str | None = None) -> Answer:
        return self._command(Done(_now(), Source.REPL, by, what))

    def snapshot(self) -> Snapshot:
        context, name = self._context, self._config.name
        refused, took = context.refused.get(name), context.poker.took.get(name)
        return Snapshot.of(self._config, self._state, _now(), refused, took, keyed=name in context.keyed)

    def _command(self, command: Command) -> Answer:
        check_text(by=command.by, reason=command.reason)
        # What the future's get() returns, once it has settled, is an Answer: that is what callers see.
        result: Any = self._apply(command)
        return result  # type: ignore[no-any-return]

    def _apply(
        self,
        given: Input,
        seen: tuple[str, datetime] | None = None,
        *,
        hold: Refusal | None = None,
    ) -> Answer | PendingAnswer:
        if self._context.holds():
            return self._hold_back(given)
        self._take_up()
        journal = self._context.journal
        if journal.full and not hold and not isinstance(given, Report | Configured | Removed):
            raise MachineUnavailable(DISK_FULL)
        if isinstance(given, Command) and given.until is not None and clock.seconds() > given.until:
            raise MachineUnavailable(
                phrase("this command waited too long in the server: nothing was changed; try again")
            )
        had_power = self._outputs.relay
        decision = decide(self._config, self._directory, self._state, given, now=clock.seconds(), hold=hold)
        if decision.changed and hold is Refusal.STORAGE and self._leaves_out(decision):
            self._outputs = outputs(self._config, decision.state, self._context.displays)
        elif decision.changed:
            new = outputs(self._config, decision.state, self._context.displays)
            record = Record(
                record_state(self._config.name, decision.state),
                tuple(
                    (journal_row(one), self._notices(one, decision.state) + self._context.webhooks(one))
                    for one in decision.outcomes
                ),
                seen=seen,
            )
            self._context.written[self._config.name] = written = journal.record(record)
            if stops := frozenset(one.flag.since for one in decision.outcomes if isinstance(one, OopsSet | LockSet)):
                before, earlier = self._context.stops.get(self._config.name, (written, stops))
                is_there = before.is_open and before.durable
                self._context.stops[self._config.name] = written, stops if is_there else stops | earlier
            self._outputs, self._saved_checkin, self._left_out = new, decision.state.last_checkin, False
        elif seen:
            journal.record(Record(seen=seen))  # a repetition may no longer find it to be so already
        self._state = decision.state
        self._context.published[self._config.name] = (self._config, decision.state)
        if decision.outcomes:
            self._context.announce(decision.outcomes)
        if decision.state.status is Status.IDLE and not isinstance(given, Removed):
            self._tell_that_it_is_free(decision.outcomes, given.at)
        for refused in decision.refused:
            self._context.notify(f"{self._config.display_name}: {refused}.")
        self._poke(given, decision.outcomes, had_power=had_power)
        answer = Answer(self._outputs, decision.outcomes, decision.already, offline=decision.offline)
        if decision.changed or decision.already or decision.offline:
            # what is so already, too, counts as done only once it is on disk
            last = self._context.written.get(self._config.name)
            return PendingAnswer(answer, last, self._context.commit_budget) if last else answer
        return answer

    def _poke(self, given: Input, outcomes: tuple[Outcome, ...], *, had_power: bool) -> None:
        if isinstance(given, Command):
            stopped = any(isinstance(outcome, OopsSet | LockSet) for outcome in outcomes)
            self._context.poker.poke(self._config, stops=stopped and had_power)
        elif any(isinstance(outcome, LockSet) for outcome in outcomes):
            self._context.poker.poke(self._config)  # a report ended the session that a lock had waited for

    def _leaves_out(self, decision: Decision) -> bool:
        """Whether the full journal does without a change: it has one of this machine already, and nothing stops by it.

        Otherwise cards that are put in and out would fill the memory. The state is written after the one that waits.
        """
        written = self._context.written.get(self._config.name)
        if written is None or written.is_open or decision.offline or not all(map(_stops_nothing, decision.outcomes)):
            return False
        if not self._left_out:
            self._left_out = True
            written.then(self._save_soon)
        return True

    def _save_soon(self) -> None:
        with contextlib.suppress(pykka.ActorDeadError, MachineUnavailable):
            self.actor_ref.tell(SaveTelemetry())

    def _save(self) -> None:
        if self._state.last_checkin == self._saved_checkin or self._context.holds():
            return
        name = self._config.name
        written, record = self._context.written.get(name), Record(record_state(name, self._state))
        if self._left_out:
            self._context.written[name], self._left_out = self._context.journal.record(record), False
        elif written is None or written.is_open:
            self._context.journal.record_later(record)
        else:
            return
        self._saved_checkin = self._state.last_checkin

    def _hold_back(self, given: Input, how: Callable[..., tuple[Held, Outputs]] = hold) -> Answer:
        """Answer while this server owns nothing: neither adopted nor recorded, but kept to be decided later."""
        if not isinstance(given, Report | Oops | Lock | Configured):
            raise MachineUnavailable(MOVING)
        held = self._context.held.get(self._config.name)
        if held is None:
            held = Held.of(self._config, self._state)
            if self._told:  # what was decided since, but never said, turns nothing on
                held = replace(held, relay=held.relay and self._told.relay, second_relay=self._told.second_relay)
        held, told = how(self._config, self._directory, held, given, clock.seconds(), self._context.displays)
        self._context.held[self._config.name], self._told = held, told
        if isinstance(given, Command):
            self._context.poker.poke(self._config)
        return Answer(told, durable=False)

    def _take_up(self, inputs: tuple[Input, ...] = ()) -> None:
        """Decide what was held back, here or by another server, now that this one owns the machines."""
        if self._context.held and not self._context.holds():
            held = self._context.held.pop(self._config.name, None)
            inputs = held.inputs + inputs if held else inputs
        for given in inputs:
            if any(is_same(given, one) for one in self._taken_up):
                continue  # it may have been lifted since
            self._taken_up.append(given)
            try:
                if still := belated(self._state, given):
                    self._apply(still, hold=Refusal.MOVING)
            except Exception:  # those behind it count all the same
                log.exception("%s: what was held back was not decided: %r", self._config.name, given)

    def _notices(self, outcome: Outcome, state: MachineState) -> tuple[Notice, ...]:
        was_active = self._flapping.active
        if not self._flapping.hides(outcome, clock.seconds()):
            return self._context.notices(outcome, state, self._config)
        if not was_active:
            self._context.notify(
                f"{self._config.display_name}: one card comes and goes, {self._flapping.count} times within a minute. "
                "Is it loose, or its switch? Until it is quiet for a minute, the journal alone has each time."
            )
        return ()

    def _tell_when_free(self, wish: TellWhenFree) -> Answer | PendingAnswer:
        """Remember who is to be told, or forget it; the answer says what was so already."""
        if self._context.holds():
            raise MachineUnavailable(MOVING)
        name, member = self._config.name, wish.member
        waiting = self._context.waiting.setdefault(name, [])
        answer = Answer(self._outputs)
        if wish.off is (member not in waiting):
            return replace(answer, already=(Already.NOT_WAITING if wish.off else Already.WAITING,))
        if self._state.status is Status.IDLE and not wish.off:
            return replace(answer, already=(Already.FREE,))
        if wish.off:
            waiting.remove(member)
            record = Record(told=((name, member),))
        else:
            waiting.append(member)
            record = Record(wait=((name, member, wish.at),))
        return PendingAnswer(answer, self._context.journal.record(record), self._context.commit_budget)

    def _tell_that_it_is_free(self, outcomes: tuple[Outcome, ...], at: datetime) -> None:
        """Tell those who wait, once: that they are told is written together with the message."""
        name = self._config.name
        if waiting := self._context.waiting.pop(name, None):
            happened = f"{public_text(outcomes[-1])} " if outcomes else ""
            text = f"{happened}{self._config.display_name} is free now."
            told = tuple((name, who) for who in waiting)
            messages = tuple((at, Notice(member(who), text)) for who in waiting)
            self._context.journal.record(Record(notices=messages, told=told))

    def _say_that_it_is_quiet(self) -> None:
        if self._flapping.is_over(clock.seconds()):
            session = self._state.session
            self._context.notify(
                f"{self._config.display_name}: the card is quiet again, after {self._flapping.count} times. "
                + (f"{session.full_name}'s session runs." if session else "No session runs.")
            )


class MachineProxy(pykka.ActorProxy[MachineActor]):
    """A machine as scripts see it: every call is a message, and its future's ``get()`` waits for the outcome.

    It may be kept: each call finds the machine's present actor.
    """

    if TYPE_CHECKING:  # what runs is __getattr__, which attributes of this class would hide
        oops = proxy_method(MachineActor.oops)
        lock = proxy_method(MachineActor.lock)
        clear = proxy_method(MachineActor.clear)
        unoops = proxy_method(MachineActor.unoops)
        unlock = proxy_method(MachineActor.unlock)
        snapshot = proxy_method(MachineActor.snapshot)

    def __init__(self, name: str, ref: LiveRef[MachineActor]) -> None:
        # Not the base's own: that would pin one actor.
        self._name = name
        self._ref = ref

    @property
    def actor_ref(self) -> pykka.ActorRef[MachineActor]:  # type: ignore[override]
        """The ref of the machine's present actor."""
        return self._ref.present

    def __getattr__(self, name: str) -> Any:
        """Return one of the machine's calls, or anything else that pykka's proxies have."""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        if name in CALLS:
            return pykka.CallableProxy(actor_ref=self._ref, attr_path=(name,))
        return getattr(self.actor_ref.proxy(), name)

    def __repr__(self) -> str:
        """Return which machine it is."""
        return f"<{type(self).__name__} of {self._name}>"

    def __eq__(self, other: object) -> bool:
        """Whether both are of one machine."""
        return isinstance(other, MachineProxy) and self._name == other._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __dir__(self) -> list[str]:
        """Return what a person would call; completion shows it."""
        return ["actor_ref", *CALLS]


CALLS = ("clear", "done", "lock", "oops", "snapshot", "unlock", "unoops")
"""What scripts call on a machine."""


def _stops_nothing(outcome: Outcome) -> bool:
    return isinstance(outcome, SessionRefused | CardSeen) or (isinstance(outcome, Rebooted) and outcome.ended is None)


def _now() -> datetime:
    return datetime.now(UTC)
