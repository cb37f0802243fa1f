"""What the old server knew is taken over: every oops and lock-out, no session, and nothing is ever lifted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mac_actors.core.inputs import Clear, Lock, Report
from mac_actors.core.outcomes import LockSet, OopsSet
from mac_actors.core.state import Card, MachineState, Source, Status, Telemetry
from mac_actors.errors import StorageError
from mac_actors.imports.dm_mac.states import ImportPlan, OldState, carry_out, make_plan, read_directory
from mac_actors.settings.files import parse
from mac_actors.storage.records import Unreadable
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.verify import verify
from tests.conftest import Here
from tests.e2e.terminals import Terminal
from tests.fakes import ANN, BOB, open_fleet, sample_machines, sample_users
from tests.imports.dm_mac.old_server import CORPUS, hostile, old_state, pickled, pickled_with_user, write_old
from tests.scripts.shop import serving

NOW = datetime.now(UTC)
LONG_AGO = NOW.replace(microsecond=0) - timedelta(days=65)
MACHINES = parse(sample_machines(), []).machines
NEW: Mapping[str, MachineState | Unreadable] = {}


def stamp(**changes: object) -> dict[str, object]:
    return {"last_update": LONG_AGO.timestamp(), "last_checkin": LONG_AGO.timestamp() + 60, **changes}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Mill oopsed, laser locked, bandsaw both, Ann at the router; the vent was never seen; one more has gone."""
    directory = tmp_path / "old"
    write_old(directory, "metal-mill", **stamp(is_oopsed=True))
    write_old(directory, "laser", **stamp(is_locked_out=True))
    write_old(directory, "bandsaw", **stamp(is_oopsed=True, is_locked_out=True))
    card = stamp(rfid_value=ANN, rfid_present_since=LONG_AGO.timestamp() - 9, relay_desired_state=True)
    path = write_old(directory, "router", **card)
    path.write_bytes(pickled_with_user(old_state("router", **card)))
    write_old(directory, "sold-lathe", is_oopsed=True)
    return directory


def planned(old: Path, stored: Mapping[str, MachineState | Unreadable] = NEW) -> ImportPlan:
    return make_plan(MACHINES, read_directory(old, NOW), stored, NOW)


def taken_over(old: Path, state: Path) -> ImportPlan:
    with closing(Store.open(state)) as store:
        plan = planned(old, store.load_states())
        carry_out(store, plan)
    assert verify(state, pytest.fail).findings == 0
    return plan


def states(state: Path) -> dict[str, MachineState]:
    with closing(Store.open(state)) as store:
        return {name: s for name, s in store.load_states().items() if isinstance(s, MachineState)}


# the files


def test_a_file_says_what_the_old_server_knew(old: Path) -> None:
    found = read_directory(old, NOW)
    assert set(found) == {"metal-mill", "laser", "bandsaw", "router", "sold-lathe"}
    seen = LONG_AGO + timedelta(seconds=60)
    assert found["metal-mill"] == OldState(True, False, LONG_AGO, None, None, seen, LONG_AGO)
    card_since = LONG_AGO - timedelta(seconds=9)
    assert found["router"] == OldState(False, False, LONG_AGO, ANN, card_since, seen, LONG_AGO)


def test_what_the_old_server_never_knew_is_not_known(old: Path) -> None:
    path = write_old(old, "laser", last_update=None, last_checkin=None, rfid_value="")
    os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    assert read_directory(old, NOW)["laser"] == OldState(False, False, LONG_AGO)


def test_a_clock_that_was_ahead_is_no_reason_to_know_the_future(old: Path) -> None:
    ahead = NOW.timestamp() + 1e6
    write_old(old, "laser", last_update=ahead, last_checkin=ahead, rfid_value=BOB, rfid_present_since=ahead)
    assert read_directory(old, NOW)["laser"] == OldState(False, False, NOW, BOB, NOW, NOW, NOW)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"is_oopsed": 1}, "is_oopsed is missing, or not true or false"),
        ({"is_locked_out": None}, "is_locked_out is missing, or not true or false"),
        ({"machine_name": "mill"}, "it is the state of another machine"),
        ({"last_checkin": "now"}, "last_checkin is not a time"),
        ({"last_checkin": True}, "last_checkin is not a time"),
        ({"last_update": float("inf")}, "last_update is not a time"),
        ({"last_update": 10**400}, "last_update is not a time"),
        ({"rfid_value": 7}, "rfid_value is not the number of a fob"),
        ({"rfid_value": "\ud800"}, "rfid_value is not the number of a fob"),
    ],
)
def test_a_value_that_the_old_server_never_wrote_makes_the_file_unreadable(
    old: Path, changes: dict[str, object], why: str
) -> None:
    write_old(old, "laser", **changes)
    assert read_directory(old, NOW)["laser"] == Unreadable(why)


