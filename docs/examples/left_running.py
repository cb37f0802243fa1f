"""Reminds of machines that were left running: says so once, and again when they are off.

python left_running.py 4      more than 4 hours are too many
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pykka

from mac_actors import AnyFleet, Fleet, RemoteFleet


def say(text: str) -> None:
    """Tell somebody: here on the terminal. An e-mail would go out from here too."""
    print(text, flush=True)


class LeftRunning(pykka.ThreadingActor):
    """An actor of our own: outcomes come to on_receive, and the clock to look."""

    def __init__(self, fleet: AnyFleet, hours: float, say: Callable[[str], None] = say) -> None:
        super().__init__()
        self._fleet = fleet
        self._limit = timedelta(hours=hours)
        self._say = say
        self._told: set[str] = set()

    def look(self, now: datetime) -> None:
        """Say which sessions have become too long."""
        for machine in self._fleet.snapshots():
            session = machine.session
            if session and now - session.since > self._limit and machine.name not in self._told:
                self._told.add(machine.name)
                since = session.since.astimezone()
                self._say(f"{machine.display_name} still runs: {session.full_name}, since {since:%H:%M}.")

    def on_receive(self, message: Any) -> None:
        """Take an outcome. Whatever ends a session has it as its `ended`."""
        ended = getattr(message, "ended", None)
        if ended and message.machine in self._told:
            self._told.remove(message.machine)
            self._say(f"{message.display_name} is off, after {ended.seconds / 3600:.1f} hours.")


def main() -> None:
    """Look every minute, until Ctrl-C."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    fleet: AnyFleet = RemoteFleet() if "MAC_URL" in os.environ else Fleet.open()
    with fleet, suppress(KeyboardInterrupt):
        reminder = fleet.start(LeftRunning, fleet, hours=float(sys.argv[1]))
        while True:
            reminder.proxy().look(datetime.now(UTC)).get()
            time.sleep(60)


if __name__ == "__main__":
    main()
