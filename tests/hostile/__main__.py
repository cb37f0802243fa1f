"""Every attack for long and at large, and what becomes of honest readers: ``python -m tests.hostile [--seconds 20]``.

Each has a server of its own. Exit status 1: a reader was not answered, the server took too much memory, or it was not
whole afterwards. The latencies are beside those of the same server without an attack.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.hostile import attacks
from tests.hostile.siege import MEMORY_MB, Besieged, certificate


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--times", type=int, default=4, help="how many times the small size")
    options.add_argument("names", nargs="*", help="attacks; all of them if none is named")
    given = options.parse_args()
    bad = 0
    for tls, table in ((False, attacks.PLAIN), (True, attacks.TLS)):
        for name, (_, size) in table.items():
            if not given.names or name in given.names:
                bad += not _endures(name, given.seconds, size * given.times, tls)
    return 1 if bad else 0


def _endures(name: str, seconds: float, size: int, tls: bool) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        variables = certificate(Path(directory)) if tls else {}
        with Besieged(Path(directory), **variables) as server:
            before = server.besiege("", min(3.0, seconds), 0)
            honest = server.besiege(name, seconds, size)
            memory, status = server.memory(), None
            with suppress(AssertionError, OSError):
                server.ask()
                status = server.terminate()
    good = not honest.troubles and memory < MEMORY_MB and status == 0
    print(f"{name}{' (TLS)' if tls else ''}: {'endured' if good else 'NOT ENDURED'}: {honest}", flush=True)
    print(f"    without it {before}; {memory:.0f} MB; exit status {status}", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