def test_what_is_not_a_file_is_not_waited_for(old: Path) -> None:
    for name in ("laser", "bandsaw", "router"):
        (old / f"{name}-state.pickle").unlink()
    (old / "laser-state.pickle").mkdir()
    os.mkfifo(old / "bandsaw-state.pickle")
    (old / "router-state.pickle").symlink_to("/dev/zero")
    (old / "vent-state.pickle").symlink_to("nowhere")
    found = read_directory(old, NOW)
    assert {name: found[name] for name in ("laser", "bandsaw", "router", "vent")} == {
        **dict.fromkeys(("laser", "bandsaw", "router"), Unreadable("it is not a file")),
        "vent": Unreadable("No such file or directory"),
    }


@pytest.mark.parametrize("data", hostile().values(), ids=hostile())
def test_a_machine_whose_file_is_hostile_is_locked_out_and_the_others_go_on(old: Path, data: bytes) -> None:
    (old / "laser-state.pickle").write_bytes(data)
    plan = planned(old)
    assert list(plan.unreadable) == ["laser"]
    by_name = {step.machine.name: step.state for step in plan.steps}
    assert by_name["laser"].lock
    assert (
        by_name["laser"].lock.reason
        == "its state on the old server could not be read; check the machine, then clear it"
    )
    assert by_name["metal-mill"].oops


