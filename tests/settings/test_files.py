"""machines.json and users.json: what is taken, and what is said of every mistake."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mac_actors.core.config import Configuration, MachineConfig, SecondRelay
from mac_actors.errors import ConfigError
from mac_actors.settings import Settings, load, parse
from tests.fakes import ANN, ODD_ALIAS, sample_machines, sample_users, user


def problems(machines: Any = None, users: Any = None) -> list[str]:
    """Return what is said of these."""
    with pytest.raises(ConfigError) as error:
        parse(sample_machines() if machines is None else machines, sample_users() if users is None else users)
    assert str(error.value) == "\n".join(error.value.problems)
    for line in error.value.problems:
        assert "\n" not in line
        line.encode()  # it can be printed
    return list(error.value.problems)


def of_machine(**entry: Any) -> list[str]:
    """Return what is said of one machine."""
    return problems({"metal-mill": {"authorizations_or": ["mill"], **entry}})


def of_user(**entry: Any) -> list[str]:
    """Return what is said of one user."""
    return problems(users=[{**user("1", "Ann Able", ["1"], ["mill"]), **entry}])


def of_file(tmp_path: Path, content: bytes | str) -> list[str]:
    """Return what is said of a users file with this content."""
    path = tmp_path / "users.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    lines = problems(users=path)
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


# what is right


def test_everything_of_a_right_configuration_is_taken_over() -> None:
    configuration = parse(sample_machines(), sample_users())
    assert list(configuration.machines) == ["metal-mill", "laser", "bandsaw", "vent", "router"]
    assert configuration.machines["laser"] == MachineConfig(
        "laser", frozenset({"laser"}), alias=ODD_ALIAS, second_relay=SecondRelay(frozenset({"tube"}), alias="Tube")
    )
    assert configuration.machines["bandsaw"].unauthorized_warn_only
    assert configuration.machines["vent"].always_enabled
    ann = configuration.directory.find(ANN)
    assert ann
    assert (ann.account_id, ann.full_name, ann.first_name, ann.last_name) == ("1", "Ann Able", "Ann", "Able")
    assert (ann.preferred_name, ann.lcd_name, ann.email) == ("Ann", "Ann", "ann@example.org")
    assert ann.fob_codes == (ANN,)
    assert ann.authorizations == {"mill", "laser", "tube"}
    assert not ann.oops_override
    assert configuration.directory.users[2].oops_override


def test_what_is_not_given_is_off() -> None:
    machine = parse({"m": {"authorizations_or": []}}, []).machines["m"]
    assert machine == MachineConfig("m", frozenset(), False, False, None, None)
    assert machine.display_name == "m"


def test_an_empty_shop_is_a_shop() -> None:
    configuration = parse({}, [])
    assert configuration.machines == {}
    assert configuration.directory.users == ()


def test_files_are_read_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    machines, users = tmp_path / "m.json", tmp_path / "u.json"
    machines.write_bytes(b"\xef\xbb\xbf" + json.dumps(sample_machines(), ensure_ascii=False).encode())
    users.write_text(json.dumps(sample_users()), encoding="utf-8")
    before = datetime.now(UTC)
    configuration = load(Settings(machines, users, enforce_expiration=True))
    assert configuration.machines["laser"].alias == ODD_ALIAS
    assert configuration.directory.enforce_expiration
    assert before <= configuration.loaded_at <= datetime.now(UTC)
    assert configuration.users_mtime == datetime.fromtimestamp(users.stat().st_mtime, UTC)


@pytest.mark.parametrize("name", ["a", "0", "_", "-", "metal-mill_2", "x" * 200])
def test_a_right_machine_name_is_taken(name: str) -> None:
    assert list(parse({name: {"authorizations_or": []}}, []).machines) == [name]


@pytest.mark.parametrize(
    ("given", "padded"),
    [("1", "0000000001"), ("0000000001", "0000000001"), ("12345678901", "12345678901"), (" 7 ", "0000000007")],
)
def test_fobs_are_padded_to_ten(given: str, padded: str) -> None:
    directory = parse({}, [user("1", "A B", [given], [])]).directory
    assert directory.find(padded)
    assert directory.users[0].fob_codes == (padded,)


def test_a_user_may_have_many_fobs_or_none_and_the_same_twice() -> None:
    directory = parse({}, [user("1", "A B", ["1", "2", "01"], []), user("2", "C D", [], [])]).directory
    assert directory.users[0].fob_codes == ("0000000001", "0000000002")
    assert directory.users[1].fob_codes == ()


@pytest.mark.parametrize(
    ("preferred", "full", "shown"),
    [
        ("Jürgen", "Jürgen Groß", "Jurgen"),
        ("Łukasz", "Łukasz X", "Lukasz"),
        ("Maximiliane-Theodora", "M T", "Maximiliane-Theo"),
        ("", "Ann Able", "Ann Able"),
        ("🦆", "Duck", "duck"),
        ("back\\slash~", "x", "back/slash-"),
    ],
)
def test_a_name_on_the_display_is_plain_and_short(preferred: str, full: str, shown: str) -> None:
    person = parse({}, [{**user("1", full, [], []), "preferred_name": preferred}]).directory.users[0]
    assert len(person.lcd_name) <= 16
    assert person.lcd_name.isascii()
    assert person.lcd_name.strip(":") == shown


def test_a_machine_may_have_its_own_name_as_its_alias() -> None:
    assert parse({"mill": {"authorizations_or": [], "alias": "MILL"}}, []).machines["mill"].alias == "MILL"


def test_the_alias_of_a_second_relay_need_not_be_unique() -> None:
    second = {"authorizations_or": ["x"], "alias": "Fan"}
    parse({name: {"authorizations_or": [], "second_relay": second, "alias": name} for name in ("a", "b", "fan")}, [])


# machines.json


@pytest.mark.parametrize("name", ["", "Mill", "metal mill", "m/l", "m.l", "mül", "m\n", "m\x00", " mill", "MILL"])
def test_a_wrong_machine_name_is_an_error(name: str) -> None:
    [line] = problems({name: {"authorizations_or": []}})
    assert "only the characters a-z, 0-9, _ and -" in line
    assert line.startswith("machines: ")


@pytest.mark.parametrize("value", [None, True, 5, "mill", {}, {"a": 1}])
def test_authorizations_must_be_a_list(value: object) -> None:
    [line] = of_machine(authorizations_or=value)
    assert line == f"machines: metal-mill.authorizations_or: expected a list, not {json.dumps(value)}"


@pytest.mark.parametrize(("value", "word"), [(5, "a string"), (None, "a string"), ("", "empty"), ([], "a string")])
def test_each_authorization_must_be_text(value: object, word: str) -> None:
    [line] = of_machine(authorizations_or=["mill", value])
    assert line.startswith("machines: metal-mill.authorizations_or[1]: ")
    assert word in line


def test_authorizations_are_required() -> None:
    assert problems({"m": {}}) == ["machines: m.authorizations_or: is required"]


@pytest.mark.parametrize("key", ["unauthorized_warn_only", "always_enabled"])
@pytest.mark.parametrize("value", [None, 0, 1, "true", "", [], 1.0])
def test_a_switch_is_true_or_false(key: str, value: object) -> None:
    second = {"authorizations_or": ["x"], key: value}
    assert of_machine(**{key: value, "second_relay": second}) == [
        f"machines: metal-mill.{path}{key}: expected true or false, not {json.dumps(value)}"
        for path in ("", "second_relay.")
    ]


@pytest.mark.parametrize("value", [5, True, [], {}, "", "   ", "a\nb", "a\x00", "\x1b[31m", "a\u2028b", "\u202e"])
def test_an_alias_is_a_name_that_people_can_read(value: object) -> None:
    lines = of_machine(alias=value, second_relay={"authorizations_or": ["x"], "alias": value})
    assert [line.split(": ")[1] for line in lines] == ["metal-mill.alias", "metal-mill.second_relay.alias"]
    assert all("expected a" in line for line in lines)


@pytest.mark.parametrize("value", [5, True, [], "x"])
def test_a_second_relay_is_an_object(value: object) -> None:
    [line] = of_machine(second_relay=value)
    assert line.startswith("machines: metal-mill.second_relay: expected an object")


def test_a_second_relay_needs_an_authorization() -> None:
    assert of_machine(second_relay={}) == ["machines: metal-mill.second_relay.authorizations_or: is required"]
    [line] = of_machine(second_relay={"authorizations_or": []})
    assert line.startswith("machines: metal-mill.second_relay.authorizations_or: expected at least one authorization")


@pytest.mark.parametrize("key", ["authorization_or", "Alias", "second_relays", "", "x y", "oops_override"])
def test_an_unknown_key_is_an_error(key: str) -> None:
    [line] = of_machine(**{key: 1})
    assert line.startswith(f"machines: metal-mill.{key}: is not a known key")
    [line] = of_machine(second_relay={"authorizations_or": ["x"], "second_relay": {}})
    assert line.startswith("machines: metal-mill.second_relay.second_relay: is not a known key")


@pytest.mark.parametrize("value", [None, True, 5, "x", [1]])
def test_a_machine_is_an_object(value: object) -> None:
    [line] = problems({"m": value})
    assert line.startswith("machines: m: expected an object")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Big Mill", "Big Mill"), ("Big Mill", "BIG mill"), ("Straße", "STRASSE"), ("Big Mill", " big mill "), ("É", "é")],
)
def test_two_machines_may_not_have_the_same_alias_without_regard_to_case(one: str, other: str) -> None:
    [line] = problems({"a": {"authorizations_or": [], "alias": one}, "b": {"authorizations_or": [], "alias": other}})
    assert line.startswith("machines: b.alias: expected a name of its own")
    assert line.endswith("also means a")


@pytest.mark.parametrize("alias", ["router", "Router", " ROUTER "])
@pytest.mark.parametrize("order", [1, -1])
def test_an_alias_may_not_be_another_machines_name(alias: str, order: int) -> None:
    machines = {"a": {"authorizations_or": [], "alias": alias}, "router": {"authorizations_or": []}}
    [line] = problems(dict(list(machines.items())[::order]))
    assert line.startswith("machines: a.alias: expected a name of its own")
    assert line.endswith("also means router")


# users.json


@pytest.mark.parametrize(
    "key",
    [
        "fob_codes",
        "account_id",
        "full_name",
        "first_name",
        "last_name",
        "preferred_name",
        "email",
        "expiration_ymd",
        "authorizations",
    ],
)
@pytest.mark.parametrize("value", ["missing", None, 5, True, {}])
def test_each_key_of_a_user_is_required_and_of_its_type(key: str, value: object) -> None:
    entry = {**user("1", "A B", ["1"], []), key: value}
    if value == "missing":
        del entry[key]
    [line] = problems(users=[user("0", "C D", [], []), entry])
    assert line.startswith(f"users: [1].{key}: ")
    assert ("is required" if value == "missing" else "expected a") in line


@pytest.mark.parametrize("value", [None, 0, 1, "true"])
def test_oops_override_is_true_or_false(value: object) -> None:
    [line] = of_user(oops_override=value)
    assert line.startswith("users: [0].oops_override: expected true or false")


@pytest.mark.parametrize("value", [1234567, None, "", "  ", "12\n34", "\x00", ["1"], 1.5])
def test_a_wrong_fob_is_named_by_its_place(value: object) -> None:
    users = [user(str(number), "A B", [], []) for number in range(18)]
    users[17]["fob_codes"] = [value, "1"]
    [line] = problems(users=users)
    assert line.startswith("users: [17].fob_codes[0]: expected")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "never",
        "2027-3-1",
        "2027-02-30",
        "2027-13-01",
        "20270301",
        "2027-W10-1",
        "27-03-01",
        "2027-03-01T00:00:00",
        " 2027-03-01",
        "2027-03-01\n",
        "0000-01-01",
        "+2027-03-01",
        "２０２７-03-01",
    ],
)
def test_a_day_that_is_none_is_an_error(value: str) -> None:
    [line] = of_user(expiration_ymd=value)
    assert line.startswith("users: [0].expiration_ymd: expected a day as YYYY-MM-DD")


def test_an_empty_account_id_is_an_error() -> None:
    [line] = of_user(account_id="")
    assert line.startswith("users: [0].account_id: must not be empty")


@pytest.mark.parametrize("value", ["", 5, None])
def test_a_wrong_authorization_is_named_by_its_place(value: object) -> None:
    [line] = of_user(authorizations=["mill", "laser", value])
    assert line.startswith("users: [0].authorizations[2]: ")


@pytest.mark.parametrize("key", ["alias", "fob_code", "Email", "expired"])
def test_an_unknown_key_of_a_user_is_an_error(key: str) -> None:
    [line] = of_user(**{key: "x"})
    assert line.startswith(f"users: [0].{key}: is not a known key")


@pytest.mark.parametrize("value", [None, 5, "x", [], ["a"]])
def test_a_user_is_an_object(value: object) -> None:
    [line] = problems(users=[value])
    assert line.startswith("users: [0]: expected an object")


def test_account_ids_are_unique() -> None:
    users = [user("7", "A B", [], []), user("8", "C D", [], []), user("7", "E F", [], [])]
    assert problems(users=users) == ["users: [2].account_id: expected an id of its own, but [0] has '7' too"]


@pytest.mark.parametrize(("one", "other"), [("123", "123"), ("123", "0000000123"), ("0123", "00123"), ("123 ", " 123")])
def test_a_fob_once_padded_belongs_to_one_user(one: str, other: str) -> None:
    users = [user("1", "Ann Able", ["9", one], []), user("2", "Bob Baker", ["8", "7", other], [])]
    [line] = problems(users=users)
    assert line.startswith("users: [1].fob_codes[2]: expected a fob of their own")
    assert "[0]" in line


# all at once


def test_all_mistakes_of_both_files_are_said_at_once(tmp_path: Path) -> None:
    machines, users = tmp_path / "machines.json", tmp_path / "users.json"
    machines.write_text(
        json.dumps(
            {
                "Mill": {"authorizations_or": []},
                "a": {"always_enabled": 1, "x": 2},
                "metal-mill": {"authorizations_or": [5], "second_relay": {"authorizations_or": [], "alias": 7}},
            }
        )
    )
    users.write_text(json.dumps([{**user("1", "A B", [""], []), "email": None}, {"fob_codes": "1"}]))
    lines = problems(machines, users)
    paths = [line.split(": ")[1] for line in lines]
    assert all(line.startswith((f"{machines}: ", f"{users}: ")) for line in lines)
    assert {
        "Mill",
        "a.always_enabled",
        "a.x",
        "a.authorizations_or",
        "metal-mill.authorizations_or[0]",
        "metal-mill.second_relay.authorizations_or",
        "metal-mill.second_relay.alias",
        "[0].fob_codes[0]",
        "[0].email",
        "[1].fob_codes",
        "[1].account_id",
    } <= set(paths)
    assert len(paths) == len(set(lines))


def test_all_clashes_are_said_at_once() -> None:
    machines = {name: {"authorizations_or": [], "alias": "Same"} for name in "abc"}
    users = [user("1", "A B", ["1"], []) for _ in range(3)]
    assert len(problems(machines, users)) == 2 + 4


def test_clashes_are_said_beside_other_mistakes() -> None:
    """An admin who mends a type must not find the next mistake at the next try."""
    users = [user("1", "A B", ["5"], []), user("1", "C D", ["5"], []), {**user("3", "E F", [], []), "email": 5}]
    lines = problems(users=users)
    assert any("[2].email" in line for line in lines)
    assert any("[1].account_id" in line for line in lines)
    assert any("[1].fob_codes[0]" in line for line in lines)


def test_a_long_wrong_value_is_cut() -> None:
    [line] = of_machine(alias=["x" * 10_000])
    assert len(line) < 300


# files that are none


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    lines = problems(tmp_path / "no-machines.json", tmp_path / "no-users.json")
    assert len(lines) == 2
    assert all("no such file" in line and "MACHINES_CONFIG" in line for line in lines)
    assert "no-machines.json" in lines[0]


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    [line] = problems(users=tmp_path)
    assert line.startswith(f"{tmp_path}: cannot be read")


def test_a_file_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    [line] = problems(users=tmp_path / "x" / "users.json")
    assert "users.json" in line


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("", "line 1, column 1"),
        (" \n ", "line 2, column 2"),
        ("[", "line 1, column 2"),
        ("[\n  {},\n  }\n]", "line 3, column 3"),
        ('[{"a": 1,}]', "line 1, column 10"),
        ("[] []", "line 1, column 4"),
        ("['x']", "line 1, column 2"),
        ("[// comment\n]", "line 1, column 2"),
        ('["a\nb"]', "line 1, column 4"),
        ("\x00", "line 1, column 1"),
        ("undefined", "line 1, column 1"),
    ],
)
def test_broken_json_is_shown_by_line_and_column(tmp_path: Path, content: str, place: str) -> None:
    [line] = of_file(tmp_path, content)
    assert line.startswith(f"{place}: not JSON: ")


@pytest.mark.parametrize(
    ("content", "byte"), [(b"[\xff]", 2), (b'["M\xfcller"]', 4), (b"\xff\xfe[\x00]\x00", 1), (b'["\xed\xa0\x80"]', 3)]
)
def test_a_file_that_is_not_utf_8_is_shown_by_its_byte(tmp_path: Path, content: bytes, byte: int) -> None:
    assert of_file(tmp_path, content) == [f"byte {byte} is not UTF-8; save the file as UTF-8"]


@pytest.mark.parametrize("content", ["{}", "null", "5", '"x"', "true", "NaN"])
def test_users_must_be_a_list(tmp_path: Path, content: str) -> None:
    [line] = of_file(tmp_path, content)
    assert line.startswith("expected a list")


@pytest.mark.parametrize("content", ["[]", "null", "5", '"x"', "[1]"])
def test_machines_must_be_an_object(tmp_path: Path, content: str) -> None:
    path = tmp_path / "machines.json"
    path.write_text(content)
    [line] = problems(path)
    assert line.startswith(f"{path}: expected an object")


@pytest.mark.parametrize("depth", [*range(200, 1200, 25), 100_000])
@pytest.mark.parametrize("form", [lambda n: "[" * n + "]" * n, lambda n: '[{"a":' * n + "1" + "}]" * n], ids=["[", "{"])
def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path, form: Callable[[int], str], depth: int) -> None:
    assert of_file(tmp_path, form(depth))


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "machines.json"
    path.write_text(
        '{"mill": {"authorizations_or": ["a"]}, "mill": {"authorizations_or": ["b"], "alias": "x", "alias": "y"}}'
    )
    lines = problems(path)
    assert any("'mill' stands twice" in line for line in lines)
    assert any("'alias' stands twice" in line for line in lines)


def test_a_key_that_stands_twice_in_a_user_is_an_error(tmp_path: Path) -> None:
    text = json.dumps([user("1", "A B", ["1"], [])]).replace(
        '"email"', '"oops_override": true, "oops_override": false, "email"'
    )
    [line] = of_file(tmp_path, text)
    assert "'oops_override' stands twice" in line


@pytest.mark.parametrize(
    "content",
    [
        '[{"account_id": ' + "1" * 5_000 + "}]",
        '[{"account_id": 1e99999}]',
        '[{"account_id": NaN, "email": Infinity}]',
        r'[{"account_id": "\ud800"}]',
        r'[{"\ud800": 1}]',
        r'[{"fob_codes": ["\udfff"]}]',
    ],
    ids=["5000 digits", "1e99999", "NaN", "half a character", "half a key", "half a fob"],
)
def test_values_that_json_can_say_and_nobody_can_hold_are_errors(tmp_path: Path, content: str) -> None:
    assert of_file(tmp_path, content)


# the end of a day


@pytest.fixture
def local_time() -> Iterator[Callable[[str], None]]:
    """Set the local time zone for one test."""
    before = os.environ.get("TZ")

    def set_zone(zone: str) -> None:
        os.environ["TZ"] = zone
        time.tzset()

    yield set_zone
    if before is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = before
    time.tzset()


BERLIN, NEW_YORK, KIRITIMATI = "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<+14>-14"


def expiring(day: str, *, enforce: bool = True) -> Configuration:
    """Return a configuration with one user who expires on that day."""
    return parse({}, [user("1", "A B", ["1"], [], expiration_ymd=day)], enforce_expiration=enforce)


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("UTC0", "2027-03-31", "2027-04-01T00:00:00+00:00"),
        (BERLIN, "2027-03-31", "2027-03-31T22:00:00+00:00"),
        (BERLIN, "2027-12-31", "2027-12-31T23:00:00+00:00"),
        (BERLIN, "2027-03-28", "2027-03-28T22:00:00+00:00"),
        (BERLIN, "2027-10-31", "2027-10-31T23:00:00+00:00"),
        (NEW_YORK, "2027-03-31", "2027-04-01T04:00:00+00:00"),
        (NEW_YORK, "2028-02-29", "2028-03-01T05:00:00+00:00"),
        (KIRITIMATI, "2027-03-31", "2027-03-31T10:00:00+00:00"),
    ],
)
def test_a_membership_ends_with_its_last_day_in_local_time(
    local_time: Callable[[str], None], zone: str, day: str, end: str
) -> None:
    local_time(zone)
    directory = expiring(day).directory
    person = directory.users[0]
    moment = datetime.fromisoformat(end)
    assert person.expires_at == moment
    assert not directory.expired(person, moment - timedelta(seconds=1))
    assert directory.expired(person, moment)


@pytest.mark.parametrize("zone", ["UTC0", BERLIN, NEW_YORK, KIRITIMATI])
def test_the_first_and_the_last_day_of_the_calendar_are_days(local_time: Callable[[str], None], zone: str) -> None:
    local_time(zone)
    now = datetime.now(UTC)
    for day, over in (("9999-12-31", False), ("0001-01-01", True), ("9999-12-30", False), ("1900-01-01", True)):
        directory = expiring(day).directory
        assert directory.expired(directory.users[0], now) is over, day


def test_expiry_counts_only_where_it_is_enforced() -> None:
    directory = expiring("2020-01-01", enforce=False).directory
    assert not directory.expired(directory.users[0], datetime.now(UTC))
