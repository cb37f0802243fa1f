"""What the board shows of each machine, and what of it has changed. All open boards share one view."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from mac_actors.core.config import fold_name
from mac_actors.core.phrases import Phrase, phrase, plural
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import NO_TELEMETRY
from mac_actors.core.text import search_key
from mac_actors.web.pages.html import fill, language

VIEW_SECONDS = 0.25
"""How old a view may be that is shown to the next who asks."""

STATES = {
    "oopsed": phrase("Oopsed"),
    "locked": phrase("Locked out"),
    "offline": phrase("Offline"),
    "in_use": phrase("In use"),
    "free": phrase("Free"),
}
"""The states of a tile, those that need attention first. A machine counts under the first that fits."""

COUNTED = {
    "oopsed": plural("{number} oopsed", "{number} oopsed"),
    "locked": plural("{number} locked out", "{number} locked out"),
    "offline": plural("{number} offline", "{number} offline"),
    "in_use": plural("{number} in use", "{number} in use"),
    "free": plural("{number} free", "{number} free"),
}


@dataclass(frozen=True, slots=True)
class Button:
    """A command that an admin can give on a tile: what its button says, and what it does."""

    label: Phrase
    effect: Phrase
    in_vain: Phrase
    """What is said where it changes nothing: what ``{machine}`` was already."""


BUTTONS = {
    "oops": Button(
        phrase("Oops"),
        phrase("Marks the machine as broken: its power goes off at once, and a running session ends."),
        phrase("{machine} was oopsed already: nothing was changed."),
    ),
    "lock": Button(
        phrase("Lock out"),
        phrase("For maintenance: its power goes off at once, and a running session ends."),
        phrase("{machine} was locked out already: nothing was changed."),
    ),
    "clear": Button(
        phrase("Clear"),
        phrase("Lifts oops and lock-out: the machine may be used again."),
        phrase("{machine} was neither oopsed nor locked out: nothing was changed."),
    ),
}

DONE = Button(
    phrase("Done"), phrase("Its hours begin anew."), phrase("{machine} has no such maintenance: nothing was changed.")
)


@dataclass(frozen=True, slots=True)
class TileContent:
    """What a tile shows. While it is the same, so is the tile."""

    machine: Snapshot
    """Without what changes with each report."""
    state: str
    since: datetime | None
    refused: str | None
    second: str | None = None
    """The alias of its second relay."""

    @classmethod
    def of(cls, machine: Snapshot, second: str | None = None) -> TileContent:
        """Return the content of a machine."""
        since: datetime | None
        last_seen = None if machine.online else machine.last_checkin
        if machine.oops:
            state, since = "oopsed", machine.oops.since
        elif machine.lock:
            state, since = "locked", machine.lock.since
        elif not machine.online:
            state, since = "offline", last_seen
        elif machine.session:
            state, since = "in_use", machine.session.since
        else:
            state, since = "free", machine.status_since
        steady = replace(machine, last_checkin=last_seen, last_update=None, telemetry=NO_TELEMETRY)
        return cls(steady, state, since, machine.refused, second)

    @property
    def word(self) -> str:
        """The state in words."""
        return "Oopsed and locked out" if self.machine.oops and self.machine.lock else STATES[self.state]

    @property
    def search_text(self) -> str:
        """The text that a search looks in."""
        texts = (self.machine.display_name, self.machine.name, self.second or "", self.machine.area or "")
        return search_key(" ".join(dict.fromkeys(texts)))


@dataclass(frozen=True, slots=True)
class Tile:
    """A content, the version of the board that it came with, and its HTML for each kind of viewer that asked for it."""

    content: TileContent
    version: int
    _html: dict[tuple[str, bool], str] = field(default_factory=dict, compare=False, repr=False)

    def html(self, kind: str, names: bool) -> str:
        """Return the tile for a viewer of this ``kind``: ``plain``, ``admin`` or ``kiosk``; on its own page ``page`` or
        ``page-admin``.
        """
        made = self._html.get((kind, names))
        if made is None:
            machine = self.content.machine if names else self.content.machine.without_names()
            values = {"content": self.content, "machine": machine, "kind": kind, "signed": names}
            made = fill("tile.tpl", **values, buttons=BUTTONS, states=STATES).strip()
            self._html[kind, names] = made
        return made


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tiles are to be shown: those with all ``words``, in this ``state``, in this ``area``, this ``machine``;
    empty: any.
    """

    words: str = ""
    state: str = ""
    area: str = ""
    machine: str = ""

    def fits(self, content: TileContent) -> bool:
        """Whether a machine is to be shown."""
        return (
            (not self.machine or content.machine.name == self.machine)
            and (not self.state or content.state == self.state)
            and (not self.area or fold_name(content.machine.area or "") == fold_name(self.area))
            and all(word in content.search_text for word in _words(self.words))
        )


