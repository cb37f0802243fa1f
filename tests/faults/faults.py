"""What is done to a server, one function a fault. Each says what it promised, what it saw, and what was wrong.

A fault is called with a shop whose load runs; it leaves the server running and mended. The audit comes after it.
"""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from tests.e2e.processes import ROOT
from tests.faults.client import Unanswered, open_socket, report, request_bytes
from tests.faults.disk import Mode
from tests.faults.load import BUDGET, MACHINES, Ledger, fob
from tests.faults.shop import PATIENCE, Shop, run_for, until

LITTLE = 0.75
"""Seconds that an answer may take beyond the commit budget: two cores do the server's, the load's and Slack's work.
How late threads are at that time because the computer has other work too (``Ledger.delay``) comes on top."""

DAY = 86_400.0


@dataclass
class Result:
    """What came of one fault."""

    promised: str
    worst: str = ""
    seconds: float = 0.0
    """The worst that was seen, as a number."""
    problems: list[str] = field(default_factory=list)

    def require(self, holds: object, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


Fault = Callable[[Shop, random.Random, float], Result]
"""The last argument is for how many seconds the fault goes on, roughly."""


def answered_in_time(ledger: Ledger, since: float, result: Result, limit: float = BUDGET + LITTLE) -> None:
    """Everybody was answered since then, without an error, within the limit."""
    worst = ledger.worst(since)
    limit += ledger.delay(since)
    troubles = ledger.troubles_since(since)
    count = ledger.count(since)
    result.seconds = worst
    result.worst = f"{count} requests, slowest {worst * 1000:.0f} ms, {len(troubles)} errors"
    result.require(count > 0, "the load did nothing meanwhile")
    result.require(worst <= limit, f"an answer took {worst:.2f} s, promised {limit:.2f} s")
    result.require(not troubles, f"{len(troubles)} were refused or not answered, such as {troubles[:2]}")


# --- the process ----------------------------------------------------------------------------------------


def kill(shop: Shop, chance: random.Random, seconds: float) -> Result:
    """kill -9 at a random moment, under load, and a start on the same directory."""
    result = Result("started again without help; nothing acknowledged is lost")
    run_for(chance.uniform(0.05, max(seconds, 0.1)))
    begun = time.monotonic()
    shop.kill()
    shop.start()
    result.seconds = time.monotonic() - begun
    result.worst = f"answering again after {result.seconds:.1f} s"
    return result


def sigterm(shop: Shop, chance: random.Random, seconds: float) -> Result:
    """SIGTERM while requests are under way."""
    result = Result("exit status 0 within 10 s; all that was acknowledged is written")
    run_for(chance.uniform(0.05, max(seconds, 0.1)))
    begun = time.monotonic()
    status = shop.terminate()
    result.seconds = time.monotonic() - begun
    result.worst = f"ended after {result.seconds:.1f} s"
    result.require(status == 0, f"exit status {status}")
    result.require(result.seconds <= 10, f"the stop took {result.seconds:.1f} s")
    shop.start()
    return result


# --- the disk -------------------------------------------------------------------------------------------


def _disk(shop: Shop, mode: Mode, seconds: float) -> Result:
    result = Result("answers within the commit budget plus little, no error; control told once; caught up by itself")
    bad, good = shop.count_posted("the disk is not taking changes"), shop.count_posted("the disk takes changes again")
    begun = time.monotonic()
    with shop.knobs.disk(mode):
        run_for(seconds)
        answered_in_time(shop.ledger, begun, result)
        met = shop.knobs.waiting if mode in {Mode.BLOCK, Mode.HANG} else shop.knobs.refused
        result.require(met > 0, "the disk was never asked: the fault did not reach the server")
        result.require(shop.ledger.undurable, "no answer said that it was not durable")
    caught_up = until(shop.ready, "the server says that it is ready again", 30)
    result.worst += f"; caught up after {caught_up:.1f} s"
    told = 1 if seconds > shop.slow_seconds + 1.5 else 0
    if told or seconds < shop.slow_seconds:
        with suppress(TimeoutError):
            until(lambda: shop.count_posted("the disk takes changes again") >= good + told, "it is said", 10)
        for text, before in (("the disk is not taking changes", bad), ("the disk takes changes again", good)):
            times = shop.count_posted(text) - before
            result.require(times == told, f"{times} posts say {text!r}, not {told}")
    return result


def disk_blocks(shop: Shop, _: random.Random, seconds: float) -> Result:
    """Writes and syncs do not return."""
    return _disk(shop, Mode.BLOCK, seconds)


def disk_hangs(shop: Shop, _: random.Random, seconds: float) -> Result:
    """Neither reads nor writes return."""
    return _disk(shop, Mode.HANG, seconds)


def disk_full(shop: Shop, _: random.Random, seconds: float) -> Result:
    """ENOSPC."""
    return _disk(shop, Mode.FULL, seconds)


def disk_read_only(shop: Shop, _: random.Random, seconds: float) -> Result:
    """EROFS, as after the kernel has remounted the disk."""
    return _disk(shop, Mode.READ_ONLY, seconds)


def disk_broken(shop: Shop, _: random.Random, seconds: float) -> Result:
    """EIO on writes and syncs."""
    return _disk(shop, Mode.BROKEN, seconds)


def disk_does_not_sync(shop: Shop, _: random.Random, seconds: float) -> Result:
    """Writes go well, syncs are answered with EIO."""
    return _disk(shop, Mode.NO_SYNC, seconds)


def kill_while_disk_blocks(shop: Shop, chance: random.Random, seconds: float) -> Result:
    """kill -9 while changes wait in memory: only those that were said not to be durable may be gone."""
    result = Result("only what was answered with durable: false may be lost")
    with shop.knobs.disk(Mode.BLOCK):
        run_for(chance.uniform(0.4, max(seconds, 0.5)))
        said = sum(shop.ledger.undurable.values())
        begun = time.monotonic()
        shop.kill()
    shop.start()
    result.seconds = time.monotonic() - begun
    result.worst = f"answering again after {result.seconds:.1f} s; {said} commands said durable: false so far"
    return result


def start_on_bad_disk(shop: Shop, chance: random.Random, _: float) -> Result:
    """The server is started while its disk is full, read-only, broken or blocked."""
    result = Result("it says what to do and ends, or waits for the disk; the next start needs no help")
    shop.load.stop()
    result.require(shop.terminate() == 0, "the stop before it failed")
    for mode in (Mode.FULL, Mode.READ_ONLY, Mode.BROKEN):
        before = len(shop.log())
        with shop.knobs.disk(mode):
            status = shop.launch().wait(PATIENCE)
        said = shop.log()[before:].strip()
        result.worst = f"exit status {status}: {_last_line(said, shop)}"
        result.require(status == 1, f"{mode.name}: exit status {status}")
        result.require("df -h" in said or "MACHINE_STATE_DIR" in said, f"{mode.name}: what to do is not said: {said}")
        result.require("Traceback" not in said, f"{mode.name}: {said}")
    with shop.knobs.disk(Mode.BLOCK):
        process = shop.launch()
        until(lambda: shop.knobs.waiting, "the start waits for the disk", 20)
        run_for(chance.uniform(0.1, 1.0))
        result.require(process.poll() is None, "the start did not wait for the disk")
    result.seconds = until(shop.ready, "the server is ready", 30)
    shop.load.start()
    return result


def _last_line(said: str, shop: Shop) -> str:
    lines = said.strip().splitlines() or ["nothing said"]
    return lines[-1].replace(f"{shop.state}/", "")[:160]


def database_corrupted(shop: Shop, chance: random.Random, _: float) -> Result:
    """The database's first page is overwritten while the server is stopped; then it is put back."""
    result = Result("the start is refused with what to do; no byte is changed")
    shop.load.stop()
    result.require(shop.terminate() == 0, "the stop before it failed")
    path = shop.state / "mac.sqlite3"
    whole = path.read_bytes()
    damage = bytearray(whole)
    damage[:4096] = chance.randbytes(4096)
    path.write_bytes(damage)
    before = len(shop.log())
    status = shop.launch().wait(PATIENCE)
    said = shop.log()[before:]
    result.worst = f"exit status {status}: {_last_line(said, shop)}"
    result.require(status == 1, f"exit status {status}")
    result.require("backup" in said and str(path) in said, f"what to do is not said: {said[-500:]}")
    result.require(path.read_bytes() == bytes(damage), "the damaged database was changed")
    path.write_bytes(whole)
    shop.start()
    shop.load.start()
    return result


def row_corrupted(shop: Shop, chance: random.Random, _: float) -> Result:
    """One machine's row is cut in the middle while the server is stopped."""
    result = Result("that machine comes back locked out and off, the others as they were")
    shop.load.stop()
    name = chance.choice(MACHINES[:9])
    result.require(shop.terminate() == 0, "the stop before it failed")
    shop.exempt.add(name)
    with closing(sqlite3.connect(shop.state / "mac.sqlite3")) as database, database:
        database.execute("update machine_state set state = substr(state, 1, 40) where name = ?", (name,))
    shop.start()
    machine = shop.machine(name)
    result.worst = f"{machine['status']}, relay {'on' if machine['relay'] else 'off'}"
    result.require(machine["status"] == "locked_out" and not machine["relay"], f"{name} came back as {machine}")
    outputs = shop.report(name, fob("1", 999))
    result.require(not outputs["relay"], f"{name} started: {outputs}")
    shop.report(name)
    shop.load.cards[name] = ""
    shop.ledger.guards[name] = None
    shop.call("POST", f"/api/machine/clear/{name}", {"reason": "looked at"})
    shop.load.start()
    return result


# --- Slack ----------------------------------------------------------------------------------------------


def _slack(shop: Shop, seconds: float, begin: Callable[[], object], end: Callable[[], object]) -> Result:
    result = Result("no reader or admin notices; all notices out within 30 s after it")
    begun = time.monotonic()
    begin()
    run_for(seconds)
    answered_in_time(shop.ledger, begun, result)
    end()
    waiting, last, _ = shop.outbox()
    drained = until(lambda: shop.outbox()[0] == 0 or shop.outbox()[2] > last, "the notices that waited are out", 60)
    result.seconds = drained
    result.worst += f"; the {waiting} notices that waited out after {drained:.1f} s"
    result.require(drained <= 30, f"the notices that waited were out after {drained:.1f} s, promised 30")
    return result


def slack_down(shop: Shop, _: random.Random, seconds: float) -> Result:
    """Connections to Slack are refused, open ones reset."""
    shop.repeats_allowed = True  # a post that was taken when its answer was cut is posted again
    return _slack(shop, seconds, shop.workspace.down, shop.workspace.up)


def slack_slow(shop: Shop, _: random.Random, seconds: float) -> Result:
    """Each call takes longer than the fault."""
    return _slack(shop, seconds, lambda: shop.workspace.slow(seconds + 30), shop.workspace.mend)


def slack_lies(shop: Shop, chance: random.Random, seconds: float) -> Result:
    """Errors, pages that are no JSON, rate limits and answers cut after the post was taken, in turn."""
    shop.repeats_allowed = True
    workspace, lying = shop.workspace, threading.Event()
    errors = ["internal_error", "fatal_error", *(["channel_not_found"] if seconds > 3 else [])]

    def lie() -> None:
        while not lying.is_set():
            kind = chance.choice(["error", "page", "limit", "cut", "socket"])
            if kind == "error":
                workspace.fail("chat.postMessage", chance.choice(errors), times=1)
            elif kind == "page":
                workspace.http_error(503, 1, "chat.postMessage")
            elif kind == "limit":
                workspace.rate_limit("chat.postMessage", 1)
            elif kind == "cut":
                workspace.cut_answers("chat.postMessage")
            else:
                workspace.drop_socket(chance.choice(["reset", "fin", "close"]))
            lying.wait(0.2)

    liar = threading.Thread(target=lie, daemon=True)

    def end() -> None:
        lying.set()
        liar.join()
        workspace.mend()

    return _slack(shop, seconds, liar.start, end)


# --- the clock ------------------------------------------------------------------------------------------


def clock_jumps(shop: Shop, _: random.Random, seconds: float) -> Result:
    """The wall clock goes a day ahead, a day behind, and back."""
    result = Result("invariants hold; everybody is answered; no session starts or ends by it")
    shop.clock_jumped = True
    begun = time.monotonic()
    try:
        for offset in (DAY, -DAY, 0.0):
            shop.knobs.set_clock(offset)
            run_for(seconds / 3)
        answered_in_time(shop.ledger, begun, result)
    finally:
        shop.knobs.set_clock(0)
        run_for(0.5)
    return result


# --- clients --------------------------------------------------------------------------------------------


@contextmanager
def _sockets(shop: Shop, count: int, source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            with suppress(OSError):
                opened.append(open_socket(shop.port, source))
        yield opened
    finally:
        for sock in opened:
            sock.close()


def idle_connections(shop: Shop, _: random.Random, seconds: float, count: int = 2000) -> Result:
    """2,000 connections that say nothing."""
    result = Result("readers and admins are answered as ever")
    begun = time.monotonic()
    with _sockets(shop, count, "127.0.0.4") as opened:
        run_for(seconds)
        answered_in_time(shop.ledger, begun, result)
        result.worst = f"{len(opened)} open; {result.worst}"
        result.require(len(opened) >= count * 0.95, f"only {len(opened)} connections could be made")
    return result


def slow_loris(shop: Shop, _: random.Random, seconds: float, count: int = 200) -> Result:
    """200 requests that come a byte at a time."""
    result = Result("readers and admins are answered as ever; a request not whole after 10 s is refused")
    request = request_bytes("POST", "/api/machine/update", report("spare1", "", 5000.0))
    begun = time.monotonic()
    with _sockets(shop, count, "127.0.0.5") as opened:
        sent = 0
        while time.monotonic() - begun < seconds:
            for sock in opened:
                with suppress(OSError):
                    sock.send(request[sent : sent + 1])
            sent += 1
            run_for(0.3)
        answered_in_time(shop.ledger, begun, result)
        if seconds > 12:
            with suppress(OSError):
                opened[0].settimeout(1)
                result.require(b"408" in opened[0].recv(100), "a request that was not whole after 10 s was not refused")
    return result


def half_open_readers(shop: Shop, chance: random.Random, seconds: float) -> Result:
    """Clients that vanish: reset in the middle of a request, hang up before the answer, never read it."""
    result = Result("readers and admins are answered as ever")
    whole = request_bytes("POST", "/api/machine/update", report("spare1", "", 5000.0))
    long = request_bytes("GET", "/api/events?limit=1000")
    begun, deaf, count = time.monotonic(), list[socket.socket](), 0
    try:
        while time.monotonic() - begun < seconds:
            for _ in range(10):
                with suppress(OSError):
                    sock = open_socket(shop.port, "127.0.0.6")
                    kind = chance.randrange(3)
                    sock.sendall([whole[: chance.randrange(1, len(whole))], whole, long][kind])
                    if kind == 2 and len(deaf) < 100:
                        deaf.append(sock)
                    else:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        sock.close()
                    count += 1
            run_for(0.1)
        answered_in_time(shop.ledger, begun, result)
        result.worst = f"{count} such clients; {result.worst}"
    finally:
        for sock in deaf:
            sock.close()
    return result


def flood(shop: Shop, _: random.Random, seconds: float, connections: int = 64) -> Result:
    """One address reports as fast as it can, on 64 connections; everybody else goes on from another one."""
    limit = 2.0
    result = Result(f"others are answered within {limit:g} s without an error; oops and lock get through")
    begun = time.monotonic()
    command = [sys.executable, "-m", "tests.faults.flood", str(shop.port), str(seconds), str(connections), "127.0.0.2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + PATIENCE, check=True)
    answered_in_time(shop.ledger, begun, result, limit)
    slowest = shop.ledger.worst(begun, "admin")
    result.worst += (
        f"; slowest admin call {slowest * 1000:.0f} ms; the flood got {int(json.loads(done.stdout))} answers"
    )
    result.require(shop.ledger.count(begun, "admin"), "no admin call was made meanwhile")
    return result


def reload_broken(shop: Shop, chance: random.Random, seconds: float) -> Result:
    """Broken files are reloaded again and again."""
    result = Result("422 with file and place each time; what runs goes on")
    files = {name: (shop.directory / name).read_text(encoding="utf-8") for name in ("machines.json", "users.json")}
    begun, tries = time.monotonic(), 0
    breaks: list[tuple[str, Callable[[str], str]]] = [
        ("machines.json", lambda text: text[: len(text) // 2]),
        ("machines.json", lambda text: text.replace("authorizations_or", "authorisations_or", 1)),
        ("users.json", lambda text: text[:-2]),
        ("users.json", lambda text: text.replace('"account_id": "1"', '"account_id": 1', 1)),
        ("users.json", lambda _: ""),
    ]
    try:
        while time.monotonic() - begun < seconds or not tries:
            name, damage = chance.choice(breaks)
            (shop.directory / name).write_text(damage(files[name]), encoding="utf-8")
            answer = shop.call("POST", "/api/reload")
            tries += 1
            said = str(answer.body)
            result.require(answer.status == 422 and name in said, f"{name} broken: {answer.status} {said[:200]}")
            (shop.directory / name).write_text(files[name], encoding="utf-8")
            answer = shop.call("POST", "/api/reload")
            result.require(answer.status == 200, f"whole files: {answer.status} {answer.body}")
            run_for(0.1)
    finally:
        for name, text in files.items():
            (shop.directory / name).write_text(text, encoding="utf-8")
    answered_in_time(shop.ledger, begun, result)
    result.worst = f"{tries} refused; {result.worst}"
    return result


def two_readers(shop: Shop, _: random.Random, seconds: float) -> Result:
    """Two readers report under one name, in turn."""
    del seconds
    result = Result("said once; no session starts")
    said = "two boards report under the name spare2"
    before = shop.count_posted(said)
    begun = time.monotonic()
    for _turn in range(8):
        shop.report("spare2", "", time.monotonic() - begun + 10, "127.0.0.7")
        shop.report("spare2", "", time.monotonic() - begun + 90_000, "127.0.0.8")
    outputs = shop.report("spare2", fob("1", 998), time.monotonic() - begun + 10, "127.0.0.7")
    result.require(not outputs["relay"], f"a session started: {outputs}")
    shop.report("spare2", "", time.monotonic() - begun + 10, "127.0.0.7")
    with suppress(TimeoutError):
        until(lambda: shop.count_posted(said) > before, "it is said", 15)
    times = shop.count_posted(said) - before
    result.worst = f"said {times} times; relay {'on' if outputs['relay'] else 'off'}"
    result.require(times == 1, f"said {times} times")
    return result


SILENCE = {"mac_actors.fleet.missing_readers:ONLINE_WITHIN": 1.5, "mac_actors.fleet.missing_readers:GATHER": 3.0}
"""For a shop in which readers fall silent: constants that are a minute otherwise. It is looked every two seconds: less
than that could not gather a second reader that is found silent one look later."""


def readers_fall_silent(shop: Shop, _: random.Random, seconds: float) -> Result:
    """Two readers fall silent within a second, and come back. In a shop with the constants of ``SILENCE``."""
    del seconds
    result = Result("one post with both names; one more when they are back")
    pair = ("spare2", "spare3")
    for name in pair:
        shop.report(name)
    silent, back = shop.count_posted("silent for"), shop.count_posted("back after")
    took = until(lambda: shop.count_posted("silent for") > silent, "the silence is said", 30)
    line = next(line for line in reversed(shop.posted()) if "silent for" in line.lower())
    result.require(all(name.title() in line for name in pair), f"not both are named: {line}")
    stop = threading.Event()

    def report_on() -> None:
        while not stop.is_set():
            for name in pair:
                with suppress(Unanswered):
                    shop.report(name)
            stop.wait(0.3)

    readers = threading.Thread(target=report_on, daemon=True)
    readers.start()
    try:
        until(lambda: shop.count_posted("back after") > back, "the return is said", 30)
        run_for(1)
    finally:
        stop.set()
        readers.join()
    times = (shop.count_posted("silent for") - silent, shop.count_posted("back after") - back)
    result.worst = f"said after {took:.1f} s; {times[0]} posts of silence, {times[1]} of return"
    result.require(times == (1, 1), f"{times[0]} posts of silence and {times[1]} of return, not one each")
    return result


ON_ANY_SHOP: dict[str, Fault] = {
    "kill": kill,
    "sigterm": sigterm,
    "disk-blocks": disk_blocks,
    "disk-hangs": disk_hangs,
    "disk-full": disk_full,
    "disk-read-only": disk_read_only,
    "disk-broken": disk_broken,
    "disk-does-not-sync": disk_does_not_sync,
    "kill-while-disk-blocks": kill_while_disk_blocks,
    "start-on-bad-disk": start_on_bad_disk,
    "database-corrupted": database_corrupted,
    "row-corrupted": row_corrupted,
    "slack-down": slack_down,
    "slack-slow": slack_slow,
    "slack-lies": slack_lies,
    "clock-jumps": clock_jumps,
    "idle-connections": idle_connections,
    "slow-loris": slow_loris,
    "half-open-readers": half_open_readers,
    "flood": flood,
    "reload-broken": reload_broken,
    "two-readers": two_readers,
}
"""Faults that can be done to a shop, by name."""
