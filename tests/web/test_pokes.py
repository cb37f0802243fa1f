"""Pokes: a reader that takes them is asked to report as soon as there is something new to be obeyed."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mac_actors.actors.poker import SEND_AT
from tests.conftest import Here
from tests.fakes import ANN, PATIENCE, wait_until
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
