"""How long the starts take that happen often: an import, ``--version``, a container's health check.

python -m benchmarks.start [--rounds 15]

Beside the wall time there is the time of the processor, which other work on the computer does not change.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

STARTS = {
    "python alone": (["-c", ""], None),
    "import mac_actors.core": (["-c", "import mac_actors.core"], None),
    "from mac_actors import Fleet": (["-c", "from mac_actors import Fleet"], None),
    "mac-actors --version": (["-m", "mac_actors", "--version"], 0.15),
    "mac-actors health --alive": (["-m", "mac_actors", "health", "--alive"], 0.15),
    "mac-actors health": (["-m", "mac_actors", "health"], 0.15),
    "mac-actors --help": (["-m", "mac_actors", "--help"], None),
}
"""Name -> the interpreter's arguments, and the seconds that it is to take at the most on an idle computer."""


class _Well(BaseHTTPRequestHandler):
    """A server that is well, and answers at once: the start alone is measured."""

    def do_GET(self) -> None:
        body = b'{"status": "ok", "ready": true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _measure(arguments: list[str], url: str) -> tuple[float, float]:
    """Return the seconds of one start: by the clock, and of the processor."""
    before, begun = os.times(), time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "MAC_URL": url})
    taken, after = time.perf_counter() - begun, os.times()
    busy = after.children_user - before.children_user + after.children_system - before.children_system
    return taken, busy


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    rounds = options.parse_args().rounds
    with HTTPServer(("127.0.0.1", 0), _Well) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in STARTS}
        for _ in range(rounds):  # in turn: what else the computer does meets all of them
            for name, (arguments, _) in STARTS.items():
                taken[name].append(_measure(arguments, url))
        server.shutdown()
    print(f"medians of {rounds} starts; seconds: clock, processor, goal")
    for name, (_, goal) in STARTS.items():
        clock, busy = (statistics.median(column) for column in zip(*taken[name], strict=True))
        print(f"{name:30} {clock:6.3f} {busy:6.3f}  {f'{goal:6.3f}' if goal else ''}")


if __name__ == "__main__":
    main()