@lru_cache(maxsize=64)
def _words(text: str) -> frozenset[str]:
    """Return the words that are looked for: once for all tiles."""
    return frozenset(search_key(text).split())


@dataclass(frozen=True, slots=True)
class BoardView:
    """The board at one moment: all tiles in their order, and the version that brought the last change."""

    epoch: str
    version: int = 0
    tiles: tuple[Tile, ...] = ()
    ordered: int = 0
    """The version that last changed the order."""

    @property
    def cursor(self) -> str:
        """What tells an open page whether it is up to date."""
        return f"{self.epoch}-{self.version}"

    def shown(self, by: Filter) -> BoardView:
        """Return the view of those that fit."""
        return replace(self, tiles=tuple(tile for tile in self.tiles if by.fits(tile.content)))

    def ordered_for(self, kind: str) -> tuple[Tile, ...]:
        """Return the tiles in the order of this kind: on a wall what needs attention comes first, elsewhere it comes
        first within its area, where there are any.
        """
        if kind == "kiosk" or not self.areas:
            return self.tiles
        return tuple(sorted(self.tiles, key=lambda tile: fold_name(tile.content.machine.area or "\uffff")))

    def order(self, kind: str) -> list[str]:
        """Return the machines' names in that order."""
        return [tile.content.machine.name for tile in self.ordered_for(kind)]

    def only(self, machine: str) -> BoardView:
        """Return the view of one machine."""
        return replace(self, tiles=tuple(tile for tile in self.tiles if tile.content.machine.name == machine))

    @property
    def areas(self) -> list[str]:
        """The areas that there are, each once, in alphabetical order."""
        found = {fold_name(area): area for tile in self.tiles if (area := tile.content.machine.area)}
        return [found[key] for key in sorted(found)]

    @property
    def title(self) -> str:
        """What is oopsed, for the title of the page: ``(2 oopsed) ``."""
        return f"({language().count(*COUNTED['oopsed'], oopsed)}) " if (oopsed := self.counts["oopsed"]) else ""

    @property
    def counts(self) -> dict[str, int]:
        """How many machines are in each state."""
        found = Counter(tile.content.state for tile in self.tiles)
        return {state: found[state] for state in STATES}

    @property
    def summary(self) -> str:
        """The whole board in a line: ``3 free, 2 in use, 1 oopsed``."""
        counts, spoken = self.counts, language()
        parts = [spoken.count(*COUNTED[state], counts[state]) for state in reversed(STATES) if counts[state]]
        return ", ".join(parts) if counts["free"] else ", ".join([spoken.say(phrase("none free")), *parts])


class Board:
    """Looks at the fleet when asked, at most every :data:`VIEW_SECONDS`, and numbers the changes that it finds.

    ``epoch`` is another one after each start of the server: a version means nothing beyond it. ``second`` returns the
    alias of a machine's second relay.
    """

    def __init__(
        self,
        snapshots: Callable[[], list[Snapshot]],
        clock: Callable[[], float] = time.monotonic,
        second: Callable[[str], str | None] = lambda machine: None,
    ) -> None:
        self.epoch = secrets.token_hex(4)
        self._snapshots = snapshots
        self._second = second
        self._clock = clock
        self._lock = threading.Lock()
        self._view = BoardView(self.epoch)
        self._known: dict[str, Tile] = {}
        self._viewed: float | None = None

    def view(self) -> BoardView:
        """Return the board as it is now, or was a moment ago."""
        with self._lock:
            now = self._clock()
            if self._viewed is None or now - self._viewed >= VIEW_SECONDS:
                self._view = self._next_view()
                self._viewed = now
            return self._view

    def refresh(self) -> None:
        """Have the next who asks see what has changed just now."""
        with self._lock:
            self._viewed = None

    def _next_view(self) -> BoardView:
        last, version, known = self._view, self._view.version + 1, self._known
        tiles: dict[str, Tile] = {}
        for machine in self._snapshots():
            content, tile = TileContent.of(machine, self._second(machine.name)), known.get(machine.name)
            tiles[machine.name] = tile if tile is not None and tile.content == content else Tile(content, version)
        ranks = {state: rank for rank, state in enumerate(STATES)}
        ordered = tuple(sorted(tiles.values(), key=lambda tile: ranks[tile.content.state]))
        self._known = tiles
        if ordered == last.tiles:
            return last
        view = BoardView(self.epoch, version, ordered, version)
        same = all(view.order(kind) == last.order(kind) for kind in ("kiosk", "plain"))
        return replace(view, ordered=last.ordered) if same else view
