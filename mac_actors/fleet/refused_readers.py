"""Machines whose reader's reports are refused: people are told once of each, until a report is accepted again."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from mac_actors.core.config import MachineConfig

NOTIFY_AT_MOST, NOTIFY_WITHIN_SECONDS = 3, 3600.0
"""How often in this time people are told of a machine, even if some reports are accepted between: somebody who sends
wrong reports beside the right reader must not flood the channel."""


class RefusedReaders:
    """``why`` has the reasons, by machine, for all who show machines."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        self.why: dict[str, str] = {}
        self._notify = notify
        self._notified: dict[str, deque[float]] = {}
        self._adding = threading.Lock()

    def add(self, machine: MachineConfig, why: str) -> None:
        """Note that a report of this machine was refused."""
        name = machine.name
        now = time.monotonic()
        with self._adding:
            known = name in self.why
            self.why[name] = why
            times = self._notified.setdefault(name, deque(maxlen=NOTIFY_AT_MOST))
            if known or (len(times) == NOTIFY_AT_MOST and now - times[0] < NOTIFY_WITHIN_SECONDS):
                return
            times.append(now)
        called = f" ({name})" if machine.alias else ""  # its reader knows no alias
        self._notify(
            f"{machine.display_name}{called}: the reports of its reader are refused, so it can't be stopped from here. "
            f"Look at the machine, then mend its reader ({why})."
        )

    def remove(self, name: str) -> None:
        """Note that a report was accepted."""
        if self.why:
            self.why.pop(name, None)
