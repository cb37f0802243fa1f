"""The status board in a browser: from change to tile, size, first paint.

    python -m benchmarks.board [--changes 20]

Needs Debian's chromium and the development packages. What open boards cost the readers is among the curves of
``benchmarks.bench --growth``.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.load import BEGUN, send, update, warm
from benchmarks.servers import LOAD_CORE, Server, Shop, pin

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


def _change_to_tile(page: Page, server: Server, changes: int) -> list[float]:
    """Milliseconds from the answered report to the changed tile, each at another moment of the board's second."""
    taken = []
    chance = random.Random(1)
    for number in range(changes):
        time.sleep(chance.random())
        page.evaluate(f"() => {{ window.changed = ({CLOCK})('m0'); }}")
        send(server, [update(0, "" if number % 2 else "1", BEGUN + number)])
        answered = time.time() * 1000
        taken.append(float(page.evaluate("window.changed")) - answered)
    return taken


def _first_load(browser: Any, url: str) -> dict[str, float]:
    page = browser.new_page()
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(url)
    paint = page.evaluate(PAINT)
    found = {"requests": float(len(sizes)), "kB": sum(sizes) / 1000, "paint": float(paint)}
    page.close()
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--changes", type=int, default=20)
    given = options.parse_args()
    pin(LOAD_CORE)
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    for machines in (8, 40):
        with (
            tempfile.TemporaryDirectory() as directory,
            Shop(Path(directory, "shop"), machines).server() as server,
            sync_playwright() as playwright,
        ):
            warm(server, machines)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
            url = f"http://127.0.0.1:{server.port}/"
            loads = [_first_load(browser, url) for _ in range(5)]
            middle = {key: statistics.median(load[key] for load in loads) for key in loads[0]}
            print(
                f"{machines} machines: {middle['kB']:.1f} kB in {middle['requests']:.0f} requests, "
                f"first paint after {middle['paint']:.0f} ms"
            )
            if machines == 8:
                page = browser.new_page()
                page.goto(url)
                taken = _change_to_tile(page, server, given.changes)
                middle_, slowest = statistics.median(taken), max(taken)
                print(f"from change to tile, {len(taken)} changes: median {middle_:.0f} ms, slowest {slowest:.0f} ms")
            browser.close()


if __name__ == "__main__":
    main()
