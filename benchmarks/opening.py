"""How long a script waits for Fleet.open() and close(), and for its import, by number of machines.

python -m benchmarks.opening [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = """
import sys, time
begun = time.perf_counter()
from mac_actors import Fleet
imported = time.perf_counter()
machines, users = sys.argv[1] + "/machines.json", sys.argv[1] + "/users.json"
fleet = Fleet.open(machines, users, state=None if sys.argv[2] == "-" else sys.argv[2])
opened = time.perf_counter()
fleet.close()
closed = time.perf_counter()
print(imported - begun, opened - imported, closed - opened)
"""
USERS = 1000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    user = {"full_name": "U", "first_name": "U", "last_name": "U", "preferred_name": "U", "email": ""}
    user |= {"expiration_ymd": "2099-01-01", "authorizations": ["M"]}
    print(f"medians of {given.rounds} processes, {USERS} users; seconds: import, open, close")
    for count in (8, 100, 500):
        with tempfile.TemporaryDirectory() as directory:
            shop = Path(directory)
            (shop / "machines.json").write_text(
                json.dumps({f"m{n}": {"authorizations_or": ["M"]} for n in range(count)})
            )
            people = [{**user, "account_id": str(n), "fob_codes": [str(n)]} for n in range(1, USERS + 1)]
            (shop / "users.json").write_text(json.dumps(people))
            state = str(shop / "state")
            for called, where in (("in memory", "-"), ("on disk, new", "new"), ("on disk, again", state)):
                rows = []
                for number in range(given.rounds):
                    place = f"{state}{number}" if where == "new" else where
                    command = [sys.executable, "-c", SCRIPT, directory, place]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    rows.append([float(word) for word in done.stdout.split()])
                columns = [statistics.median(column) for column in zip(*rows, strict=True)]
                print(f"{count:4} machines {called:15} " + "  ".join(f"{seconds:6.3f}" for seconds in columns))


if __name__ == "__main__":
    main()
