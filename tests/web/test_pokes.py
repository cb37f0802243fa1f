"""Pokes: a reader that takes them is asked to report as soon as there is something new to be obeyed."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mac_actors import clock
from mac_actors.actors.poker import SEND_AT
from mac_actors.core.inputs import Report
from mac_actors.core.state import Telemetry
from mac_actors.core.text import seconds_text
from mac_actors.slack.status import machine_lines
from mac_actors.storage.sqlite.engine import DATABASE
from tests.conftest import Here, MakeServer
from tests.fakes import ANN, PATIENCE, wait_until, written
from tests.web.client import Running


class Board:
    """A reader that takes pokes, at a UDP port of its own."""

    def __init__(self, server: Running, machine: str = "metal-mill") -> None:
        self.machine = machine
        self._server = server
        self._count = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.port: int = self.socket.getsockname()[1]

    def report(self, fob: str = "", **fields: Any) -> dict[str, Any]:
        self._count += 1
        more = {"firmware": "mac-reader 1.2", "boot": 71, "count": self._count, "poke": self.port}
        reply = self._server.report(self.machine, fob, **{**more, **fields})
        assert reply.status == 200, reply
        answer: dict[str, Any] = reply.json
        return answer

    def poked(self) -> None:
        """Wait for a poke."""
        assert self.socket.recv(1000) == f"MAC1 {self.machine}".encode()

    def is_not_poked(self) -> None:
        """Nothing has come: a poke that this one is sent after would have come first."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"nothing", ("127.0.0.1", self.port))
        assert self.socket.recv(1000) == b"nothing"


@pytest.fixture
def board(server: Running) -> Iterator[Board]:
    board = Board(server)
    with board.socket:
        yield board


COMMANDS: dict[str, Callable[[Running], object]] = {
    "oops": lambda server: server.post("/api/machine/oops/metal-mill"),
    "lock": lambda server: server.post("/api/machine/locked_out/metal-mill"),
    "clear": lambda server: server.post("/api/machine/clear/metal-mill"),
    "unoops": lambda server: server.delete("/api/machine/oops/metal-mill"),
    "unlock": lambda server: server.delete("/api/machine/locked_out/metal-mill"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_from_elsewhere_pokes_the_reader(board: Board, server: Running, command: str) -> None:
    board.report(ANN)
    COMMANDS[command](server)
    board.poked()
    board.report(ANN)


def test_a_reader_that_does_not_answer_is_poked_four_times(board: Board, server: Running) -> None:
    board.report(ANN)
    server.post("/api/machine/oops/metal-mill")
    for _ in SEND_AT:
        board.poked()
    wait_until(lambda: server.fleet.poker.ref.is_alive() and not server.fleet.poker.waits)
    board.is_not_poked()
    assert (server.fleet.poker.sent, server.fleet.poker.answered) == (1, 0)


def test_a_report_that_is_newer_ends_the_pokes(board: Board, server: Running) -> None:
    board.report(ANN)
    server.post("/api/machine/oops/metal-mill")
    board.poked()
    assert board.report(ANN)["relay"] is False
    wait_until(lambda: not server.fleet.poker.waits)
    assert (server.fleet.poker.sent, server.fleet.poker.answered) == (1, 1)


# readers poke


def test_readers_poke_says_how_long_the_report_took(board: Board, server: Running, here: Here, tmp_path: Path) -> None:
    board.report()

    def answer() -> None:
        board.poked()
        board.report()

    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(answer)
        done = here("readers", "poke", "metal", "mill", "--url", server.url, cwd=tmp_path)
        answering.result()
    assert re.fullmatch(r"Metal Mill: its reader reported after \d+ ms\.\n", done.stdout), done


def test_readers_poke_of_a_reader_that_is_away_says_so(
    board: Board, server: Running, here: Here, tmp_path: Path
) -> None:
    board.report()
    done = here("readers", "poke", "metal-mill", "--url", server.url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the reader of Metal Mill has not reported within 2 s, poked four times" in done.stderr


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"firmware": None}, "Metal Mill: its firmware takes no pokes"),
        ({"poke": None}, "Metal Mill: its firmware takes no pokes"),
        ({"poke": 0}, "Metal Mill: its firmware takes no pokes"),
        (None, "Metal Mill: its reader has not reported since the server started"),
    ],
)
def test_readers_poke_of_a_reader_that_can_not_be_poked_says_why(
    board: Board, server: Running, fields: dict[str, Any] | None, why: str
) -> None:
    if fields is not None:
        board.report(**fields)
    reply = server.post("/api/machine/poke/metal%20mill")
    assert reply.status == 503
    assert reply.error.startswith(why)
    board.is_not_poked()


# what people see of it


