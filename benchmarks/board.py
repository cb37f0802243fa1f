"""The status board in figures: from change to tile, size, first paint; and what open boards cost the readers.

    python -m benchmarks.board [--changes 20] [--seconds 10] [--machines 500] [--boards 50]

Needs Debian's chromium, the development packages, and two cores: the server runs on one, the load on the other. The
readers' latency is measured with no board and with many, in turns, on one server; a board is a client that
asks once a second on a connection that it keeps, as the script does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.throughput import _free_port, _start

REPORTS_PER_SECOND = 50
TRANSITION = 0.1

CLOCK = """name => new Promise(done => {
    const state = () => document.querySelector(`li[data-name="${name}"] article`).dataset.state;
    const before = state();
    new MutationObserver((_, observer) => {
        if (state() === before) return;
        observer.disconnect();
        done(Date.now());
    }).observe(document.getElementById('tiles'), {subtree: true, childList: true});
})"""

PAINT = """new Promise(done => new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (entry.name === 'first-contentful-paint') done(entry.startTime);
}).observe({type: 'paint', buffered: true}))"""


def _post(connection: http.client.HTTPConnection, path: str, body: object) -> None:
    connection.request("POST", path, json.dumps(body), {"Connection": "close"})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise SystemExit(f"{path}: {response.status}")
    connection.close()


def _report(port: int, machine: int, card: str) -> None:
    body = {"machine_name": f"m{machine}", "oops": False, "rfid_value": card, "uptime": time.monotonic()}
    _post(http.client.HTTPConnection("127.0.0.1", port, timeout=10), "/api/machine/update", body)


def _change_to_tile(page: Page, port: int, changes: int) -> list[float]:
    """Milliseconds from the answered report to the changed tile, each at another moment of the board's second."""
    taken = []
    chance = random.Random(1)
    for number in range(changes):
        time.sleep(chance.random())
        taken.append(_one_change(page, port, "1" if number % 2 == 0 else ""))
    return taken


def _one_change(page: Page, port: int, card: str) -> float:
    page.evaluate(f"() => {{ window.changed = ({CLOCK})('m0'); }}")
    _report(port, 0, card)
    answered = time.time() * 1000
    return float(page.evaluate("window.changed")) - answered


def _first_load(browser: Any, url: str) -> dict[str, float]:
    page = browser.new_page()
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(url)
    paint = page.evaluate(PAINT)
    found = {"requests": float(len(sizes)), "kB": sum(sizes) / 1000, "paint": float(paint)}
    page.close()
    return found


class Boards:
    """So many open boards, in one thread: each asks once a second."""

    def __init__(self, port: int, count: int) -> None:
        self.asked = 0
        self._stop = threading.Event()
        self._port, self._count = port, count
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Boards:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        open_ = [[http.client.HTTPConnection("127.0.0.1", self._port, timeout=10), "", ""] for _ in range(self._count)]
        due = time.monotonic()
        while open_ and not self._stop.is_set():
            for board in open_:
                due += 1 / self._count
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    break
                connection, cursor, page = board
                connection.request("GET", f"/board/changes?since={cursor}&page={page}")
                response = connection.getresponse()
                data = response.read()
                self.asked += 1
                if response.status == 200:
                    answer = json.loads(data)
                    board[1:] = answer["cursor"], answer["page"]
        for connection, _, _ in open_:
            connection.close()


def _readers(port: int, machines: int, seconds: float) -> list[float]:
    """Milliseconds for each report of a shop: 50 a second, one in ten a card in or out, a new connection for each."""
    chance = random.Random(2)
    inside: set[int] = set()
    taken = []
    due = time.monotonic()
    end = due + seconds
    while due < end:
        machine = chance.randrange(1, machines)
        if chance.random() < TRANSITION:
            inside ^= {machine}
        due += chance.expovariate(REPORTS_PER_SECOND)
        time.sleep(max(0.0, due - time.monotonic()))
        begun = time.perf_counter()
        _report(port, machine, "1" if machine in inside else "")
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def _p(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _shop(shop: Path, machines: int) -> dict[str, str]:
    (shop / "machines.json").write_text(
        json.dumps({f"m{n}": {"authorizations_or": ["M"], "alias": f"Machine {n}"} for n in range(machines)})
    )
    user = {"account_id": "1", "full_name": "U", "first_name": "U", "last_name": "U", "preferred_name": "U"}
    user |= {"email": "", "fob_codes": ["1"], "expiration_ymd": "2099-01-01", "authorizations": ["M"]}  # type: ignore[dict-item]
    (shop / "users.json").write_text(json.dumps([user]))
    files = {name.upper() + "_CONFIG": str(shop / f"{name}.json") for name in ("machines", "users")}
    return files | {"MACHINE_STATE_DIR": str(shop / "state")}


def _serve(shop: Path, machines: int) -> tuple[subprocess.Popen[bytes], int]:
    shop.mkdir()
    port = _free_port()
    command = [sys.executable, "-m", "mac_actors", "serve", "--port", str(port), "--log-level", "error"]
    return _start(command, port, **_shop(shop, machines)), port


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--changes", type=int, default=20)
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--machines", type=int, default=500)
    options.add_argument("--boards", type=int, default=50)
    given = options.parse_args()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as directory:
        for machines in (8, 40):
            server, port = _serve(Path(directory) / f"shop{machines}", machines)
            for machine in range(machines):
                _report(port, machine, "")
            with sync_playwright() as playwright:
                arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
                loads = [_first_load(browser, f"http://127.0.0.1:{port}/") for _ in range(5)]
                middle = {key: statistics.median(load[key] for load in loads) for key in loads[0]}
                print(
                    f"{machines} machines: {middle['kB']:.1f} kB in {middle['requests']:.0f} requests, "
                    f"first paint after {middle['paint']:.0f} ms"
                )
                if machines == 8:
                    page = browser.new_page()
                    page.goto(f"http://127.0.0.1:{port}/")
                    taken = _change_to_tile(page, port, given.changes)
                    print(
                        f"from change to tile, {len(taken)} changes: median {statistics.median(taken):.0f} ms, "
                        f"slowest {max(taken):.0f} ms"
                    )
                browser.close()
            server.send_signal(signal.SIGTERM)
            server.wait(20)
        server, port = _serve(Path(directory) / "large", given.machines)
        rows: dict[int, list[float]] = {0: [], given.boards: []}
        asked = 0
        for _ in range(given.rounds):
            for count in rows:
                with Boards(port, count) as boards:
                    rows[count] += _readers(port, given.machines, given.seconds)
                asked += boards.asked
        for count, values in rows.items():
            print(
                f"{given.machines} machines, {count} boards: {len(values)} reports, median {_p(values, 0.5):.2f} ms, "
                f"p99 {_p(values, 0.99):.2f} ms, slowest {max(values):.1f} ms"
            )
        print(f"the boards asked {asked} times")
        server.send_signal(signal.SIGTERM)
        server.wait(20)


if __name__ == "__main__":
    main()
