"""Two servers whose cables are cut, slow, or swallow everything: to the database, to each other, to a reader."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cluster.cable import Cable
from tests.cluster.cell import ADA, MACHINE, Cell
from tests.fakes import wait_until
from tests.faults.client import Unanswered, call, report
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres

LEASE = 3  # a busy computer may be late with a beat
BUDGET = 2
OOPS = f"/api/machine/oops/{MACHINE}"


@pytest.fixture
def cell(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[Cell]:
    """Two servers, of which a owns the machines."""
    cell = Cell(tmp_path, cluster.tcp_url(urlsplit(database).path[1:]), LEASE, str(BUDGET))
    try:
        cell.begin()
        yield cell
    finally:
        cell.end()


@pytest.mark.parametrize("how", ["refuse", "hold"])
def test_an_owner_that_is_cut_from_the_database_turns_nothing_on_and_the_other_one_takes_over(
    cell: Cell, how: str
) -> None:
    assert cell.report("a", MACHINE, ADA)
    cell.sample()
    getattr(cell.to_database["a"], how)()
    begun, later = time.monotonic(), list[float]()
    cell.ask("a", OOPS.replace(MACHINE, "co2-laser"), "reason held")  # with "durable": false
    while cell.row()[0] == 1:
        if cell.turns_on("a", "drill_press"):
            later.append(time.monotonic() - begun)  # its lease was valid yet
    wait_until(lambda: not cell.owns("a"))
    cell.to_server["b"].refuse()
    cell.wait_for_lease("b")
    for _ in range(5):
        assert not cell.turns_on("a", "drill_press")
        assert cell.report("a", MACHINE, ADA), "a session whose card is in goes on"
    cell.to_server["b"].mend()
    assert max(later, default=0) < LEASE + BUDGET
    wait_until(lambda: cell.turns_on("b", "drill_press"))
    cell.to_database["a"].mend()
    cell.to_database["a"].cut()
    cell.servers["a"].wait_for("no longer owns the machines")
    wait_until(lambda: cell.servers["a"].call("GET", "/healthz?serving")[0] == 200)
    assert cell.ask("a", OOPS, "reason passed on")[1]["outcomes"]
    wait_until(lambda: sorted(cell.reasons()) == ["reason held", "reason passed on"])
    cell.servers["b"].kill()
    cell.wait_for_lease("a")
    assert not cell.errors
    assert cell.samples > 10


@pytest.mark.parametrize("how", ["refuse", "hold"])
def test_a_former_owner_that_is_cut_from_the_database_alone_passes_on_to_the_next_one(cell: Cell, how: str) -> None:
    assert cell.report("a", MACHINE, ADA)
    cell.meet("a")
    getattr(cell.to_database["a"], how)()
    cell.wait_for_lease("b")
    assert cell.ask("b", OOPS, "reason smoke")[0] == 200
    wait_until(lambda: cell.turns_on("a", "drill_press"))
    assert not cell.report("a", MACHINE, ADA)
    assert not cell.owns("a")
    cell.to_database["b"].refuse()
    wait_until(lambda: not cell.owns("b"))
    assert not cell.turns_on("a", "drill_press")


def test_a_server_that_holds_an_unanswered_commit_ends_when_it_is_told_to(cell: Cell) -> None:
    cell.to_database["a"].hold()
    assert cell.ask("a", OOPS, "reason lost")[1]["durable"] is False
    assert cell.servers["a"].terminate() in {0, 1}
    cell.wait_for_lease("b")


def test_the_next_owner_knows_what_came_while_one_that_stops_waited_for_its_last_commit(cell: Cell) -> None:
    a, b = cell.servers["a"], cell.servers["b"]
    assert cell.report("b", MACHINE, ADA)
    cell.to_database["a"].delay(1.5, b"mac-actors\0")
    a.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not cell.owns("a"))
    assert not cell.report("b", MACHINE, ADA, oops=True)
    assert not cell.report("a", "drill_press", ADA, oops=True)
    b.wait_for("ready after")
    assert not cell.report("b", MACHINE, ADA), "the button is released"
    a.wait()
    assert b.machine("drill_press")["status"] == "oopsed"


def test_a_standby_that_is_cut_from_the_database_passes_on_and_takes_over_later(cell: Cell) -> None:
    cell.to_database["b"].refuse()
    cell.servers["b"].wait_for("tried again until it does")
    until = time.monotonic() + LEASE
    while time.monotonic() < until:
        assert cell.turns_on("b", MACHINE)
    assert cell.row()[:2] == (1, cell.url("a"))
    cell.to_database["b"].mend()
    cell.servers["b"].wait_for("the database answers again")
    cell.servers["a"].kill()
    cell.wait_for_lease("b")


def test_both_are_cut_from_the_database_for_longer_than_a_lease_and_the_last_owner_answers_the_other_one_s_readers(
    cell: Cell,
) -> None:
    """It alone knows of the lock, though it owns no more; the other one has owned the machines before it."""
    cell.servers["a"].kill()
    cell.wait_for_lease("b")
    cell.start("a")
    wait_until(lambda: cell.servers["a"].call("GET", "/healthz?serving")[0] == 200)
    assert cell.report("a", MACHINE, ADA)
    cell.to_server["b"].refuse()
    assert cell.report("a", MACHINE, ADA), "it knows of the session"
    cell.to_server["b"].mend()
    wait_until(lambda: cell.servers["a"].call("GET", "/healthz?serving")[0] == 200)
    cell.to_database["a"].refuse()
    cell.servers["a"].wait_for("tried again until it does")
    assert cell.ask("b", f"/api/machine/locked_out/{MACHINE}", "reason chain")[1]["outcomes"]
    assert not cell.report("a", MACHINE, ADA)
    cell.to_database["b"].refuse()
    wait_until(lambda: not cell.owns("b"))
    for name in "aba":
        assert not cell.report(name, MACHINE, ADA)
    for name in "ab":
        cell.to_database[name].mend()
    wait_until(lambda: cell.owns("a") or cell.owns("b"))
    for name in "ab":
        assert not cell.report(name, MACHINE, ADA)
    assert not cell.errors


@pytest.mark.parametrize("how", ["refuse", "hold"])
def test_a_reader_at_a_server_that_is_cut_from_the_owner_gets_the_hold_answer_within_the_budget(
    cell: Cell, how: str
) -> None:
    assert cell.report("b", MACHINE, ADA)
    getattr(cell.to_server["a"], how)()
    slowest = 0.0
    for _ in range(3):
        for machine, on in ((MACHINE, True), ("drill_press", False)):
            begun = time.monotonic()
            assert cell.report("b", machine, ADA) is on
            slowest = max(slowest, time.monotonic() - begun)
    assert slowest / BUDGET < 2
    assert cell.row()[:2] == (1, cell.url("a"))
    cell.to_server["a"].mend()
    wait_until(lambda: cell.turns_on("b", "drill_press"))


@pytest.mark.parametrize("how", ["refuse", "hold"])
def test_a_server_that_is_cut_from_the_owner_knows_what_that_has_written(cell: Cell, how: str) -> None:
    """A reader that the owner has told to switch off is not told otherwise by the other server."""
    assert cell.report("b", MACHINE, ADA)
    getattr(cell.to_server["a"], how)()
    assert cell.report("b", MACHINE, ADA), "a session whose card is in goes on"
    assert cell.ask("a", OOPS, "reason smoke")[1]["outcomes"]
    assert not cell.report("b", MACHINE, ADA)


def test_a_connection_between_servers_that_ends_costs_nothing(cell: Cell) -> None:
    for number in range(4):
        assert cell.ask("b", OOPS, f"reason {number}")[1]["outcomes"]
        cell.to_server["a"].cut(reset=number % 2 == 0)
        assert cell.ask("b", OOPS.replace("oops", "clear"), f"reason {number} over")[1]["outcomes"]
    assert len(cell.reasons()) == 8


def test_half_an_answer_between_servers_is_none_and_the_command_is_not_sent_twice(cell: Cell) -> None:
    cut = cell.to_server["a"].cut_behind(b"/api/machine/oops", 0.5)
    status, answer = cell.ask("b", OOPS, "reason once")
    assert cut.is_set()
    assert status == 503
    assert "may have carried this out" in answer["error"]
    assert cell.reasons() == ["reason once"]
    cut = cell.to_server["a"].cut_in(b"/api/machine/clear")
    cell.ask("b", OOPS.replace("oops", "clear"), "reason never")
    assert cut.is_set()
    assert cell.reasons() == ["reason once"]


def test_beats_that_take_longer_than_the_lease_end_it_and_never_are_there_two(cell: Cell) -> None:
    cell.sample()
    cell.to_database["a"].delay(1.5 * LEASE, b"mac-actors lease")
    cell.servers["b"].wait_for("this server owns the machines now: epoch 2")
    cell.wait_for_lease("b")
    assert not cell.owns("a")
    cell.to_database["a"].mend()
    cell.servers["a"].wait_for("no longer owns the machines")
    assert cell.row()[:2] == (2, cell.url("b"))
    assert not cell.errors


def test_a_commit_whose_connection_is_cut_is_settled_by_the_same_batch_and_there_once(cell: Cell) -> None:
    cable = cell.to_database["a"]
    for number, trap in enumerate((cable.cut_in, cable.cut_behind) * 2):
        cut = trap(b"mac_commit")
        status, answer = cell.ask("a", OOPS, f"reason {number}")
        assert cut.is_set()
        assert status == 200
        assert answer.get("durable", True), "sent again within the budget"
        assert cell.ask("a", OOPS.replace("oops", "clear"), f"reason {number} over")[0] == 200
    assert cell.reasons() == [f"reason {n}{over}" for n in range(4) for over in ("", " over")]
    assert cell.row()[:2] == (1, cell.url("a"))


def test_a_reader_s_report_that_is_cut_is_sent_again_and_counts_once(cell: Cell) -> None:
    cable = Cable(cell.ports["b"])
    body = report(MACHINE, ADA, 1000.0)
    for trap, passes in ((cable.cut_in, ()), (cable.cut_behind, ()), (cable.cut_behind, (0.5,))):
        cut = trap(b"/api/machine/update", *passes)
        with pytest.raises(Unanswered):
            call(cable.port, "POST", "/api/machine/update", body)
        assert cut.is_set()
    assert call(cable.port, "POST", "/api/machine/update", body).body["relay"] is True
    cable.close()
    kinds = [one["kind"] for one in cell.servers["a"].call("GET", "/api/events")[1]["events"]]
    assert kinds.count("session_started") == 1
