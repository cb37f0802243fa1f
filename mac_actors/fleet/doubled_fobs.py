"""One fob in two machines at once: somebody has copied it. Said once, until it is in one alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from mac_actors.core.config import Directory, MachineConfig, User
from mac_actors.core.snapshot import is_online
from mac_actors.core.state import MachineState


class DoubledFobs:
    """Looks at all machines now and then, and returns what is to be said."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def look(
        self, machines: Iterable[tuple[MachineConfig, MachineState]], directory: Directory, now: datetime
    ) -> list[str]:
        """Return the sentences to be posted now: mostly none. A reader that is silent may have lost its card since."""
        places: defaultdict[str, list[str]] = defaultdict(list)
        for config, state in machines:
            if state.card is not None and is_online(state, now):
                places[state.card.fob].append(config.display_name)
        doubled = {fob: found for fob, found in places.items() if len(found) > 1}
        said, self._said = self._said, set(doubled)
        return [_sentence(fob, directory.find(fob), found) for fob, found in doubled.items() if fob not in said]


def _sentence(fob: str, user: User | None, machines: list[str]) -> str:
    which = f"{user.full_name}'s fob" if user else f"The fob ending in {fob[-4:]}"
    where = " and ".join(machines)
    return f"{which} is in {where} at once: somebody has copied it, or a reader does not see that it is out."
