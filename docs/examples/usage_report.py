"""Says how much each machine was used in the last days.

python usage_report.py 7
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

from mac_actors import AnyFleet, Fleet, RemoteFleet


def report(fleet: AnyFleet, since: datetime) -> str:
    """Return a table: sessions and hours of each machine, the busiest first."""
    sessions: Counter[str] = Counter()
    hours: Counter[str] = Counter()
    for outcome in fleet.events(since=since):
        ended = getattr(outcome, "ended", None)  # whatever ended the session: its card, an oops, a lock
        if ended:
            sessions[outcome.machine] += 1
            hours[outcome.machine] += ended.seconds / 3600
    names = {machine.name: machine.display_name for machine in fleet.snapshots()}  # as they are called today
    lines = [f"{'Machine':24}{'Sessions':>10}{'Hours':>8}"]
    lines += [f"{names.get(name, name):24}{sessions[name]:10}{spent:8.1f}" for name, spent in hours.most_common()]
    return "\n".join(lines)


def main() -> None:
    """Print the report."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    days = int(sys.argv[1])
    fleet: AnyFleet = RemoteFleet() if "MAC_URL" in os.environ else Fleet.open()
    with fleet:
        print(report(fleet, datetime.now(UTC) - timedelta(days=days)))


if __name__ == "__main__":
    main()
