"""From what people call a machine to its name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Protocol

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
    """Finds machines by name or alias, without regard to case, exactly: a near miss is only ever suggested.

    An emoji and its short name (``🔥``, ``:fire:``) are the same.
    """

    def __init__(self, machines: Iterable[Named]) -> None:
        self._exact: dict[str, str] = {}
        self._written: dict[str, str] = {}
        for machine in machines:
            for name in filter(None, (machine.name, machine.alias)):
                self._exact[fold_name(name)] = machine.name
                self._written[fold_name(name)] = name
        self._with_emoji = {_with_emoji(folded): name for folded, name in self._exact.items()}

    def find(self, name_or_alias: str) -> str:
        """Return the machine's name. Raises :class:`UnknownMachine` with the nearest names."""
        folded = fold_name(name_or_alias)
        name = self._exact.get(folded) or self._with_emoji.get(_with_emoji(folded))
        if name is None:
            raise UnknownMachine(name_or_alias, self.nearest(name_or_alias))
        return name

    def nearest(self, wrong: str, limit: int = 3) -> list[str]:
        """Return names and aliases that look like ``wrong``, the nearest first, each machine once."""
        from rapidfuzz import fuzz, process  # 4 MB, hardly ever needed, and never by a reader

        hits = process.extract(
            wrong[:LONGEST].casefold(), self._written.keys(), scorer=fuzz.WRatio, score_cutoff=70, limit=10
        )
        best: dict[str, str] = {}
        for folded, _score, _index in hits:
            best.setdefault(self._exact[folded], self._written[folded])
        return list(best.values())[:limit]


def _with_emoji(folded: str) -> str:
    """Return a folded name with emoji for their short names, which are what Slack sends."""
    return fold_name(re.sub(r":[\w+'-]+:", _emoji, folded))


def _emoji(short_name: re.Match[str]) -> str:
    import emoji  # here because it takes a while, and is hardly ever needed

    found = emoji.emojize(short_name[0], language="alias")
    try:
        return unicodedata.lookup(found.strip(":").replace("_", " ")) if found == short_name[0] else found
    except KeyError:
        return found
