"""Reloads: machines and users swapped under a running fleet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pykka
import pytest

from mac_actors.core.config import Configuration, MachineConfig
from mac_actors.core.inputs import Oops
from mac_actors.core.outcomes import PowerChanged, SessionEnded
from mac_actors.core.state import Source, Status
from mac_actors.errors import ReloadRefused, StorageError, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.reload import UsersChange
from mac_actors.settings.files import parse
from mac_actors.storage.store import Store
from tests.fakes import (
    ANN,
    BOB,
    OLGA,
    RefusingStore,
    UnreadableStore,
    open_fleet,
    report,
    sample_machines,
    sample_users,
    user,
    written,
)

WAIT = 10.0


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[MachineFleet]:
    """A fleet on disk."""
    with open_fleet(Store.open(tmp_path)) as fleet:
        yield fleet


def configured(machines: dict[str, Any] | None = None, users: list[dict[str, Any]] | None = None) -> Configuration:
    """Return a configuration, the sample where nothing else is given."""
    return parse(sample_machines() if machines is None else machines, sample_users() if users is None else users)


def without(*names: str, **changes: dict[str, Any]) -> dict[str, Any]:
    """Return the sample machines, some taken away, some changed or added."""
    return {name: entry for name, entry in {**sample_machines(), **changes}.items() if name not in names}


def relay(fleet: MachineFleet, name: str, fob: str | None = None) -> bool:
    """Send a report; return whether the relay is on."""
    return report(fleet, name, fob).outputs.relay


def test_the_same_configuration_changes_nothing(fleet: MachineFleet) -> None:
    before = fleet.snapshots()
    summary = fleet.reload(configured())
    assert summary.users == UsersChange(0, 0, 0)
    assert (summary.added, summary.changed, summary.removed, summary.powered_on) == ((), (), (), ())
    assert fleet.snapshots() == before
    assert fleet.restarts == {}


def test_a_machine_is_added(fleet: MachineFleet) -> None:
    summary = fleet.reload(configured(without(press={"authorizations_or": ["mill"], "alias": "The Press"})))
    assert summary.added == ("press",)
    assert fleet.find("the press") == "press"
    assert relay(fleet, "press", ANN)
    assert len(fleet) == 6


def test_a_machine_is_changed(fleet: MachineFleet) -> None:
    changed = without(router={"authorizations_or": ["laser"], "alias": "Shaper"})
    assert fleet.reload(configured(changed)).changed == ("router",)
    assert fleet.snapshot("shaper").display_name == "Shaper"
    assert relay(fleet, "router", BOB)


def test_an_old_alias_is_gone_after_the_reload(fleet: MachineFleet) -> None:
    fleet.reload(configured({**without(), "metal-mill": {"authorizations_or": ["mill"]}}))
    with pytest.raises(UnknownMachine):
        fleet.find("Metal Mill")


def test_a_machine_is_removed(fleet: MachineFleet) -> None:
    assert fleet.reload(configured(without("router"))).removed == ("router",)
    with pytest.raises(UnknownMachine):
        fleet.find("router")
    with pytest.raises(UnknownMachine):
        relay(fleet, "router", ANN)
    assert "router" not in [snapshot.name for snapshot in fleet.snapshots()]
    assert fleet.health() == {}


def test_the_oops_of_a_removed_machine_comes_back_with_it(fleet: MachineFleet) -> None:
    fleet["router"].oops(by="me", reason="belt").get(timeout=WAIT)
    fleet["laser"].lock(reason="lens").get(timeout=WAIT)
    fleet.reload(configured(without("router", "laser")))
    fleet.reload(configured())
    router, laser = fleet.snapshot("router"), fleet.snapshot("laser")
    assert router.status is Status.OOPSED
    assert router.oops
    assert router.oops.reason == "belt"
    assert laser.status is Status.LOCKED_OUT
    assert not relay(fleet, "router", ANN)


def test_an_oops_that_is_not_on_disk_yet_comes_back_too(tmp_path: Path) -> None:
    store = RefusingStore.open(tmp_path)
    assert isinstance(store, RefusingStore)
    with open_fleet(store, commit_budget=0.05) as fleet:
        written(fleet)
        store.refuse()
        assert fleet["router"].oops().get(timeout=WAIT).durable is False
        fleet.reload(configured(without("router")))
        fleet.reload(configured())
        status = fleet.snapshot("router").status
        store.mend()
        assert status is Status.OOPSED
        written(fleet)
        assert fleet.snapshot("router").status is Status.OOPSED
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert fleet.snapshot("router").status is Status.OOPSED


def test_an_oops_that_was_on_its_way_to_a_machine_that_is_removed_comes_back_too(
    fleet: MachineFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had found the machine before is told that it is oopsed."""
    router, stop, answers = fleet["router"].actor_ref, pykka.ActorRef.stop, []

    def late(ref: pykka.ActorRef[Any], **options: Any) -> Any:
        assert ref == router
        answers.append(ref.ask(Oops(datetime.now(UTC), Source.HTTP, reason="belt"), block=False))
        return stop(ref, **options)

    with monkeypatch.context() as racing:
        racing.setattr(pykka.ActorRef, "stop", late)
        fleet.reload(configured(without("router")))
    assert [answer.get(timeout=WAIT).durable for answer in answers] == [True]
    fleet.reload(configured())
    assert fleet.snapshot("router").status is Status.OOPSED