def test_status_says_what_a_reader_is_and_how_long_it_took_to_obey(
    board: Board, server: Running, here: Here, tmp_path: Path
) -> None:
    def shown() -> str:
        return here("status", "metal-mill", "--url", server.url, cwd=tmp_path).stdout

    assert "Reader:" not in shown()
    board.report()
    assert shown().endswith("\nReader: mac-reader 1.2, no key, takes pokes\n")
    server.post("/api/machine/oops/metal-mill")
    board.report()
    machine = server.machine("metal-mill")
    assert (machine["telemetry"]["firmware"], machine["telemetry"]["poke"]) == ("mac-reader 1.2", board.port)
    assert 0 < machine["obeyed_after"] < PATIENCE
    assert re.search(r"\nReader: mac-reader 1\.2, no key, takes pokes, obeyed after [\d.]+ m?s\n$", shown())
    snapshot = server.fleet.snapshot("metal-mill")
    assert server.fleet["metal-mill"].snapshot().get().obeyed_after == snapshot.obeyed_after == machine["obeyed_after"]
    assert "mac-reader 1.2, no key, takes pokes, obeyed after" in machine_lines(snapshot, datetime.now(UTC))[-1]
    page = server.get("/machines/metal-mill").body.decode()
    assert "mac-reader 1.2, no key, takes pokes, obeyed after" in page


def test_of_other_readers_nothing_more_is_shown_than_before(server: Running) -> None:
    server.outputs("metal-mill")
    assert not {"firmware", "poke"} & set(server.machine("metal-mill")["telemetry"])
    assert "obeyed_after" not in server.machine("metal-mill")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0094, "9 ms"), (0.9994, "999 ms"), (4.24, "4.2 s"), (59.9, "59.9 s"), (61.0, "1 min")]
)
def test_a_short_time_is_said_exactly(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


# hostile timing


def test_a_change_of_configuration_pokes_only_readers_that_are_to_do_something_else(
    server: Running, tmp_path: Path
) -> None:
    mill, saw = Board(server), Board(server, "bandsaw")
    with mill.socket, saw.socket:
        mill.report()
        saw.report()
        file = tmp_path / "machines.json"
        machines = json.loads(file.read_text())
        machines["bandsaw"]["always_enabled"] = True
        machines["metal-mill"]["unauthorized_warn_only"] = True
        file.write_text(json.dumps(machines))
        assert server.post("/api/reload").status == 200
        saw.poked()
        mill.is_not_poked()


def test_what_the_reader_did_itself_pokes_nobody(board: Board) -> None:
    board.report(ANN)
    board.report(ANN, oops=True)
    board.report()
    board.is_not_poked()


def test_a_report_that_had_come_before_the_decision_is_no_answer(board: Board, server: Running) -> None:
    """It waits in the server while the machine is locked out; its reader gets the orders, and is asked all the same."""
    board.report(ANN)
    arrived = clock.seconds()
    server.post("/api/machine/oops/metal-mill")
    board.poked()
    telemetry = Telemetry(uptime=1000.0, firmware="mac-reader 1.2", boot=71, count=9, poke=board.port)
    late = Report(datetime.now(UTC), ANN, telemetry=telemetry)
    assert server.fleet.report("metal-mill", late, arrived, "127.0.0.1").outputs.relay is False
    board.poked()
    assert server.fleet.poker.answered == 0


def test_commands_one_after_the_other_are_answered_by_one_report(board: Board, server: Running) -> None:
    board.report(ANN)
    for command in ("oops", "locked_out", "clear"):
        server.post(f"/api/machine/{command}/metal-mill")
        board.poked()
    board.report(ANN)
    wait_until(lambda: not server.fleet.poker.waits)
    assert (server.fleet.poker.sent, server.fleet.poker.answered) == (3, 1)


def test_a_poke_comes_before_the_change_is_on_disk(make_server: MakeServer) -> None:
    server = make_server(commit_budget=0.0)
    board = Board(server)
    with board.socket, closing(sqlite3.connect(server.service.settings.state_dir / DATABASE)) as other:
        board.report(ANN)
        written(server.fleet)
        other.execute("BEGIN IMMEDIATE")  # nobody else can write now
        assert server.post("/api/machine/oops/metal-mill").json == {"success": True, "durable": False}
        board.poked()
        assert board.report(ANN)["relay"] is False
        other.rollback()


def test_a_poker_that_dies_is_started_again(board: Board, server: Running) -> None:
    board.report(ANN)
    server.fleet.poker.ref.stop()
    server.post("/api/machine/oops/metal-mill")
    board.poked()


def test_an_address_that_nothing_can_be_sent_to_is_said_once(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(uptime=1000.0, firmware="mac-reader 1.2", poke=9)
    server.fleet.report("metal-mill", Report(datetime.now(UTC), telemetry=telemetry), clock.seconds(), "240.0.0.1x")
    for _ in range(2):
        server.post("/api/machine/oops/metal-mill")
    wait_until(lambda: not server.fleet.poker.waits)
    assert len([r for r in caplog.records if "pokes can't be sent to metal-mill" in r.getMessage()]) == 1


def test_a_lock_that_falls_when_a_session_ends_pokes_the_reader(board: Board, server: Running) -> None:
    board.report(ANN)
    server.post("/api/machine/locked_out/metal-mill", {"when": "free"})
    board.poked()
    assert board.report(ANN)["relay"] is True
    assert board.report()["display"] == "Down for\nmaintenance"
    board.poked()
