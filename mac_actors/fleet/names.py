"""From what people call a machine to its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from rapidfuzz import fuzz, process

from mac_actors.core.config import fold_name
from mac_actors.errors import UnknownMachine

LONGEST = 200
"""Characters of a wrong name that are looked at for suggestions."""


class Named(Protocol):
    """A machine's configuration, or a snapshot."""

    @property
    def name(self) -> str: ...

    @property
    def alias(self) -> str | None: ...


class Names:
    """Finds machines by name or alias, without regard to case, exactly: a near miss is only ever suggested."""

    def __init__(self, machines: Iterable[Named]) -> None:
        self._exact: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        for machine in machines:
            for called in filter(None, (machine.name, machine.alias)):
                self._exact[fold_name(called)] = machine.name
                self._shown[fold_name(called)] = called

    def find(self, called: str) -> str:
        """Return the machine's name. Raises :class:`UnknownMachine` with the nearest names."""
        name = self._exact.get(fold_name(called))
        if name is None:
            raise UnknownMachine(called, self.nearest(called))
        return name

    def nearest(self, called: str, limit: int = 3) -> list[str]:
        """Return names and aliases that look like ``called``, the nearest first, each machine once."""
        hits = process.extract(
            called[:LONGEST].casefold(), self._shown.keys(), scorer=fuzz.WRatio, score_cutoff=70, limit=10
        )
        best: dict[str, str] = {}
        for folded, _score, _index in hits:
            best.setdefault(self._exact[folded], self._shown[folded])
        return list(best.values())[:limit]