def test_a_reload_for_which_the_disk_can_not_be_read_changes_nothing(tmp_path: Path) -> None:
    store = UnreadableStore.open(tmp_path)
    assert isinstance(store, UnreadableStore)
    with open_fleet(store) as fleet:
        before = (fleet.configuration, list(fleet), [s.name for s in fleet.snapshots()])
        store.readable = False
        with pytest.raises(StorageError):
            fleet.reload(configured(without("router", press={"authorizations_or": ["mill"]})))
        assert (fleet.configuration, list(fleet), [s.name for s in fleet.snapshots()]) == before
        assert relay(fleet, "router", ANN)


def test_an_added_machine_whose_row_can_not_be_read_comes_locked_out(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet["router"].oops().get(timeout=WAIT)
    with closing(sqlite3.connect(tmp_path / "mac.sqlite3")) as connection, connection:
        connection.execute("UPDATE machine_state SET state = 'garbage' WHERE name = 'router'")
    with MachineFleet(configured(without("router")), Store.open(tmp_path), commit_budget=4.0) as fleet:
        fleet.reload(configured())
        assert fleet.snapshot("router").status is Status.LOCKED_OUT
        assert not relay(fleet, "router", ANN)


def test_a_machine_on_which_a_session_runs_is_not_removed(fleet: MachineFleet) -> None:
    relay(fleet, "router", ANN)
    before = fleet.configuration
    with pytest.raises(ReloadRefused, match=r"router.*force=1"):
        fleet.reload(configured(without("router")))
    assert fleet.configuration is before
    assert relay(fleet, "router", ANN)


def test_force_removes_a_machine_in_use_and_ends_its_session(fleet: MachineFleet) -> None:
    relay(fleet, "router", ANN)
    fleet.reload(configured(without("router")), force=True)
    written(fleet)
    assert isinstance(fleet.store.page(machine="router").entries[0].outcome, SessionEnded)
    fleet.reload(configured())
    assert not relay(fleet, "router", ANN), "its card is still in: it must be put in again"
    relay(fleet, "router")
    assert relay(fleet, "router", ANN)


def test_a_refused_reload_changes_nothing_of_the_rest_either(fleet: MachineFleet) -> None:
    relay(fleet, "router", ANN)
    before = (fleet.configuration, list(fleet))
    new = without("router", press={"authorizations_or": []}, bandsaw={"authorizations_or": ["x"], "alias": "B"})
    with pytest.raises(ReloadRefused):
        fleet.reload(configured(new, sample_users()[:1]))
    assert (fleet.configuration, list(fleet)) == before
    assert relay(fleet, "laser", BOB)


def test_users_are_counted_by_account(fleet: MachineFleet) -> None:
    users = sample_users()
    users[0]["fob_codes"] = ["777"]
    users[1]["email"] = "new@example.org"
    del users[2]
    users += [user("8", "New One", ["888"], []), user("9", "New Two", ["999"], [])]
    assert fleet.reload(configured(users=users), machines=False).users == UsersChange(removed=1, updated=2, added=2)


def test_users_alone_leave_the_machines_as_they_are(fleet: MachineFleet) -> None:
    summary = fleet.reload(configured(without("router", press={"authorizations_or": []}), []), machines=False)
    assert (summary.added, summary.removed) == ((), ())
    assert len(fleet) == 5
    assert not relay(fleet, "router", ANN), "nobody is known any more"


def test_a_running_session_is_not_cut_by_new_users(fleet: MachineFleet) -> None:
    relay(fleet, "router", ANN)
    fleet.reload(configured(users=[]), machines=False)
    assert relay(fleet, "router", ANN)
    relay(fleet, "router")
    assert not relay(fleet, "router", ANN)


def crowd(count: int) -> list[dict[str, Any]]:
    """Return that many users."""
    return [user(str(number), f"Member {number}", [str(5000 + number)], ["mill"]) for number in range(count)]


@pytest.mark.parametrize(("before", "after"), [(20, 9), (20, 0), (21, 10), (100, 49)])
def test_users_that_lose_more_than_half_are_refused(fleet: MachineFleet, before: int, after: int) -> None:
    fleet.reload(configured(users=crowd(before)), force=True)
    running = fleet.configuration
    for machines in (True, False):
        with pytest.raises(ReloadRefused, match=rf"{before - after} of {before}.*force=1"):
            fleet.reload(configured(users=crowd(after)), machines=machines)
    assert fleet.configuration is running
    assert fleet.reload(configured(users=crowd(after)), force=True).users.removed == before - after


def test_users_who_all_lose_their_fobs_are_refused(fleet: MachineFleet) -> None:
    fleet.reload(configured(users=crowd(20)), force=True)
    fobless = [entry | {"fob_codes": []} for entry in crowd(20)]
    for users, lost in (
        (fobless, "0 of 20 users, and all fobs of 20"),
        (fobless[:6] + crowd(20)[6:15], "5 of 20 users, and all fobs of 6"),
    ):
        with pytest.raises(ReloadRefused, match=rf"lost {lost}: is the export whole\? .*force=1"):
            fleet.reload(configured(users=users))
    fleet.reload(configured(users=fobless[:10] + crowd(20)[10:]))
    assert fleet.reload(configured(users=fobless), machines=False).users.removed == 0


@pytest.mark.parametrize(("before", "after"), [(19, 0), (20, 10), (21, 11), (4, 0)])
def test_users_that_lose_less_or_were_few_are_taken(fleet: MachineFleet, before: int, after: int) -> None:
    fleet.reload(configured(users=crowd(before)), force=True)
    assert fleet.reload(configured(users=crowd(after))).users.removed == before - after


def test_replacing_more_than_half_of_the_users_is_refused_though_their_number_is_the_same(
    fleet: MachineFleet,
) -> None:
    fleet.reload(configured(users=crowd(20)), force=True)
    others = [{**entry, "account_id": f"x{entry['account_id']}"} for entry in crowd(20)]
    with pytest.raises(ReloadRefused):
        fleet.reload(configured(users=others))


def test_a_machine_that_becomes_always_enabled_is_named_and_on(fleet: MachineFleet) -> None:
    on = without(router={"authorizations_or": ["mill"], "always_enabled": True})
    assert fleet.reload(configured(on)).powered_on == ("router",)
    assert relay(fleet, "router")
    [entry] = fleet.store.page(machine="router").entries
    assert isinstance(entry.outcome, PowerChanged)
    summary = fleet.reload(configured())
    assert summary.powered_on == ()
    assert not relay(fleet, "router")


def test_a_second_relay_that_is_always_on_from_now_on_is_told_of(
    fleet: MachineFleet, caplog: pytest.LogCaptureFixture
) -> None:
    entry = {"authorizations_or": [], "always_enabled": True}
    tube = {"authorizations_or": ["mill"], "alias": "Tube"}
    fleet.reload(configured(without(fan={**entry, "second_relay": tube})))
    assert not report(fleet, "fan").outputs.second_relay
    fleet.reload(configured(without(fan={**entry, "second_relay": {**tube, "always_enabled": True}})))
    assert report(fleet, "fan").outputs.second_relay
    assert [r.message for r in caplog.records if "second relay" in r.message] == [
        "fan: its second relay is on (it is always enabled)."
    ]


def test_an_oopsed_machine_that_becomes_always_enabled_stays_off(fleet: MachineFleet) -> None:
    fleet["router"].oops().get(timeout=WAIT)
    on = without(router={"authorizations_or": ["mill"], "always_enabled": True})
    assert fleet.reload(configured(on)).powered_on == ()
    assert not relay(fleet, "router")


def test_an_added_always_enabled_machine_is_named(fleet: MachineFleet) -> None:
    summary = fleet.reload(configured(without(fan={"authorizations_or": [], "always_enabled": True})))
    assert summary.powered_on == ("fan",)


def test_a_card_that_is_in_a_machine_that_is_no_longer_always_enabled_starts_nothing(fleet: MachineFleet) -> None:
    assert relay(fleet, "vent", ANN)
    fleet.reload(configured(without(vent={"authorizations_or": ["mill"]})))
    assert not relay(fleet, "vent", ANN)
    relay(fleet, "vent")
    assert relay(fleet, "vent", ANN)


def test_an_override_goes_on_over_a_reload(fleet: MachineFleet) -> None:
    fleet["router"].oops().get(timeout=WAIT)
    assert relay(fleet, "router", OLGA)
    fleet.reload(configured())
    assert relay(fleet, "router", OLGA)


def test_names_may_be_swapped_by_a_reload(fleet: MachineFleet) -> None:
    swapped = without(router={"authorizations_or": ["mill"], "alias": "Metal Mill"})
    swapped["metal-mill"] = {"authorizations_or": ["mill"], "alias": "Shaper"}
    fleet.reload(configured(swapped))
    assert fleet.find("metal mill") == "router"
    assert fleet.find("shaper") == "metal-mill"


def test_a_whole_shop_may_be_swapped(fleet: MachineFleet) -> None:
    fleet.reload(configured({"one": {"authorizations_or": ["mill"]}}, sample_users()))
    assert list(fleet) == ["one"]
    fleet.reload(configured({}, []))
    assert list(fleet) == []
    assert fleet.snapshots() == []
    fleet.reload(configured())
    assert len(fleet) == 5


def test_an_added_machine_has_its_actor_before_it_has_its_name(
    fleet: MachineFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for it at that moment gets an answer, not a mistake of the server."""
    begin = fleet.supervisor.start
    seen: list[str] = []

    def looked_at(config: MachineConfig, stored: Any) -> None:
        with pytest.raises(UnknownMachine):
            fleet.snapshot(config.name)
        begin(config, stored)
        seen.append(config.name)

    monkeypatch.setattr(fleet.supervisor, "start", looked_at)
    fleet.reload(configured(without(kiln={"authorizations_or": []})))
    assert seen == ["kiln"]
    assert fleet.snapshot("kiln").name == "kiln"
