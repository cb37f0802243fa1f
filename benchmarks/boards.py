"""Open boards: ``python -m benchmarks.boards PORT COUNT`` asks for each once a second, as the page's script does.

A process of its own, so that it does not slow whoever measures. Ends with its standard input; says how often it asked.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.servers import Server


@contextmanager
def boards(server: Server, count: int) -> Iterator[None]:
    """Have so many boards open."""
    if count:
        command = [sys.executable, "-m", "benchmarks.boards", str(server.port), str(count)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin and process.stdout
            process.stdout.readline()  # each has asked once
            yield
            process.stdin.close()
            if not process.stdout.readline():
                raise RuntimeError("the boards were not answered")
    else:
        yield


def ask(port: int, count: int, stop: threading.Event) -> None:
    """Ask for each board once a second until it is to stop."""
    open_ = [[http.client.HTTPConnection("127.0.0.1", port, timeout=30), "", ""] for _ in range(count)]
    asked, due = 0, time.monotonic()
    while not stop.is_set():
        for board in open_:
            due += 1 / count
            if asked >= count and stop.wait(max(0.0, due - time.monotonic())):
                break
            connection, cursor, page = board
            connection.request("GET", f"/board/changes?since={cursor}&page={page}")
            response = connection.getresponse()
            data = response.read()
            if response.status == 200:
                answer = json.loads(data)
                board[1:] = answer["cursor"], answer["page"]
            elif response.status != 204:
                raise SystemExit(f"a board was answered with {response.status}")
            asked += 1
            if asked == count:
                due = time.monotonic()
                print("open", flush=True)
    print(asked, flush=True)


if __name__ == "__main__":
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    ask(int(sys.argv[1]), int(sys.argv[2]), ended)
