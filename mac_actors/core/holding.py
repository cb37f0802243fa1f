"""While no server owns the machines, because one is taking over from another: what readers are told meanwhile.

It is decided on the last known state. Nothing turns on; a session whose card is in goes on; a card taken out, a reboot
and Oops turn off. None of it counts yet: what has changed something is kept, for the next owner to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.inputs import Command, Input, Lock, Oops, Report
from mac_actors.core.outputs import ENGLISH, Outputs, outputs, relay_on, second_relay_on
from mac_actors.core.reports import is_older
from mac_actors.core.state import MachineState, Refusal, Source
from mac_actors.core.transitions import decide

SAME_MOMENT = timedelta(seconds=2)
"""By so much the same thing may seem to have come at another time, where one server has passed it on to another."""

KEPT = 40
"""So many inputs of a machine are kept: a loose card must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Held:
    """One machine that nobody owns.

    ``state`` is what its last known one has come to since. ``relay`` and ``second_relay``: what its reader was told
    last. ``inputs``: what the next owner has to be told, in order; none of its reports may start anything there.
    """

    state: MachineState
    relay: bool
    second_relay: bool
    inputs: tuple[Input, ...] = ()

    @classmethod
    def of(cls, config: MachineConfig, state: MachineState) -> Self:
        """Return a machine of which nothing has come yet, since it was in ``state``."""
        return cls(state, relay_on(config, state), second_relay_on(config, state))

    def joined(self, later: Self) -> Self:
        """Return it with what came to the same machine elsewhere: power stays where both have it."""
        oops, lock = self.state.oops or later.state.oops, self.state.lock or later.state.lock
        both = replace(
            self,
            state=replace(self.state, oops=oops, lock=lock),
            second_relay=self.second_relay and later.second_relay,
            inputs=_kept((*self.inputs, *(one for one in later.inputs if one not in self.inputs))),
        )
        return both if self.relay == later.relay else both.without_power()

    def without_power(self) -> Self:
        """Return it off, and its card out: the same card in the next report has to be put in again, and the next owner
        is told so.
        """
        state = replace(self.state, session=None, card=None, always_enabled=False)
        return replace(self, state=state, relay=False, second_relay=False)

    def with_stops(self, state: MachineState) -> Self:
        """Return it with the oops and the lock of ``state`` before all else: who has set them could not write them."""
        stops = tuple(
            kind(flag.since, flag.source, flag.by, flag.reason, flag.public_reason)
            for kind, flag in ((Oops, state.oops), (Lock, state.lock))
            if flag
        )
        return replace(self, inputs=(*stops, *self.inputs))

    def stopped_as(self, config: MachineConfig, known: MachineState) -> Self:
        """Return it with what has stopped the machine since, if an owner is there after all, whom we do not reach."""
        state = self.state
        if (known.oops and not state.oops) or (known.lock and not state.lock):
            state = replace(state, oops=state.oops or known.oops, lock=state.lock or known.lock)
        return replace(
            self,
            state=state,
            relay=self.relay and relay_on(config, known),
            second_relay=self.second_relay and second_relay_on(config, known),
        )


def hold(
    config: MachineConfig,
    directory: Directory,
    held: Held,
    given: Input,
    now: float,
    texts: Mapping[str, str] = ENGLISH,
) -> tuple[Held, Outputs]:
    """Return what an input makes of a machine that nobody owns, and what its reader is told; ``now`` as of
    :func:`~mac_actors.core.transitions.decide`. Only what starts or stops nothing, or stops something, may be given:
    reports, oopses and locks, and a change of configuration.
    """
    if config.always_enabled and not held.state.always_enabled:
        config = replace(config, always_enabled=False)  # the owner has yet to switch it on
    decision = decide(config, directory, held.state, given, now=now, hold=Refusal.MOVING)
    wanted = outputs(config, decision.state, texts)
    relay = held.relay and wanted.relay
    told = replace(
        wanted,
        relay=relay,
        second_relay=relay and held.second_relay and wanted.second_relay,
        always_on=relay and wanted.always_on,
    )
    inputs = held.inputs
    if decision.changed:
        if isinstance(given, Report) and given.fob is not None and not given.oops and not relay:
            # it has to be put in again, as the display says: also where the owner knows of a session that we do not
            inputs = (*inputs, _without_card(given))
        if isinstance(given, Command) and given.arrived is None:
            given = replace(given, arrived=now)
        inputs = _kept((*inputs, given))
    return Held(decision.state, told.relay, told.second_relay, inputs), told


