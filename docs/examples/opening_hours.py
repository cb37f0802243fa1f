"""Locks idle machines when the shop closes, and unlocks those, and no others, when it opens.

python opening_hours.py 9 22      opens at 9, closes at 22, local time
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import datetime

from mac_actors import AnyFleet, Fleet, RemoteFleet

REASON = "closed for the night"
"""By this reason the script knows its own locks again, after a restart too."""


def look(fleet: AnyFleet, opens: int, closes: int, now: datetime) -> None:
    """Do what is due at this moment. May be called as often as one likes."""
    is_open = opens <= now.hour < closes
    for machine in fleet.snapshots():
        ours = machine.lock is not None and machine.lock.reason == REASON
        if is_open and ours:
            fleet[machine.name].unlock(by="opening hours").get()
            print(f"{machine.display_name} is unlocked.", flush=True)
        elif not is_open and machine.status == "idle":  # never one in use: somebody's hands may be in it
            fleet[machine.name].lock(by="opening hours", reason=REASON).get()
            print(f"{machine.display_name} is locked.", flush=True)


def main() -> None:
    """Look every half minute, until Ctrl-C."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    opens, closes = int(sys.argv[1]), int(sys.argv[2])
    fleet: AnyFleet = RemoteFleet() if "MAC_URL" in os.environ else Fleet.open()
    with fleet, suppress(KeyboardInterrupt):
        while True:
            look(fleet, opens, closes, datetime.now())
            time.sleep(30)


if __name__ == "__main__":
    main()
