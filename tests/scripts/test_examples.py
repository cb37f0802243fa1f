"""The worked examples of docs/python.rst: at any time of day, in this process and beside a server, and as scripts."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mac_actors import Fleet
from mac_actors.core.inputs import Report
from mac_actors.core.state import Telemetry
from tests.conftest import start_server
from tests.e2e.processes import ROOT, SAMPLES, Talking
from tests.fakes import ANN, BOB, sample_machines, sample_users, wait_until
from tests.scripts.shop import TOKEN, serving, shop_remote

EXAMPLES = ROOT / "docs" / "examples"
SAMPLE_FILES: dict[str, Any] = {
    "machines_config": Path(SAMPLES["MACHINES_CONFIG"]),
    "users_config": Path(SAMPLES["USERS_CONFIG"]),
}


def example(name: str) -> Any:
    """The names of an example, without running it."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet.open(sample_machines(), sample_users(), state=None) as fleet:
        yield fleet


def report(fleet: Fleet, machine: str, fob: str | None, at: datetime) -> None:
    """A reader's report at any time."""
    fleet.report(
        machine, Report(at, fob, telemetry=Telemetry(uptime=at.timestamp(), firmware="a test")), at.timestamp()
    )


def test_every_example_is_in_the_documentation_and_short() -> None:
    page = (ROOT / "docs" / "python.rst").read_text(encoding="utf-8")
    examples = sorted(EXAMPLES.glob("*.py"))
    assert len(examples) == 3
    for path in examples:
        assert f".. literalinclude:: examples/{path.name}" in page
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 66