def withhold(
    config: MachineConfig,
    directory: Directory,
    held: Held,
    report: Report,
    now: float,
    texts: Mapping[str, str] = ENGLISH,
) -> tuple[Held, Outputs]:
    """As :func:`hold`, of a report by which a session has begun, but whose answer must not say so any more: as if its
    card had been out and in again, it is blocked.
    """
    out, _ = hold(config, directory, held, _without_card(report), now)
    return hold(config, directory, out, report, now, texts)


def belated(state: MachineState, given: Input) -> Input | None:
    """Return what an input that was held back tells of a machine that is in ``state`` by now; ``None``: nothing, for a
    later report was decided already. That Oops was pressed counts all the same.
    """
    if not isinstance(given, Report):
        return given
    # by the wall clock where this server has had no report: as far as one server's may be off another's
    came_before = state.last_arrival is None and state.last_checkin is not None and given.at < state.last_checkin
    if not came_before and not is_older(state, given):
        return given
    if not given.oops:
        return None
    fob = state.card.fob if state.card else None
    arrived = given.arrived if state.last_arrival is None else state.last_arrival
    return replace(given, fob=fob, telemetry=state.telemetry, arrived=arrived, offline=())


def is_same(one: Input, other: Input) -> bool:
    """Whether both are one oops or lock, one press of the button or one report: two servers hold what one has passed on
    to the other, and each tells the next owner. When it came is known of both but for the way between them.
    """
    return _what(one) == _what(other) is not None and _waits(one) is _waits(other) and _of_one_moment(one, other)


def without_done(given: Input, done: Iterable[Oops | Lock]) -> Input | None:
    """Return what is left of an input where these oopses and locks were set already, by whatever; ``None``: nothing.

    A lock that waits until the machine is free is none yet.
    """
    if isinstance(given, Report):
        pressed = any(one.source is Source.BUTTON and abs(one.at - given.at) < SAME_MOMENT for one in done)
        return replace(given, oops=False) if given.oops and pressed else given
    same = (one for one in done if _what(given) == _what(one) and _of_one_moment(given, one))
    return None if any(_waits(given) or not _waits(one) for one in same) else given


def _waits(given: Input) -> bool:
    return isinstance(given, Lock) and given.when_free


def _of_one_moment(one: Input, other: Input) -> bool:
    """Whether both came at the same time: by the clock that nobody sets, where both have it."""
    timed = Report | Command
    if isinstance(one, timed) and isinstance(other, timed) and one.arrived is not None and other.arrived is not None:
        return abs(one.arrived - other.arrived) < SAME_MOMENT.total_seconds()
    return abs(one.at - other.at) < SAME_MOMENT


def _what(given: Input) -> tuple[object, ...] | None:
    if isinstance(given, Oops | Lock):
        return type(given), given.source, given.by, given.reason
    if isinstance(given, Report):
        return Report, given.fob, given.oops or given.telemetry
    return None


def _without_card(report: Report) -> Report:
    return replace(report, fob=None, offline=())


def _kept(inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    """Leave out one that is between: the first has ended what ran, the last ones say how it is now."""
    while len(inputs) > KEPT:
        gone = next((n for n, one in enumerate(inputs) if n and isinstance(one, Report) and not one.oops), 1)
        inputs = inputs[:gone] + inputs[gone + 1 :]
    return inputs
