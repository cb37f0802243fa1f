"""Diagrams drawn of the code itself, by Graphviz; where that is not installed, the same as text.

``floors``: which room imports which. ``states``: what each input makes of a machine, by asking ``decide``.
``report``: the way of a report, traced.
"""

from __future__ import annotations

import ast
import shutil
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import mac_actors
from docs.extension.trace import trace_report
from mac_actors.core.inputs import Clear, Input, Lock, Oops, Report, Unlock, Unoops
from mac_actors.core.state import MachineState, SessionKind, Source, Telemetry
from mac_actors.core.transitions import decide
from mac_actors.settings.files import parse

ROOT = Path(mac_actors.__file__).parent
BLUE = "#4a6785"
STYLE = (
    'bgcolor=transparent; node [shape=box, style="rounded,filled", fillcolor="#eef3f8", fontname="sans-serif", '
    f'fontsize=11, color="{BLUE}"]; edge [color="{BLUE}", fontcolor="{BLUE}", fontname="sans-serif", fontsize=9]; '
    f'graph [color="{BLUE}", fontcolor="{BLUE}", fontname="sans-serif", fontsize=10];'
)
LEFT_OUT = {"__main__", "clock", "errors", "version"}
"""Rooms that are not drawn: they hold next to nothing, or all others import them."""


def diagram(name: str) -> list[str]:
    """The lines of one diagram."""
    nodes, edges = _DIAGRAMS[name]()
    if shutil.which("dot") is None:
        return [".. code-block:: text", "", *(f"   {a} -> {b}{f': {label}' if label else ''}" for a, b, label in edges)]
    lines = ["digraph {", STYLE]
    lines += nodes
    lines += [f'"{a}" -> "{b}"' + (f' [label="{label}"]' if label else "") + ";" for a, b, label in edges]
    return [".. graphviz::", f"   :alt: {name}, drawn of the code", "", *(f"   {line}" for line in [*lines, "}"])]


Drawing = tuple[list[str], list[tuple[str, str, str]]]


def _floors() -> Drawing:
    """The floors of the import contract. An arrow is left out where others lead the same way."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = [[room for room in layer.split(" | ") if room not in LEFT_OUT] for layer in layers]
    rooms = {room for floor in floors for room in floor}
    below: dict[str, set[str]] = {}
    edges = []
    for room in (room for floor in reversed(floors) for room in floor):
        imported = {other for other in _imported(room) if other in rooms and other != room}
        further = set().union(*(below[other] for other in imported))
        below[room] = imported | further
        edges += [(room, other, "") for other in sorted(imported - further)]
    return ["{rank=same; " + " ".join(f'"{room}"' for room in floor) + "}" for floor in floors if floor], edges


def _imported(room: str) -> Iterator[str]:
    for source in (ROOT / f"{room}.py", *(ROOT / room).rglob("*.py")):
        if not source.exists():
            continue
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "mac_actors":
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mac_actors."):
                yield node.module.split(".")[1]


_SHOP = parse(
    {"saw": {"authorizations_or": ["saw"]}},
    [
        {
            "account_id": name,
            "full_name": name,
            "first_name": name,
            "last_name": name,
            "preferred_name": name,
            "email": "",
            "fob_codes": [name],
            "expiration_ymd": "2099-12-31",
            "authorizations": ["saw"],
            "oops_override": name == "override",
        }
        for name in ("card", "override")
    ],
)
_AT = datetime(2026, 1, 1, tzinfo=UTC)


def _states() -> Drawing:
    """Every state that a machine with one authorized card and one override card can come to, from the fresh one."""
    machine = _SHOP.machines["saw"]
    by_admin = (_AT, Source.HTTP)
    inputs: dict[str, Input] = {
        "card in": Report(_AT, "card".rjust(10, "0"), telemetry=Telemetry(uptime=1.0)),
        "override card in": Report(_AT, "override".rjust(10, "0"), telemetry=Telemetry(uptime=1.0)),
        "card out": Report(_AT, None, telemetry=Telemetry(uptime=1.0)),
        "oops": Oops(*by_admin),
        "lock": Lock(*by_admin),
        "unoops": Unoops(*by_admin),
        "unlock": Unlock(*by_admin),
        "clear": Clear(*by_admin),
    }
    first = MachineState(status_since=_AT)
    found, waiting = {first}, [first]
    edges: dict[tuple[str, str], list[str]] = defaultdict(list)
    while waiting:
        state = waiting.pop()
        for label, given in inputs.items():
            after = decide(machine, _SHOP.directory, state, given).state
            a, b = _label(state), _label(after)
            if a != b and label not in edges[a, b]:
                edges[a, b].append(label)
            if after not in found:
                found.add(after)
                waiting.append(after)
    return [f'"{_label(first)}" [penwidth=2];'], [
        (a, b, "\\n".join(labels)) for (a, b), labels in edges.items() if labels
    ]


def _label(state: MachineState) -> str:
    override = state.session is not None and state.session.kind is SessionKind.OVERRIDE
    return state.status.replace("_", " ") + ("\\n(override session)" if override else "")


def _report() -> Drawing:
    """The way of a report that starts a session: traced, thread by thread."""
    nodes, edges = [], []
    for number, (thread, stations) in enumerate(trace_report().items()):
        inside = "; ".join(f'"{station}"' for station in stations)
        nodes.append(f'subgraph cluster_{number} {{label="{thread}"; {inside};}}')
        edges += [(a, b, "") for a, b in pairwise(stations)]
    return nodes, edges + MESSAGES


MESSAGES = [
    ("Journal.record", "Journal.drain", "tell"),
    ("Latch.open", "ReportCalls.answer", "on disk"),
    ("Outgoing.wake", "ChannelNotifier.drain", "tell"),
]
"""What goes from one thread to another."""

_DIAGRAMS: dict[str, Callable[[], Drawing]] = {"floors": _floors, "states": _states, "report": _report}