def test_opening_hours_lock_what_is_idle_and_unlock_their_own_alone(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    look = example("opening_hours")["look"]

    def at(hour: int) -> str:
        look(fleet, 9, 22, datetime(2026, 11, 24, hour, 30))
        return capsys.readouterr().out

    def locked() -> set[str]:
        return {machine.name for machine in fleet.snapshots() if machine.lock}

    fleet["bandsaw"].lock(by="Grace", reason="new blade").get()
    fleet["laser"].oops(reason="smoke").get()
    report(fleet, "metal-mill", ANN, datetime.now(UTC))
    assert at(21) == ""
    assert at(22) == "vent is locked.\nrouter is locked.\n"
    assert locked() == {"vent", "router", "bandsaw"}, "nobody's session is cut, an oops stays"
    assert at(23) == at(3) == ""
    report(fleet, "metal-mill", None, datetime.now(UTC))
    assert at(4) == "Metal Mill is locked.\n"
    fleet["router"].unlock(by="Grace").get()
    fleet["router"].lock(by="Grace", reason="belt").get()
    assert at(9) == "Metal Mill is unlocked.\nvent is unlocked.\n"
    assert locked() == {"router", "bandsaw"}
    assert at(10) == ""


def test_left_running_says_it_once_and_again_when_it_is_off(fleet: Fleet, local_zone: Callable[[str], None]) -> None:
    local_zone("Europe/Berlin")
    said: list[str] = []
    now = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
    reminder = fleet.start(example("left_running")["LeftRunning"], fleet, hours=4, say=said.append).proxy()
    report(fleet, "metal-mill", ANN, now - timedelta(hours=5))
    report(fleet, "laser", BOB, now - timedelta(hours=3))
    for _ in range(3):
        reminder.look(now).get()
    assert said == ["Metal Mill still runs: Ann Able, since 16:00."]
    report(fleet, "metal-mill", None, now)
    report(fleet, "laser", None, now)
    wait_until(lambda: len(said) == 2)
    assert said[1] == "Metal Mill is off, after 5.0 hours."
    report(fleet, "metal-mill", ANN, now)
    reminder.look(now + timedelta(hours=1)).get()
    assert len(said) == 2


def test_left_running_beside_a_server(tmp_path: Path) -> None:
    said: list[str] = []
    with serving(tmp_path, token=TOKEN) as server, shop_remote(server) as shop:
        reminder = shop.fleet.start(example("left_running")["LeftRunning"], shop.fleet, hours=4, say=said.append)
        shop.report("metal-mill", ANN)
        reminder.proxy().look(datetime.now(UTC) + timedelta(hours=5)).get()
        assert "Metal Mill still runs: Ann Able" in said[0]
        shop.report("metal-mill", "")
        wait_until(lambda: len(said) == 2)


def test_the_usage_report_counts_each_machines_hours(fleet: Fleet) -> None:
    now = datetime.now(UTC)
    for days, machine, fob, hours in (
        (9, "laser", BOB, 8.0),
        (3, "laser", BOB, 1.0),
        (2, "metal-mill", ANN, 0.5),
        (1, "metal-mill", ANN, 2.0),
    ):
        begun = now - timedelta(days=days)
        report(fleet, machine, fob, begun)
        report(fleet, machine, None, begun + timedelta(hours=hours))
    lines = example("usage_report")["report"](fleet, now - timedelta(days=7)).splitlines()
    assert [line.split() for line in lines] == [
        ["Machine", "Sessions", "Hours"],
        ["Metal", "Mill", "2", "2.5"],
        ["Größe", "100%", "/", "Laser", "#1?", "1", "1.0"],
    ]


def test_the_usage_report_shows_a_renamed_machine_once_by_its_present_alias(tmp_path: Path) -> None:
    machines, now = sample_machines(), datetime.now(UTC) - timedelta(days=1)
    for alias in ("Old Mill", "New Mill"):
        now += timedelta(hours=1)
        machines["metal-mill"]["alias"] = alias
        with Fleet.open(machines, sample_users(), state=tmp_path) as fleet:
            report(fleet, "metal-mill", ANN, now)
            report(fleet, "metal-mill", None, now + timedelta(minutes=30))
            said = example("usage_report")["report"](fleet, now - timedelta(days=7))
    assert [line.split() for line in said.splitlines()[1:]] == [["New", "Mill", "2", "1.0"]]


def run_example(name: str, *arguments: str, cwd: Path, **variables: str) -> Talking:
    """Run an example as its first lines say."""
    code = f"import runpy; runpy.run_path({str(EXAMPLES / f'{name}.py')!r}, run_name='__main__')"
    return Talking(*arguments, cwd=cwd, code=code, **SAMPLES, **variables)


def interrupted(script: Talking) -> int:
    """Press Ctrl-C, again if it came just before the script lay down to sleep; return the exit status.

    But not while it may be ending: a second one would break that off.
    """
    for _ in range(3):
        with suppress(subprocess.TimeoutExpired):
            return script.interrupt()
    raise AssertionError("Ctrl-C does not end it")


@pytest.mark.parametrize("beside_a_server", [False, True])
def test_the_examples_run_as_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], beside_a_server: bool
) -> None:
    server = start_server(tmp_path, **SAMPLE_FILES) if beside_a_server else None
    variables = {"MAC_URL": server.url} if server else {}
    try:
        with run_example("opening_hours", "0", "0", cwd=tmp_path, **variables) as closed:  # never open
            assert closed.wait_for(".") == "Metal Mill is locked."
            assert interrupted(closed) == 0
        with run_example("opening_hours", "0", "24", cwd=tmp_path, **variables) as opened:  # always
            assert opened.wait_for(".") == "Metal Mill is unlocked."
            assert interrupted(opened) == 0
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for variable, value in (SAMPLES | variables).items():
                patch.setenv(variable, value)
            patch.setattr(sys, "argv", ["usage_report.py", "7"])
            runpy.run_path(str(EXAMPLES / "usage_report.py"), run_name="__main__")
        assert capsys.readouterr().out.split() == ["Machine", "Sessions", "Hours"]
        if server:
            server.outputs("metal-mill", "1000001")
            with run_example("left_running", "0", cwd=tmp_path, **variables) as left:
                assert "Metal Mill still runs: a member" in left.wait_for(".")
                server.outputs("metal-mill")
                assert left.wait_for(".", since=1) == "Metal Mill is off, after 0.0 hours."
                assert interrupted(left) == 0
    finally:
        if server:
            server.stop()
