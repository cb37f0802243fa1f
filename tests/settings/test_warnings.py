"""Authorizations that only one of the two files knows are said, with what was most likely meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mac_actors.settings.files import parse
from mac_actors.settings.warnings import warnings_of
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from tests.conftest import Here, write_sample
from tests.fakes import open_fleet, sample_users, user

MACHINES = {
    "saw": {"authorizations_or": ["Wodshop", "Steward"]},
    "lathe": {"authorizations_or": ["Wodshop"]},
    "laser": {
        "authorizations_or": ["Laser"],
        "always_enabled": True,
        "second_relay": {"authorizations_or": ["laser rotary"]},
    },
}
USERS = [
    user("1", "Ann Able", ["1"], ["Woodshop", "Laser", "Woodshop 101"]),
    user("2", "Bob Baker", ["2"], ["Woodshop", "Laser Rotary"]),
]


def test_what_nobody_has_is_said_with_the_nearest_that_somebody_has() -> None:
    assert warnings_of(parse(MACHINES, USERS)) == [
        "nobody has the authorization 'Steward', which saw asks for",
        "nobody has the authorization 'Wodshop', which saw, lathe asks for: did you mean 'Woodshop'?",
        "nobody has the authorization 'laser rotary', which laser asks for: did you mean 'Laser Rotary'?",
        "3 authorizations that users have open no machine: 'Laser Rotary', 'Woodshop', 'Woodshop 101'",
    ]


def test_what_fits_is_not_spoken_of_nor_is_a_shop_without_users() -> None:
    assert warnings_of(parse({"mill": {"authorizations_or": ["mill"]}}, [user("1", "Ann Able", [], ["mill"])])) == []
    assert warnings_of(parse(MACHINES, [])) == warnings_of(parse({}, USERS)) == []


def test_a_long_list_of_what_opens_no_machine_is_cut() -> None:
    users = [user("1", "Ann Able", ["1"], ["mill", *(f"Course {n:02}" for n in range(12))])]
    [line] = warnings_of(parse({"mill": {"authorizations_or": ["mill"]}}, users))
    assert line.startswith("12 authorizations that users have open no machine: 'Course 00', ")
    assert line.endswith("'Course 09' and 2 more")


@pytest.mark.parametrize("fobs", [500, 501])
def test_a_list_that_is_too_long_for_a_reader_is_said(fobs: int) -> None:
    machines = {"mill": {"authorizations_or": ["mill"], "offline": {"list": True}}}
    users = [user("1", "Ann Able", [str(number) for number in range(1, fobs + 1)], ["mill"])]
    said = "mill: 501 fobs may run it, and the list for its reader holds 500: it stays empty, and nothing starts there"
    assert warnings_of(parse(machines, users)) == ([f"{said} without the server"] if fobs > 500 else [])


@pytest.mark.parametrize("seconds", [10, 29.5, 30])
def test_a_server_that_counts_as_lost_between_two_reports_is_said(seconds: float) -> None:
    machines = {"mill": {"authorizations_or": ["mill"], "offline": {"after_seconds": seconds, "on_loss": "off"}}}
    said = warnings_of(parse(machines, [user("1", "Ann Able", ["1"], ["mill"])]))
    expected = (
        f"mill: offline.after_seconds is {seconds:g}; take 30 or more, or one answer that is late makes the server"
    )
    assert said == ([f"{expected} count as lost"] if seconds < 30 else [])


def test_check_says_what_readers_do_without_the_server(tmp_path: Path, here: Here) -> None:
    rules: dict[str, object] = {
        "saw": {"list": True},
        "mill": {"list": True, "on_loss": "off", "after_seconds": 90},
        "lathe": {"on_loss": "off"},
        "kiln": {"after_seconds": 30},
    }
    machines = {name: {"authorizations_or": ["Woodshop"], "offline": own} for name, own in rules.items()}
    (tmp_path / "machines.json").write_text(json.dumps(machines))
    (tmp_path / "users.json").write_text(json.dumps(USERS))
    checked = here("check", cwd=tmp_path)
    assert checked.stdout.splitlines()[1] == (
        "While the server does not answer: saw after 60 s: 2 fobs may start it; mill after 90 s: 2 fobs may start it, "
        "it is switched off; lathe after 60 s: it is switched off."
    )
    assert checked.returncode == 0


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "machines.json").write_text(json.dumps({"saw": {"authorizations_or": ["Wodshop"]}}))
    (tmp_path / "users.json").write_text(json.dumps(USERS[1:]))
    return tmp_path


def test_check_says_where_the_file_gives_a_fob_to_somebody_else_than_the_server(tmp_path: Path, here: Here) -> None:
    write_sample(tmp_path)
    with open_fleet(Store.open(tmp_path / "state")) as fleet:
        fleet.users.give_fob("2", "77")
    users = sample_users()
    users[0]["fob_codes"] = ["77"]
    (tmp_path / "users.json").write_text(json.dumps(users))
    done = here("check", cwd=tmp_path, MACHINE_STATE_DIR="state")
    assert "Note: users.json gives the fob ending in '0077' to Ann Able" in done.stderr
    (tmp_path / "state" / DATABASE).write_bytes(b"nonsense" * 1000)
    assert here("check", cwd=tmp_path, MACHINE_STATE_DIR="state").returncode == 0


NOTE = "Note: nobody has the authorization 'Wodshop', which saw asks for: did you mean 'Woodshop'?"


def test_check_and_import_say_it_and_succeed(shop: Path, here: Here) -> None:
    done = here("check", cwd=shop)
    assert (done.returncode, done.stdout.count(" are fine: 1 machine, 1 user")) == (0, 1)
    assert done.stderr.splitlines()[0] == NOTE
    head = "account_id,full_name,fob_codes,expiration_ymd,authorizations\n"
    (shop / "members.csv").write_text(f"{head}1,Ann Able,1,2099-12-31,Woodshop\n")
    command = ("users", "import", "csv", "members.csv", "--dry-run", "--force")
    done = here(*command, cwd=shop)
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, NOTE)
    (shop / "machines.json").write_text("{")  # whoever imports may be somebody who can't even read it
    assert here(*command, cwd=shop).stderr == ""
