"""The gauges of each machine as text. They are nearly all of a scrape, so they are written without detours.

One line is a name, labels and a value, in Prometheus's text format and in OpenMetrics alike. Why prometheus-client
does not write them: docs/decisions/0011-metrics.rst.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from mac_actors.core.config import MachineConfig
from mac_actors.core.outputs import outputs
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.web.metrics.table import MACHINE_GAUGES, SECOND, Seen

MACHINES_AT_ONCE = 20
"""After so many machines whoever waits gets a turn: a thread that computes holds up all others."""

TURN_SECONDS = 0.0002
"""A pause in which another thread really gets the interpreter; without one it waits 5 ms for its turn."""


def machine_text(fleet: MachineFleet) -> str:
    """Return the gauges of all machines, each metric's lines together."""
    families = [[f"# HELP {gauge.name} {gauge.help}\n# TYPE {gauge.name} {gauge.kind}\n"] for gauge in MACHINE_GAUGES]
    directory = fleet.configuration.directory
    now = datetime.now(UTC)
    for number, (config, state) in enumerate(fleet.published(), 1):
        card = state.card
        known = card is not None and (state.session is not None or directory.find(card.fob) is not None)
        _add(families, Seen(config, state, outputs(config, state), known, now))
        if number % MACHINES_AT_ONCE == 0:
            time.sleep(TURN_SECONDS)
    return "".join(["".join(family) for family in families])


def _add(families: list[list[str]], seen: Seen) -> None:
    """Add a machine's lines to the families, which are in the order of the table."""
    own, second = _labels(seen.config)
    for gauge, family in zip(MACHINE_GAUGES, families, strict=True):
        if gauge.labels is not SECOND:
            labels = own
        elif second is not None:
            labels = second
        else:
            continue
        value = gauge.value(seen)
        if value is True:
            family.append(f"{gauge.name}{{{labels}}} 1.0\n")
        elif value is False:
            family.append(f"{gauge.name}{{{labels}}} 0.0\n")
        elif isinstance(value, dict):
            label = gauge.labels[-1]
            family.extend(
                [f'{gauge.name}{{{labels},{label}="{_escape(key)}"}} {part!r}\n' for key, part in value.items()]
            )
        elif value is not None:
            family.append(f"{gauge.name}{{{labels}}} {float(value)!r}\n")


def _labels(config: MachineConfig) -> tuple[str, str | None]:
    """Return the labels of a machine, and those of its second relay if it has one."""
    own = f'machine_name="{_escape(config.name)}",display_name="{_escape(config.display_name)}"'
    second = config.second_relay
    return own, None if second is None else f'{own},second_relay_alias="{_escape(second.alias or "")}"'


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