@pytest.mark.parametrize("protocol", range(6))
def test_a_file_of_any_protocol_is_understood(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "mill-state.pickle"
    path.write_bytes((CORPUS / f"state-protocol-{protocol}.pickle").read_bytes())
    found = read_directory(tmp_path, NOW)["mill"]
    assert isinstance(found, OldState)
    assert (found.oopsed, found.locked, found.fob) == (True, False, ANN)


@pytest.mark.parametrize("directory", ["nowhere", "."])
def test_a_directory_that_is_none_of_the_old_servers_is_named(tmp_path: Path, directory: str) -> None:
    with pytest.raises(StorageError, match="MACHINE_STATE_DIR was for the old server"):
        read_directory(tmp_path / directory, NOW)


# what is made of them


def test_oops_and_lock_are_taken_over_with_their_age(old: Path, tmp_path: Path) -> None:
    plan = taken_over(old, tmp_path / "new")
    assert plan.foreign == ("sold-lathe",)
    assert plan.unknown == ("vent",)
    got = states(tmp_path / "new")
    assert {name: state.status for name, state in got.items()} == {
        "metal-mill": Status.OOPSED,
        "laser": Status.LOCKED_OUT,
        "bandsaw": Status.OOPSED_LOCKED_OUT,
        "router": Status.IDLE,
    }
    mill = got["metal-mill"]
    assert mill.oops
    assert (mill.oops.since, mill.oops.source, mill.oops.reason) == (
        LONG_AGO,
        Source.CLI,
        "taken over from the old server",
    )
    assert (mill.status_since, mill.last_update) == (LONG_AGO, LONG_AGO)
    assert mill.last_checkin == LONG_AGO + timedelta(seconds=60)


def test_the_journal_has_every_oops_and_lock_and_slack_is_told_nothing(old: Path, tmp_path: Path) -> None:
    taken_over(old, tmp_path)
    with closing(Store.open(tmp_path)) as store:
        outcomes = [entry.outcome for entry in store.page().entries]
        assert store.count_waiting() == (0, None)
    assert sorted((outcome.machine, type(outcome).__name__) for outcome in outcomes if outcome.at == NOW) == [
        ("bandsaw", "LockSet"),
        ("bandsaw", "OopsSet"),
        ("laser", "LockSet"),
        ("metal-mill", "OopsSet"),
    ]


def test_no_machine_starts_with_a_card_that_was_in_its_reader(old: Path, tmp_path: Path) -> None:
    taken_over(old, tmp_path)
    router = states(tmp_path)["router"]
    assert router.session is None
    assert router.card == Card(ANN, LONG_AGO - timedelta(seconds=9), blocked=True)
    with open_fleet(Store.open(tmp_path)) as fleet:
        later = datetime.now(UTC)
        uptime = (later - LONG_AGO).total_seconds() + 500

        def report(fob: str | None, seconds: float) -> bool:
            event = Report(later + timedelta(seconds=seconds), fob, telemetry=Telemetry(uptime=uptime + seconds))
            return fleet.ask("router", event).outputs.relay

        assert [report(ANN, 0), report(ANN, 10), report(None, 20), report(ANN, 30)] == [False, False, False, True]


def test_a_second_import_changes_nothing(old: Path, tmp_path: Path) -> None:
    (old / "laser-state.pickle").write_bytes(b"damaged")
    taken_over(old, tmp_path)
    before = states(tmp_path)
    again = taken_over(old, tmp_path)
    assert again.changes == ()
    again.refuse_conflicts()
    assert states(tmp_path) == before


def test_after_the_server_has_run_a_second_import_still_changes_nothing(old: Path, tmp_path: Path) -> None:
    taken_over(old, tmp_path)
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.ask("router", Report(datetime.now(UTC), None, telemetry=Telemetry(uptime=1.0)))
    again = taken_over(old, tmp_path)
    assert again.changes == ()
    again.refuse_conflicts()


def test_an_oops_that_was_lifted_here_comes_back_only_with_force(old: Path, tmp_path: Path) -> None:
    taken_over(old, tmp_path)
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.ask("bandsaw", Clear(datetime.now(UTC), Source.CLI))
        fleet.ask("router", Lock(datetime.now(UTC), Source.CLI))
    with closing(Store.open(tmp_path)) as store:
        plan = make_plan(MACHINES, read_directory(old, NOW), store.load_states(), datetime.now(UTC))
        with pytest.raises(StorageError, match=r"bandsaw is not locked out and oopsed here.*--force"):
            plan.refuse_conflicts()
        assert [step.machine.name for step in plan.changes] == ["bandsaw"]
        carry_out(store, plan)
    assert verify(tmp_path, pytest.fail).findings == 0
    got = states(tmp_path)
    assert got["bandsaw"].status is Status.OOPSED_LOCKED_OUT
    assert got["router"].status is Status.LOCKED_OUT  # --force lifts nothing


def test_a_session_that_runs_here_is_ended_by_what_force_sets(old: Path, tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.ask("metal-mill", Report(NOW - timedelta(seconds=60), None, telemetry=Telemetry(uptime=1.0)))
        fleet.ask("metal-mill", Report(NOW - timedelta(seconds=50), ANN, telemetry=Telemetry(uptime=11.0)))
    with closing(Store.open(tmp_path)) as store:
        plan = make_plan(MACHINES, read_directory(old, NOW), store.load_states(), datetime.now(UTC))
        assert len(plan.conflicts) == 3
        carry_out(store, plan)
        (ended,) = [e.outcome for e in store.page(machine="metal-mill", limit=1).entries]
    assert isinstance(ended, OopsSet)
    assert ended.ended
    assert ended.ended.user.full_name == "Ann Able"
    mill = states(tmp_path)["metal-mill"]
    assert (mill.status, mill.session) == (Status.OOPSED, None)
    assert mill.card
    assert mill.card.blocked


def test_a_row_that_cannot_be_read_here_is_left_to_the_server_which_locks_it(old: Path) -> None:
    plan = planned(old, {"metal-mill": Unreadable("gone")})
    assert "metal-mill" not in [step.machine.name for step in plan.changes]
    assert plan.conflicts == ()


def test_a_machine_that_is_locked_here_already_is_not_locked_again(old: Path) -> None:
    first = planned(old)
    stored = {step.machine.name: replace(step.state, always_enabled=True) for step in first.steps}
    assert planned(old, stored).changes == ()
    assert all(isinstance(o, LockSet | OopsSet) for step in first.steps for o in step.outcomes)


# the command


@pytest.fixture
def shop(tmp_path: Path, old: Path) -> Path:
    (tmp_path / "machines.json").write_text(json.dumps(sample_machines()))
    (tmp_path / "users.json").write_text(json.dumps(sample_users()))
    return tmp_path


def test_the_command_shows_what_it_does_and_does_it_once(shop: Path, here: Here) -> None:
    dry = here("import-dm-mac", "old", "--dry-run", cwd=shop)
    assert (dry.returncode, dry.stderr) == (0, "")
    assert [line.split()[:3] for line in dry.stdout.splitlines()[1:4]] == [
        ["Metal", "Mill", "OOPSED"],
        ["Größe", "100%", "/"],
        ["bandsaw", "OOPSED,", "LOCKED"],
    ]
    assert "its card must be taken out and put in again" in dry.stdout
    assert "machines.json does not have them: sold-lathe." in dry.stdout
    assert "the old server has nothing of them: vent." in dry.stdout
    assert not (shop / "machine_state").exists()

    asked = here("import-dm-mac", "old", cwd=shop)
    assert asked.returncode == 1
    assert "there is no terminal to ask at: Take this over into machine_state? --yes agrees beforehand" in asked.stderr
    assert states(shop / "machine_state") == {}

    done = here("import-dm-mac", "old", "--yes", cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Taken over into machine_state: 4 machines, 2 of them oopsed, 2 locked out." in done.stdout
    assert here("verify", cwd=shop).returncode == 0
    again = here("import-dm-mac", "old", "--yes", cwd=shop)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (
        0,
        "machine_state has all of this already; nothing was changed.",
    )
    dry = here("import-dm-mac", "old", "--dry-run", cwd=shop)
    assert dry.returncode == 0
    assert "nothing to do" in dry.stdout


def test_a_file_that_cannot_be_read_is_named_and_the_exit_status_says_so(shop: Path, here: Here) -> None:
    (shop / "old/laser-state.pickle").write_bytes(pickled([1, 2]))
    done = here("import-dm-mac", "old", "--yes", "--state", "elsewhere", cwd=shop)
    assert done.returncode == 1
    assert done.stderr == "Locked out, because the old state can't be read: laser (it is not a machine's state).\n"
    assert "Taken over into elsewhere: 4 machines, 2 of them oopsed, 2 locked out." in done.stdout
    assert states(shop / "elsewhere")["laser"].lock


def test_a_running_server_keeps_its_directory(shop: Path, here: Here) -> None:
    with serving(shop, state_dir=shop / "machine_state"):
        refused = here("import-dm-mac", "old", "--yes", cwd=shop)
        assert refused.returncode == 1
        assert f"is in use by process {os.getpid()}: stop that server first" in refused.stderr
    conflict = here("import-dm-mac", "old", "--yes", cwd=shop)
    assert conflict.returncode == 1
    assert "metal-mill is not oopsed here" in conflict.stderr
    assert here("import-dm-mac", "old", "--dry-run", cwd=shop).returncode == 1
    forced = here("import-dm-mac", "old", "--yes", "--force", cwd=shop)
    assert (forced.returncode, forced.stderr) == (0, "")
    assert here("verify", cwd=shop).returncode == 0
    with serving(shop, state_dir=shop / "machine_state") as server:
        assert server.machine("metal-mill")["status"] == "oopsed"
        assert datetime.fromisoformat(server.machine("metal-mill")["oops"]["since"]) == LONG_AGO
        assert server.outputs("laser", "1234567")["display"] == "Down for\nmaintenance"


def test_the_wrong_directory_is_said(shop: Path, here: Here) -> None:
    done = here("import-dm-mac", "nowhere", cwd=shop)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot read the old server's state directory nowhere: No such file or directory." in done.stderr


def test_an_answer_on_the_terminal_decides(shop: Path) -> None:
    assert "nothing was changed" in _on_a_terminal(shop, "n\n")
    assert states(shop / "machine_state") == {}
    assert "Taken over into machine_state" in _on_a_terminal(shop, "y\n")
    assert len(states(shop / "machine_state")) == 4


def _on_a_terminal(shop: Path, answer: str) -> str:
    with Terminal("import-dm-mac", "old", cwd=shop) as terminal:
        terminal.child.send(answer)
        terminal.end()
        return terminal.said
