"""Kill -9, two servers on one directory, and many readers at once: with the installed command, in processes."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar

from mac_actors.fleet import supervisor, watch
from mac_actors.storage.upkeep.verify import verify
from tests.e2e.processes import SAMPLES, ServerProcess, run
from tests.fakes import PATIENT_BUDGET, wait_until
from tests.web.client import report_body
from tests.web.signed import headers


def test_every_acknowledged_change_is_there_after_kill_9_at_random_moments(tmp_path: Path) -> None:
    """One writer a machine; each remembers what was acknowledged last, and what was under way at the kill.

    A change that the disk is late with is answered, and not acknowledged: it stays under way.
    """
    chance = random.Random(7)
    names = sorted(json.loads(Path(SAMPLES["MACHINES_CONFIG"]).read_text()))
    acknowledged: dict[str, bool] = dict.fromkeys(names, False)
    counts = dict.fromkeys(names, 0)
    for _round in range(4):
        under_way: dict[str, bool] = {}
        before = sum(counts.values())
        with ServerProcess(tmp_path, MAC_COMMIT_BUDGET=str(PATIENT_BUDGET)) as server:
            stop = threading.Event()

            def change(name: str, server: ServerProcess = server, stop: threading.Event = stop) -> None:
                while not stop.is_set():
                    wanted = not acknowledged[name]
                    under_way[name] = wanted  # noqa: B023 - one dictionary a round, on purpose
                    try:
                        status, answer = server.call("POST" if wanted else "DELETE", f"/api/machine/oops/{name}")
                    except (OSError, HTTPException):
                        return
                    durable = answer.pop("durable", True)
                    assert (status, answer) == (200, {"success": True})
                    if not durable:
                        return
                    acknowledged[name] = wanted
                    counts[name] += 1
                    del under_way[name]  # noqa: B023 - as above

            with ThreadPoolExecutor(len(names)) as pool:
                jobs = [pool.submit(change, name) for name in names]
                wait_until(lambda: sum(counts.values()) > before + 5)  # noqa: B023 - called at once
                threading.Event().wait(chance.uniform(0.1, 0.5))
                server.kill()
                stop.set()
                for job in jobs:
                    job.result()
        with ServerProcess(tmp_path) as server:
            for machine in server.call("GET", "/api/machines")[1]["machines"]:
                name, oopsed = machine["name"], machine["oops"] is not None
                if name in under_way and oopsed == under_way[name] != acknowledged[name]:
                    acknowledged[name] = oopsed  # decided and written, only its answer was lost
                    counts[name] += 1
                assert oopsed == acknowledged[name], name
    assert sum(counts.values()) > 20
    database = sqlite3.connect(tmp_path / "machine_state" / "mac.sqlite3")
    query = "select machine, count(*) from journal where kind in ('oops_set', 'oops_cleared') group by machine"
    journaled = dict(database.execute(query).fetchall())
    database.close()
    assert journaled == {name: count for name, count in counts.items() if count}


def test_after_kill_9_a_change_of_a_user_and_its_line_in_the_journal_are_both_there_or_both_not(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    chance = random.Random(7)
    for _round in range(2):
        with ServerProcess(tmp_path) as server:

            def change(names: list[str], server: ServerProcess = server) -> None:
                for name in names:
                    try:
                        status, answer = server.call("POST", "/api/users", {"full_name": name, "fob": f"1{name}"})
                    except (OSError, HTTPException):
                        return
                    assert status in {200, 201}
                    if answer.get("durable", True):
                        acknowledged.add(name)

            with ThreadPoolExecutor(4) as pool:
                jobs = [pool.submit(change, [f"{_round}{writer}{n:03}" for n in range(500)]) for writer in range(4)]
                threading.Event().wait(chance.uniform(0.3, 0.8))
                server.kill()
                for job in jobs:
                    job.result()
    findings: list[str] = []
    verify(tmp_path / "machine_state", findings.append)
    assert findings == []
    with ServerProcess(tmp_path) as server:
        there = {one["full_name"] for one in server.call("GET", "/api/users?q=0&limit=1000")[1]["users"]}
        assert acknowledged <= there
    assert len(acknowledged) > 10


def test_a_running_session_goes_on_after_kill_9(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        server.report("metal-mill", uptime=10)
        assert server.report("metal-mill", "1000001", uptime=11)["relay"]
        since = server.machine("metal-mill")["session"]["since"]
        server.kill()
    with ServerProcess(tmp_path) as server:
        assert server.machine("metal-mill")["session"]["since"] == since
        assert server.report("metal-mill", "1000001", uptime=20)["relay"]
        assert not server.report("metal-mill", "", uptime=30)["relay"]


class OftenSaved(ServerProcess):
    """A server that saves every machine each half second."""

    constants: ClassVar = {"mac_actors.fleet.supervisor:SAVE_TURNS": 2}


def test_hours_with_power_are_neither_lost_nor_counted_twice_by_kill_9(tmp_path: Path) -> None:
    """Every machine is saved each 30 s, so that at most a minute is lost; here each half, to see it happen."""
    assert supervisor.SAVE_TURNS * watch.WATCH_SECONDS <= 30
    machines = json.loads(Path(SAMPLES["MACHINES_CONFIG"]).read_text())
    machines["metal-mill"]["maintenance"] = [{"what": "Oil it", "every_hours": 40}]
    (tmp_path / "machines.json").write_text(json.dumps(machines))
    begun, floor, counted = time.monotonic(), 0.0, 0.0
    for number in range(3):
        with OftenSaved(tmp_path, MACHINES_CONFIG=str(tmp_path / "machines.json")) as server:

            def seconds(server: ServerProcess = server) -> float:
                hours: float = server.machine("metal-mill")["maintenance"][0]["hours"]
                return hours * 3600

            def report(server: ServerProcess = server) -> bool:
                return bool(server.report("metal-mill", "1000001", uptime=None)["relay"])

            after_kill = seconds()
            assert floor - 0.001 <= after_kill <= counted + 0.001  # told as hours: rounded
            if number == 0:
                server.report("metal-mill", uptime=None)
            assert report()
            since = seconds()
            wait_until(lambda: report() and on_disk(tmp_path) >= since + 0.2)  # noqa: B023 - called at once
            floor, counted = on_disk(tmp_path), seconds()
            assert counted <= time.monotonic() - begun
            server.kill()
    assert counted > 0.6


def on_disk(directory: Path) -> float:
    """For how many seconds the mill has had power, as the database has it."""
    with closing(sqlite3.connect(directory / "machine_state" / "mac.sqlite3")) as database:
        [(data,)] = database.execute("select state from machine_state where name = 'metal-mill'").fetchall()
    return float(json.loads(data).get("power_seconds", 0.0))


def test_a_second_server_on_the_same_directory_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        second = run("serve", "--port", "0", cwd=tmp_path, **SAMPLES)
        assert second.returncode == 1
        assert f"in use by process {server.process.pid}" in second.stderr
        assert server.report("metal-mill")["relay"] is False


def test_a_machine_whose_row_cannot_be_read_comes_back_locked_out(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        server.report("metal-mill", uptime=10)
        assert server.report("metal-mill", "1000001", uptime=11)["relay"]
        server.report("table-saw", uptime=10)
        assert server.terminate() == 0
    database = sqlite3.connect(tmp_path / "machine_state" / "mac.sqlite3")
    with database:
        database.execute("update machine_state set state = substr(state, 1, 40) where name = 'metal-mill'")
    database.close()
    with ServerProcess(tmp_path) as server:
        mill = server.machine("metal-mill")
        assert mill["status"] == "locked_out"
        assert "could not be read" in mill["lock"]["reason"]
        assert not server.report("metal-mill", "1000001", uptime=20)["relay"]
        assert server.machine("table-saw")["status"] == "idle"


def test_a_database_that_is_none_stops_the_start_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "machine_state").mkdir()
    (tmp_path / "machine_state" / "mac.sqlite3").write_bytes(b"this is not a database" * 500)
    refused = run("serve", "--port", "0", cwd=tmp_path, **SAMPLES)
    assert refused.returncode == 1
    assert "backup" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_200_readers_at_once_are_all_answered(tmp_path: Path) -> None:
    machines = {f"m{number}": {"authorizations_or": ["Metal Mill"]} for number in range(200)}
    (tmp_path / "many.json").write_text(json.dumps(machines))
    with ServerProcess(tmp_path, MACHINES_CONFIG=str(tmp_path / "many.json")) as server:
        together = threading.Barrier(200)

        def report(name: str) -> list[bool]:
            together.wait(30)
            fobs = ["", "1000001", "1000001", ""]
            return [server.report(name, fob, uptime=10.0 + i)["relay"] for i, fob in enumerate(fobs)]

        with ThreadPoolExecutor(200) as pool:
            assert list(pool.map(report, machines)) == [[False, True, True, False]] * 200
        events = server.call("GET", "/api/events?kind=session_ended&limit=1000")[1]["events"]
        assert sorted(event["machine"] for event in events) == sorted(machines)
        assert server.terminate() == 0


def test_a_key_that_was_shown_outlasts_kill_9(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        key = server.call("POST", "/api/reader/table-saw/key")[1]["key"]
        server.kill()
    body = report_body("table-saw", firmware="1")
    with ServerProcess(tmp_path) as server:
        assert server.call("POST", "/api/machine/update", body)[0] == 401
        status, answer = server.call("POST", "/api/machine/update", body, headers(key, json.dumps(body).encode()))
        assert (status, answer["applied"]) == (200, False)
