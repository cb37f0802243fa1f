"""machines.json and users.json: what is taken, and what is said of every mistake."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mac_actors.core.config import MachineConfig, SecondRelay
from mac_actors.settings import Settings
from mac_actors.settings.files import load, parse
from tests.fakes import ANN, ODD_ALIAS, sample_machines, sample_users, user
from tests.settings.mistakes import of_machine, problems


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
        ('[{"a": 1,}]', "line 1, column 9" if sys.version_info >= (3, 13) else "line 1, column 10"),
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
    ("content", "hint"),
    [
        ("[“a”]", '(texts and keys stand between ")'),
        ("{'a': 1}", '(texts and keys stand between ")'),
        ('{"a":\u00a01}', "(here is U+00A0, NO-BREAK SPACE)"),
        ("[\u200b]", "(here is U+200B, ZERO WIDTH SPACE)"),
        ("[]\x00", "(here is U+0000, a control character)"),
        ('{"a": True}', "(true, false and null are written in small letters)"),
        ("[0001000001]", '(a number with zeroes before it stands between ", as a text)'),
        ("[1, # one\n2]", "(JSON has no comments: take it out)"),
        ('{"a": true\n"b": 1}', "(a comma is missing at the end of what stands before it)"),
        ("[{} {}]", "(a comma is missing at the end of what stands before it)"),
        (" ", "(the file is empty)"),
        ('[{"a": 1}\n', "(the file ends here: is a } or ] missing?)"),
        ('["an "apple""]', '(a " within a text is written as \\")'),
    ],
)
def test_what_editors_and_keyboards_do_to_json_is_said_with_what_to_do(tmp_path: Path, content: str, hint: str) -> None:
    [line] = of_file(tmp_path, content)
    assert line.endswith(hint)


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
