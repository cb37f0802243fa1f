"""The watch: a thread that does its chores four times a second, until it is stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from mac_actors.core.changed import Changed
from mac_actors.errors import FleetClosed

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
"""How often chores are done: well within the second that a dead actor's return may take."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to be done every ``seconds``, or each time. One that fails does not hold up the others."""

    name: str
    do: Callable[[], None]
    seconds: float = 0.0
    failing: Changed = field(default_factory=lambda: Changed(None))


class Watch:
    """A thread, not an actor: it must outlive any of them."""

    def __init__(self, name: str, *chores: Chore) -> None:
        self._chores = chores
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5) -> None:
        """End it after the chore under way, which is waited for, ``timeout`` seconds at the most."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        turn = 0
        while not self._stopping.wait(WATCH_SECONDS):
            for chore in self._chores:
                if turn % max(1, int(chore.seconds / WATCH_SECONDS)) == 0:
                    try:
                        chore.do()
                        chore.failing(None)
                    except FleetClosed:
                        return
                    except Exception as error:
                        if chore.failing(type(error)):
                            log.exception("the watch failed to %s; it goes on, and says this once", chore.name)
            turn += 1
