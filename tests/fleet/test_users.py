"""Users who are changed at the server: what counts from then on, what is on disk, and what is said."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from mac_actors.core.outcomes import kind
from mac_actors.core.people.additions import Author
from mac_actors.core.people.view import UserAnswer
from mac_actors.core.state import Source
from mac_actors.errors import FleetClosed, MachineUnavailable, UnknownAuthorization, UnknownUser, UserRefused
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.people.logins import Role
from mac_actors.settings.files import parse
from mac_actors.storage.records import Record, SlackLink
from mac_actors.storage.slack_users import all_links
from mac_actors.storage.sqlite.database import SqliteDatabase
from mac_actors.storage.sqlite.engine import DATABASE, open_engine
from mac_actors.storage.store import Store
from tests.fakes import (
    ANN,
    BOB,
    NOBODY,
    HangingStore,
    RecordingChat,
    RecordingSubscriber,
    RefusingStore,
    open_fleet,
    report,
    sample_machines,
    sample_users,
    user,
    wait_until,
    written,
)

ZOE_FOB = "0000000077"


@pytest.fixture
def fleet() -> Any:
    with open_fleet() as opened:
        yield opened


def on_file(fleet: MachineFleet, *users: dict[str, Any]) -> Any:
    """Have the fleet read another users file."""
    return fleet.reload(parse(sample_machines(), list(users)), machines=False, force=True)


def opens(fleet: MachineFleet, machine: str, fob: str) -> bool:
    """Say whether a fob opens a machine, which is free again afterwards."""
    report(fleet, machine)
    relay = report(fleet, machine, fob).outputs.relay
    report(fleet, machine)
    return relay


def test_what_is_changed_counts_at_the_next_insertion_and_cuts_no_session(fleet: MachineFleet) -> None:
    assert not opens(fleet, "metal-mill", BOB)
    fleet.users.authorize("2", "mill")
    assert report(fleet, "metal-mill", BOB).outputs.relay
    fleet.users.withdraw("2", "mill")
    fleet.users.take_fob("2", BOB)
    assert report(fleet, "metal-mill", BOB).outputs.relay
    assert not opens(fleet, "metal-mill", BOB)


def test_all_is_still_so_after_a_restart_and_an_import_that_knows_nothing_of_it(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        report(fleet, "router", ZOE_FOB)
        zoe = fleet.users.add("Zoe Zimmer", email="zoe@example.org", expires=date(2099, 1, 1)).user
        fleet.users.give_fob(zoe.account_id, seen_at="router")
        fleet.users.authorize(zoe.account_id, "router", until=date(2098, 1, 1), by="Tina", reason="course")
        fleet.users.take_fob("Ann Able", ANN)
        before = fleet.users.show(zoe.account_id)
    with open_fleet(Store.open(tmp_path)) as fleet:
        on_file(fleet, *sample_users())
        assert fleet.users.show(zoe.account_id) == before
        assert before.authorizations[0].by == "Tina"
        assert opens(fleet, "router", ZOE_FOB)
        assert not opens(fleet, "metal-mill", ANN)
        number = fleet.store.last_addition()
        fleet.users.give_fob("1", ANN)
        assert fleet.store.last_addition() == number + 1
        assert opens(fleet, "metal-mill", ANN)


def test_each_change_is_told_to_subscribers_to_the_journal_and_to_the_control_channel() -> None:
    chat, told = RecordingChat(), RecordingSubscriber()
    with open_fleet(chat=chat) as fleet:
        fleet.subscribe(told)
        fleet.users.add("Zoe Zimmer", fob="77", by="Tina")
        fleet.users.authorize("Zoe Zimmer", "mill", until=date(2098, 1, 1), reason="course")
        fleet.users.withdraw("Zoe Zimmer", "mill")
        fleet.users.take_fob("Zoe Zimmer", "0000000077")
        kinds = ["user_added", "fob_given", "authorization_granted", "authorization_withdrawn", "fob_taken"]
        assert [kind(outcome) for outcome in told.wait_for(5)] == kinds
        assert [kind(outcome) for outcome in fleet.events()][:5] == kinds[::-1]
        assert chat.texts(5) == [
            "Zoe Zimmer was added to the users, by an admin (Tina), from the Python shell.",
            "Zoe Zimmer was given a fob (ending in 0077), by an admin (Tina), from the Python shell.",
            "Zoe Zimmer is authorized for mill until 2098-01-01, by an admin, from the Python shell: course.",
            "Zoe Zimmer is not authorized for mill any more, by an admin, from the Python shell.",
            "Zoe Zimmer's fob (ending in 0077) counts no more, by an admin, from the Python shell.",
        ]


def test_of_two_who_give_one_fob_to_two_people_at_once_one_wins(fleet: MachineFleet) -> None:
    barrier = threading.Barrier(2)

    def give(who: str) -> UserAnswer | UserRefused:
        barrier.wait(20)
        try:
            return fleet.users.give_fob(who, ZOE_FOB)
        except UserRefused as refused:
            return refused

    with ThreadPoolExecutor(2) as pool:
        first, second = sorted(pool.map(give, ("1", "2")), key=lambda result: isinstance(result, UserRefused))
    assert isinstance(first, UserAnswer)
    assert f"this fob is {first.user.full_name}'s ({first.user.account_id})" in str(second)
    assert len([one for one in fleet.events() if kind(one) == "fob_given"]) == 1


def test_a_fob_that_is_somebody_elses_is_not_given(fleet: MachineFleet) -> None:
    with pytest.raises(UserRefused, match=r"this fob is Ann Able's \(1\)"):
        fleet.users.give_fob("2", "01:23:45:67")
    with pytest.raises(UserRefused, match="this fob is Ann Able's"):
        fleet.users.add("Zoe", fob=ANN)
    fleet.users.take_fob("1", ANN)
    with pytest.raises(UserRefused, match=r"users\.json gives this fob to Ann Able"):
        fleet.users.give_fob("2", ANN)
    assert [user.full_name for user in fleet.users.find("zoe")] == []


def test_who_is_added_twice_is_there_once(fleet: MachineFleet) -> None:
    first = fleet.users.add("Zoe Zimmer", email="zoe@example.org", fob=ZOE_FOB)
    second = fleet.users.add("Zoe Zimmer", email="zoe@example.org", fob=ZOE_FOB)
    assert second.already == ("user_added",)
    assert second.user == first.user
    with pytest.raises(UserRefused, match=r"Ann Able \(1\) has this e-mail address already"):
        fleet.users.add("Ann", email="ANN@example.org")
    assert fleet.users.add("Zoe Zimmer").user.account_id != first.user.account_id


def test_what_a_reader_has_sent_is_a_fob_whatever_it_looks_like(fleet: MachineFleet) -> None:
    report(fleet, "laser", "0018,54321")
    for _ in range(2):
        assert fleet.users.give_fob("2", "018,54321").user.fobs[-1].value == "018,54321".rjust(10, "0")
    assert fleet.users.take_fob("2", "018,54321").outcomes


def test_an_unknown_fob_is_given_to_somebody_by_the_machine_where_it_was_seen(fleet: MachineFleet) -> None:
    report(fleet, "laser", NOBODY)
    report(fleet, "vent", ZOE_FOB)
    assert [(one.code, one.machine) for one in fleet.users.unknown()] == [(ZOE_FOB, "vent"), (NOBODY, "laser")]
    assert fleet.users.give_fob("2", seen_at="vent").user.fobs[-1].value == ZOE_FOB
    assert [one.code for one in fleet.users.unknown()] == [NOBODY]
    with pytest.raises(UserRefused, match="no unknown fob was held to vent within the last 10 minutes"):
        fleet.users.give_fob("2", seen_at="vent")
    with pytest.raises(UserRefused, match="Metal Mill"):
        fleet.users.give_fob("2", seen_at="Metal Mill")


def test_the_last_hundred_unknown_fobs_of_a_day_are_kept_and_known_after_a_restart(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with open_fleet(Store.open(tmp_path)) as fleet:
        for number in range(110):
            report(fleet, "router", f"00000{10000 + number}", at=now - timedelta(hours=1))
        seen = fleet.users.unknown()
        assert [one.code for one in seen] == [f"00000{10000 + n}" for n in range(109, 9, -1)]
        assert fleet.users.just_seen() == []
        assert seen[0].code not in repr(seen)
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert fleet.users.unknown() == seen


def test_an_unknown_fob_of_the_day_before_is_none_of_these(fleet: MachineFleet) -> None:
    report(fleet, "router", NOBODY, at=datetime.now(UTC) - timedelta(hours=25))
    assert fleet.users.unknown() == []


def test_users_are_found_by_parts_without_regard_to_case_and_accents() -> None:
    people = [
        user("M-7", "Zoë Strauß", [], [], email="z@example.org"),
        user("M-8", "Frøya Ødegård", [], [], email="norway@example.org"),
        user("M-9", "Émile Zola", [], []),
    ]
    with MachineFleet(parse(sample_machines(), people), Store.open(None)) as fleet:
        for query, names in (
            ("zoe", ["Zoë Strauß"]),
            ("STRAUSS", ["Zoë Strauß"]),
            ("strauß z@ex", ["Zoë Strauß"]),
            ("ødeg froya", ["Frøya Ødegård"]),
            ("norway", ["Frøya Ødegård"]),
            ("m-9", ["Émile Zola"]),
            ("zo", ["Émile Zola", "Zoë Strauß"]),
            ("ola", ["Émile Zola"]),
            ("ya", ["Frøya Ødegård"]),
            ("", ["Émile Zola", "Frøya Ødegård", "Zoë Strauß"]),
            ("nobody", []),
        ):
            assert [one.full_name for one in fleet.users.find(query)] == names, query
        fleet.users.add("Zola Budd")
        assert [one.full_name for one in fleet.users.find("zola")] == ["Émile Zola", "Zola Budd"]


def test_a_user_is_known_by_account_e_mail_or_name(fleet: MachineFleet) -> None:
    for who in ("2", "BOB@example.org", " bob  baker "):
        assert fleet.users.user(who).account_id == "2"
    assert fleet.users.user(fleet.users.user("2")).account_id == "2"
    for who in ("", "Bob", "x" * 10_000):
        with pytest.raises(UnknownUser, match="No such user"):
            fleet.users.user(who)
    fleet.users.add("Bob Baker")
    with pytest.raises(UnknownUser, match=r"It may be 2 \(Bob Baker\) or added-"):
        fleet.users.authorize("Bob Baker", "mill")


def test_an_authorization_that_no_machine_asks_for_is_refused_with_the_nearest(fleet: MachineFleet) -> None:
    with pytest.raises(UnknownAuthorization, match="did you mean 'mill'"):
        fleet.users.authorize("2", "mil")
    with pytest.raises(UnknownAuthorization, match="none that one asks for is like it"):
        fleet.users.withdraw("2", "???")
    with MachineFleet(parse({}, sample_users()), Store.open(None)) as without_machines:
        assert without_machines.users.withdraw("2", "laser").outcomes


@pytest.mark.parametrize("code", ["", "000", "\x07", "4,687E+11", "1.000.518", "080,38104", "#N/A", "１０"])
def test_no_fob_is_not_given(fleet: MachineFleet, code: str) -> None:
    with pytest.raises(ValueError, match="fob"):
        fleet.users.give_fob("2", code)


def test_the_reload_says_where_the_file_wins(fleet: MachineFleet) -> None:
    fleet.users.give_fob("2", ZOE_FOB)
    ann = sample_users()[0] | {"fob_codes": [ZOE_FOB]}
    summary = on_file(fleet, ann, *sample_users()[1:])
    (line,) = [line for line in summary.warnings if "0077" in line]
    assert line == (
        "users.json gives the fob ending in '0077' to Ann Able, to whom it opens the machines; "
        "at the server it was given to account 2: take it away from one of them"
    )
    summary = on_file(fleet, ann)
    assert line in summary.warnings
    assert (summary.users.removed, summary.users.added) == (3, 0)


def test_an_added_user_who_is_in_the_file_now_is_that_one_and_it_is_said(tmp_path: Path) -> None:
    chat = RecordingChat()
    with open_fleet(Store.open(tmp_path), chat=chat) as fleet:
        added = fleet.users.add("Zoe Zimmer", email="zoe@example.org", fob=ZOE_FOB).user
        fleet.users.authorize(added.account_id, "mill")
        on_file(fleet, *sample_users(), user("9", "Zoe Zimmer", [], []))
        assert opens(fleet, "metal-mill", ZOE_FOB)
        assert any("Zoe Zimmer, who was added at the server, is in users.json now" in text for text in chat.texts(4))
        written(fleet)
        assert [(one.kind, one.counts) for one in fleet.store.load_additions("9")] == [
            ("user", False),
            ("fob", True),
            ("authorization", True),
        ]
        assert fleet.store.load_additions(added.account_id) == []
    with open_fleet(Store.open(tmp_path)) as fleet:
        on_file(fleet, *sample_users(), user("9", "Zoe Zimmer", [], []))
        assert opens(fleet, "metal-mill", ZOE_FOB)


def test_who_has_another_account_id_in_the_file_stays_logged_in_and_linked_and_what_was_withdrawn_is(
    tmp_path: Path,
) -> None:
    chat, now = RecordingChat(), datetime.now(UTC)
    with open_fleet(Store.open(tmp_path), chat=chat) as fleet:
        fleet.users.withdraw("1", "mill")
        added = fleet.users.add("Zoe Zimmer", email="typo@example.org", fob=ZOE_FOB).user.account_id
        key, _ = fleet.logins.open(Role.TRAINER, "Ann Able", "1")
        links = [("U1", "1", "e-mail"), ("U2", added, "e-mail"), ("U3", added, "admin"), ("U4", "2", "e-mail")]
        fleet.journal.record(Record(links=tuple(SlackLink(*link, now) for link in links)))
        written(fleet)
        ann = sample_users()[0] | {"account_id": "001"}
        summary = on_file(fleet, ann, *sample_users()[1:], user("9", "Zoe Zimmer", [ZOE_FOB], []))
        line = (
            "Ann Able has the account id 001 in users.json now, not 1: "
            "what was changed at the server counts on for them."
        )
        assert line in summary.warnings
        assert line in chat.texts(5)
        session = fleet.logins.find(key)
        assert session
        assert session.account_id == "001"
    with open_fleet(Store.open(tmp_path)) as fleet:
        on_file(fleet, ann)
        assert [item.value for item in fleet.users.show("001").withdrawn] == ["mill"]
        assert not opens(fleet, "metal-mill", ANN)
        assert [one.account_id for one in fleet.logins.sessions()] == ["001"]
        assert [(link.id, link.account_id) for link in all_links(fleet.store)] == [
            ("U1", "001"),
            ("U3", "9"),
            ("U4", "2"),
        ]


def test_a_reload_says_who_may_be_somebody_who_is_gone(fleet: MachineFleet) -> None:
    fleet.users.withdraw("1", "mill")
    summary = on_file(fleet, user("7", "Nora New", [ANN], ["mill"]))
    assert any(line.startswith("Ann Able (1), from whom something was withdrawn") for line in summary.warnings)
    assert fleet.users.show("7").withdrawn == ()


def test_while_the_disk_hangs_the_machine_obeys_and_nothing_is_lost(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    store = HangingStore(SqliteDatabase(open_engine(tmp_path), None))
    with closing(store), open_fleet(store, commit_budget=0.05) as fleet:
        store.gate.clear()
        answer = fleet.users.authorize("2", "mill")
        assert not answer.durable
        again = fleet.users.authorize("2", "mill")
        assert (again.already, again.durable) == (("authorized",), False)
        assert opens(fleet, "metal-mill", BOB)
        store.gate.set()
        written(fleet)
        assert fleet.users.authorize("2", "mill").durable
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert opens(fleet, "metal-mill", BOB)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    store = RefusingStore(SqliteDatabase(open_engine(tmp_path), None))
    with open_fleet(store, commit_budget=0.05) as fleet:
        store.refuse()
        assert not fleet.users.add("Zoe Zimmer", fob=ZOE_FOB).durable
        wait_until(lambda: store.attempts > 1)
        store.mend()
        written(fleet)
        assert [one.kind for one in fleet.store.load_additions()] == ["user", "fob"]


def test_with_too_much_waiting_for_the_disk_nothing_is_changed(
    fleet: MachineFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.actors.journal.BACKLOG_LIMIT", 0)
    with pytest.raises(MachineUnavailable, match="disk is not keeping up"):
        fleet.users.authorize("2", "mill")
    assert not opens(fleet, "metal-mill", BOB)


def test_during_a_reload_that_takes_long_a_change_is_refused(
    fleet: MachineFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.fleet.people.users.ANSWER_SECONDS", 0.01)
    with fleet.supervisor.lock, ThreadPoolExecutor(1) as pool:
        refused = pool.submit(fleet.users.authorize, "2", "mill")
        assert isinstance(refused.exception(20), MachineUnavailable)


def test_a_closed_fleet_changes_nothing() -> None:
    fleet = open_fleet()
    fleet.close()
    with pytest.raises(FleetClosed):
        fleet.users.authorize("2", "mill")


def test_no_code_of_a_fob_is_in_what_is_printed(fleet: MachineFleet) -> None:
    answer = fleet.users.give_fob("2", ZOE_FOB)
    assert ZOE_FOB not in repr(answer)
    assert json.dumps(str(answer.outcomes)).find(ZOE_FOB) == -1


def test_what_is_no_day_or_no_text_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    now, five = datetime.now(UTC), cast(str, 5)
    with open_fleet(Store.open(tmp_path)) as fleet:
        users = fleet.users
        calls: tuple[tuple[Callable[[], UserAnswer], str], ...] = (
            (lambda: users.authorize("2", "mill", until=now), "until"),
            (lambda: users.withdraw("1", "mill", until=now), "until"),
            (lambda: users.add("Zoe Zimmer", expires=now), "expires"),
            (lambda: users.withdraw("1", "mill", by=five), "by"),
            (lambda: users.take_fob("1", ANN, reason=five), "reason"),
            (lambda: users.give_fob("2", ZOE_FOB, by=five), "by"),
        )
        for call, name in calls:
            with pytest.raises(TypeError, match=f"{name}: expected a"):
                call()
        with pytest.raises(ValueError, match="Expected `str`"):
            users.withdraw("1", "mill", author=Author(now, Source.HTTP, five))
        assert fleet.store.last_addition() == 0
        assert opens(fleet, "metal-mill", ANN)
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert opens(fleet, "metal-mill", ANN)


def test_a_change_that_can_not_be_read_closes_its_account_and_the_shop_opens(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.users.withdraw("1", "mill")
        fleet.users.authorize("2", "mill")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("UPDATE addition SET data = replace(data, 'null', '5') WHERE account_id = '1'")
    chat = RecordingChat()
    with open_fleet(Store.open(tmp_path), chat=chat) as fleet:
        assert "a change of account 1 can't be read (row 1 of the table addition)" in chat.texts(1)[0]
        assert [opens(fleet, machine, ANN) for machine in ("metal-mill", "laser", "bandsaw")] == [False] * 3
        assert opens(fleet, "metal-mill", BOB)
        on_file(fleet, *sample_users())
        assert not opens(fleet, "laser", ANN)
        fleet.users.authorize("1", "mill")
        assert not opens(fleet, "metal-mill", ANN)
