"""What machines.json may say."""

from __future__ import annotations

import json

import pytest

from mac_actors.core.config import Limits
from mac_actors.settings.files import parse
from tests.fakes import user
from tests.settings.mistakes import of_machine, problems


@pytest.mark.parametrize("name", ["a", "0", "_", "-", "metal-mill_2", "x" * 200])
def test_a_right_machine_name_is_taken(name: str) -> None:
    assert list(parse({name: {"authorizations_or": []}}, []).machines) == [name]


def test_a_machine_may_have_its_own_name_as_its_alias() -> None:
    assert parse({"mill": {"authorizations_or": [], "alias": "MILL"}}, []).machines["mill"].alias == "MILL"


@pytest.mark.parametrize("alias", ["👩\u200d🔧 Bench", "🏳️\u200d🌈", "می\u200cخواهم", "Größe 100%"])
def test_an_alias_may_have_emoji_that_are_joined_and_scripts_that_need_it(alias: str) -> None:
    second = {"authorizations_or": ["x"], "alias": alias}
    machine = parse({"m": {"authorizations_or": [], "alias": alias, "second_relay": second}}, []).machines["m"]
    assert machine.second_relay
    assert machine.alias == machine.second_relay.alias == alias


def test_the_alias_of_a_second_relay_need_not_be_unique() -> None:
    second = {"authorizations_or": ["x"], "alias": "Fan"}
    parse({name: {"authorizations_or": [], "second_relay": second, "alias": name} for name in ("a", "b", "fan")}, [])


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


@pytest.mark.parametrize(
    "value", [5, True, [], {}, "", "   ", "a\nb", "a\x00", "\x1b[31m", "a\u2028b", "\u202e", "a\u200db", "\u200d"]
)
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
    [
        ("Big Mill", "Big Mill"),
        ("Big Mill", "BIG mill"),
        ("Straße", "STRASSE"),
        ("Big Mill", " big mill "),
        ("É", "e\u0301"),
        ("Saw 1", "saw １"),
    ],
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


@pytest.mark.parametrize("key", ["max_session_minutes", "idle_minutes", "amps"])
@pytest.mark.parametrize("value", [0, -1, 1e9, float("nan"), float("inf"), "5", True])
def test_a_limit_is_a_number_that_makes_sense(key: str, value: object) -> None:
    (line,) = of_machine(**{"idle_minutes": 5, "amps": 1, "cut": True, key: value})
    assert line.startswith(f"machines: metal-mill.{key}: expected ")
    assert "number" in line or "more than 0" in line


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"idle_minutes": 5, "amps": 1}, 'expected "amps" and "cut": true beside idle_minutes'),
        ({"idle_minutes": 5, "cut": True}, 'expected "amps" and "cut": true beside idle_minutes'),
        ({"amps": 1, "max_session_minutes": 5}, "expected idle_minutes beside amps"),
        ({"cut": True}, 'expected max_session_minutes or idle_minutes beside "cut": true'),
    ],
)
def test_limits_that_say_only_half_are_an_error(entry: dict[str, object], said: str) -> None:
    (line,) = of_machine(**entry)
    assert line.startswith(f"machines: metal-mill: {said}")


def test_limits_are_in_seconds() -> None:
    entry = {"authorizations_or": [], "max_session_minutes": 60, "idle_minutes": 1.5, "amps": 0.5, "cut": True}
    assert parse({"m": entry}, []).machines["m"].limits == Limits(3600.0, 90.0, 0.5, True)
    assert parse({"m": {"authorizations_or": []}}, []).machines["m"].limits is None


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"what": "oil"}], "maintenance[0].every_hours: is required"),
        ([{"what": "oil", "every_hours": 0}], "maintenance[0].every_hours: expected hours, more than 0"),
        ([{"what": " ", "every_hours": 5}], "maintenance[0].what: expected a name that people can read"),
        (
            [{"what": "oil", "every_hours": 5}, {"what": "OIL", "every_hours": 9}],
            "maintenance: expected each thing once",
        ),
        ("oil", "maintenance: expected a list"),
    ],
)
def test_maintenance_that_makes_no_sense_is_an_error(items: object, said: str) -> None:
    (line,) = of_machine(maintenance=items)
    assert line.startswith(f"machines: metal-mill.{said}")


def test_maintenance_locks_no_machine_that_is_never_free() -> None:
    (line,) = of_machine(always_enabled=True, maintenance=[{"what": "oil", "every_hours": 5, "lock": True}])
    assert 'expected no "lock": true in maintenance of a machine that is always enabled' in line


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"after_seconds": 9}, ".after_seconds: expected seconds, 10 to 3600, not 9"),
        ({"after_seconds": 3600.5}, ".after_seconds: expected seconds, 10 to 3600, not 3600.5"),
        ({"after_seconds": "60"}, '.after_seconds: expected a number, not "60"'),
        ({"list": "yes"}, '.list: expected true or false, not "yes"'),
        ({"on_loss": "stop"}, """.on_loss: expected 'keep' or 'off', not "stop\""""),
        ({"on_lost": "off"}, ".on_lost: is not a known key; look for a typing error"),
        (True, ": expected an object, not true"),
    ],
)
def test_what_a_reader_does_alone_must_make_sense(rules: object, said: str) -> None:
    assert of_machine(offline=rules) == [f"machines: metal-mill.offline{said}"]


@pytest.mark.parametrize("link", ["www.example.org", "https://a.example/a b", "https://a.example/\u200b", "file:///a"])
def test_a_link_is_an_address_without_blanks(link: str) -> None:
    [line] = of_machine(link=link)
    assert line.startswith("machines: metal-mill.link: expected an address that begins with http:// or https://, with")


def test_an_accent_is_the_same_however_a_keyboard_writes_it() -> None:
    users = [user("1", "Ann Able", ["1"], ["Fra\u0308se"])]
    configuration = parse({"mill": {"authorizations_or": ["Fr\u00e4se"]}}, users)
    assert configuration.directory.users[0].authorizations == configuration.machines["mill"].authorizations_or
