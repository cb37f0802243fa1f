"""Maintenance by hours: how long a machine has had power, and what is due after so long.

Time is counted from one report to the next, a minute at the most: what nobody saw is not counted, and nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from mac_actors.core.config import MachineConfig, fold_name
from mac_actors.core.outputs import relay_on
from mac_actors.core.readable import Readable
from mac_actors.core.state import MachineState, Maintained

LONGEST_SECONDS = 60.0
"""More than this is never counted between two reports."""


@dataclass(frozen=True, slots=True, repr=False)
class Upkeep(Readable):
    """One thing to be done again and again: hours with power since it was done, when it is due, since when it is."""

    what: str
    hours: float
    every_hours: float
    due: datetime | None = None


def power_seconds(config: MachineConfig, state: MachineState, gap: float | None) -> float:
    """Return for how long the machine has had power, at a report ``gap`` seconds after the last one."""
    if not config.maintenance or gap is None or not relay_on(config, state):
        return state.power_seconds
    return state.power_seconds + min(max(gap, 0.0), LONGEST_SECONDS)


def aligned(config: MachineConfig, state: MachineState) -> tuple[Maintained, ...]:
    """Return what is kept of each thing after a change of configuration; a new one begins with nothing.

    Where one thing has gone and one has come it was renamed. What is no longer due by its new interval is not.
    """
    wanted = [item.what for item in config.maintenance]
    known = {kept.what: kept for kept in state.maintenance}
    new = [what for what in wanted if what not in known]
    gone = [what for what in known if what not in wanted]
    if len(new) == len(gone) == 1:
        known[new[0]] = replace(known[gone[0]], what=new[0])
    kept = [known.get(what) or Maintained(what, state.power_seconds) for what in wanted]
    return tuple(
        replace(one, due=one.due if state.power_seconds - one.done_at >= item.seconds else None)
        for one, item in zip(kept, config.maintenance, strict=True)
    )


def newly_due(config: MachineConfig, state: MachineState) -> list[int]:
    """Return the places in the configuration of what is due and was not said to be."""
    pairs = zip(config.maintenance, state.maintenance, strict=False)
    return [
        place
        for place, (item, kept) in enumerate(pairs)
        if kept.due is None and state.power_seconds - kept.done_at >= item.seconds
    ]


def place_of(state: MachineState, what: str | None, due: datetime | None = None) -> int | None:
    """Return which thing is meant: that which is ``due`` since then, else by name, if there are more than one."""
    if due:
        return next((place for place, kept in enumerate(state.maintenance) if kept.due == due), None)
    if not what:
        return 0 if len(state.maintenance) == 1 else None
    names = [fold_name(kept.what) for kept in state.maintenance]
    return names.index(fold_name(what)) if fold_name(what) in names else None


def upkeep(config: MachineConfig, state: MachineState) -> tuple[Upkeep, ...]:
    """Return how far everything is."""
    return tuple(
        Upkeep(kept.what, max(0.0, state.power_seconds - kept.done_at) / 3600, item.seconds / 3600, kept.due)
        for item, kept in zip(config.maintenance, state.maintenance, strict=False)
    )
