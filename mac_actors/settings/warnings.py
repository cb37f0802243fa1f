"""What is right in each file by itself and most likely not meant: authorizations that the other does not know."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from mac_actors.core.config import Configuration, fold_name
from mac_actors.core.offline import MOST_FOBS, possible_fobs
from mac_actors.core.people.trainers import asked_for
from mac_actors.core.text import count

SHOWN = 10
"""Authorizations that open no machine, at the most; a CRM may have many that are for other things."""


SOON_SECONDS = 30.0
"""Readers report every 10 s, and an answer has 3 s: with less, one that is lost is taken for a server that is."""


def warnings_of(configuration: Configuration) -> list[str]:
    """Say which authorizations a machine asks for and nobody has, and which open no machine."""
    users = configuration.directory.users
    held = sorted({name for user in users for name in user.authorizations})
    asked: dict[str, list[str]] = {}
    for machine in configuration.machines.values():
        for name in sorted(asked_for([machine])):
            asked.setdefault(name, []).append(machine.name)
    lacking = [name for name in asked if name not in held] if users else []
    lines = [
        f"nobody has the authorization {name!r}, which {', '.join(asked[name])} asks for{_nearest(name, held)}"
        for name in lacking
    ]
    idle = [name for name in held if name not in asked]
    if asked and idle:
        more = f" and {len(idle) - SHOWN} more" if len(idle) > SHOWN else ""
        lines.append(
            f"{count(len(idle), 'authorization')} that users have {'opens' if len(idle) == 1 else 'open'} no machine: "
            f"{', '.join(map(repr, idle[:SHOWN]))}{more}"
        )
    now = datetime.now(UTC)
    for machine in configuration.machines.values():
        if machine.offline.after_seconds < SOON_SECONDS:
            lines.append(
                f"{machine.name}: offline.after_seconds is {machine.offline.after_seconds:g}; take {SOON_SECONDS:g} or "
                "more, or one answer that is late makes the server count as lost"
            )
        if machine.offline.list and (fobs := possible_fobs(machine, configuration.directory, now)) > MOST_FOBS:
            lines.append(
                f"{machine.name}: {fobs} fobs may run it, and the list for its reader holds {MOST_FOBS}: it stays "
                "empty, and nothing starts there without the server"
            )
    return lines


def offline_summary(configuration: Configuration) -> str:
    """Say what readers do without the server, machine by machine; empty: as ever."""
    parts, now = [], datetime.now(UTC)
    for machine in configuration.machines.values():
        fobs = possible_fobs(machine, configuration.directory, now)
        if words := machine.offline.text(f"{count(fobs, 'fob')} may start it"):
            parts.append(f"{machine.name} {words}")
    return "; ".join(parts)


def _nearest(name: str, held: Iterable[str]) -> str:
    found = nearest(name, held)
    return f": did you mean {found!r}?" if found else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return which of the authorizations that are known is most likely meant; ``None``: none is like it."""
    from rapidfuzz import fuzz, process  # 4 MB that a server need not have where all is right

    found = process.extractOne(name, known, scorer=fuzz.WRatio, processor=fold_name, score_cutoff=70)
    return found[0] if found else None
