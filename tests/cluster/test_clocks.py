"""Two servers whose clocks are an hour off the database's, or jump."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cluster.cell import ADA, MACHINE, Cell
from tests.fakes import wait_until
from tests.postgres import Cluster, needs_postgres

pytestmark = [
    needs_postgres,
    pytest.mark.skipif(
        shutil.which("cc") is None and "CI" not in os.environ,
        reason="the library that sets the clock needs cc (Debian: gcc, libc6-dev)",
    ),
]

HOUR = 3600.0
OFF = "this server can't own the machines: its clock is -?3[56]\\d\\d s off the database's: set it"


@pytest.fixture
def cell(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[Cell]:
    cell = Cell(tmp_path, cluster.tcp_url(urlsplit(database).path[1:]), 2, clocks=True)
    yield cell
    cell.end()


def skews(cell: Cell) -> dict[str, int]:
    """Return by how many hours the servers' clocks are off, as ``mac-actors cluster status`` says."""
    nodes = {one["url"]: one["skew_seconds"] for one in cell.status()["nodes"]}
    return {name: round(nodes[cell.url(name)] / HOUR) for name in "ab" if cell.url(name) in nodes}


def test_a_server_whose_clock_is_an_hour_off_passes_on_and_one_whose_clock_jumps_hands_over(cell: Cell) -> None:
    cell.knobs["a"].set_clock(HOUR)
    a = cell.start("a")
    a.wait_for(OFF)
    status, answer = a.call("GET", "/readyz")
    assert status == 503
    assert "its clock is 3600 s off the database's: set it" in answer["problems"]["owner"]
    assert not cell.turns_on("a", MACHINE), "nobody owns the machines"
    b = cell.start("b")
    cell.wait_for_lease("b")
    wait_until(lambda: skews(cell) == {"a": 1, "b": 0})
    wait_until(lambda: cell.turns_on("a", MACHINE))
    since = b.machine(MACHINE)["session"]["since"]

    cell.knobs["a"].set_clock(0)
    wait_until(lambda: skews(cell) == {"a": 0, "b": 0})
    cell.knobs["b"].set_clock(-HOUR)
    b.wait_for("this computer's clock is -3[56]\\d\\d s off the database's: another server is to own the machines")
    cell.wait_for_lease("a")
    wait_until(lambda: skews(cell) == {"a": 0, "b": -1})
    for name in "abab":
        assert cell.report(name, MACHINE, ADA), "its card is in"
    assert a.machine(MACHINE)["session"]["since"] == since
    kinds = {one["kind"] for one in a.call("GET", f"/api/events?machine={MACHINE}")[1]["events"]}
    assert "rebooted" not in kinds


def test_if_both_are_an_hour_off_nothing_turns_on_until_one_is_set(cell: Cell) -> None:
    for name in "ab":
        cell.knobs[name].set_clock(HOUR)
        cell.start(name).wait_for(OFF)
    wait_until(lambda: skews(cell) == {"a": 1, "b": 1})
    for name in "ab":
        assert not cell.turns_on(name, MACHINE)
        assert cell.servers[name].call("GET", "/readyz")[0] == 503
    assert cell.row()[0] == 0
    cell.knobs["b"].set_clock(0)
    cell.wait_for_lease("b")
    wait_until(lambda: cell.turns_on("a", MACHINE))
