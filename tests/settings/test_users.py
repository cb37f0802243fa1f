"""What users.json may say, and when a membership ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mac_actors.core.config import Configuration
from mac_actors.settings.files import parse
from tests.fakes import user
from tests.settings.mistakes import of_user, problems


@pytest.mark.parametrize(
    ("given", "padded"),
    [("1", "0000000001"), ("0000000001", "0000000001"), ("12345678901", "12345678901"), (" 7 ", "0000000007")],
)
def test_fobs_are_padded_to_ten(given: str, padded: str) -> None:
    directory = parse({}, [user("1", "A B", [given], [])]).directory
    assert directory.find(padded)
    assert directory.users[0].fob_codes == (padded,)


@pytest.mark.parametrize(
    "value",
    [
        "4,687E+11",
        "1,000,518",
        "1.000.518",
        "1000000 037",
        "080,38104",
        "2027-03-31",
        "31.12.2099",
        "#NV",
        "0",
        "000-000",
    ],
)
def test_what_a_spreadsheet_has_made_of_a_fob_is_none(value: str) -> None:
    [line] = of_user(fob_codes=["7", value])
    assert line.startswith("users: [0].fob_codes[1]: expected the ")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("1000\u200b001", "U+200B, ZERO WIDTH SPACE"),
        ("\u200e1000001", "U+200E, LEFT-TO-RIGHT MARK"),
        ("１000001", "U+FF11, FULLWIDTH DIGIT ONE"),
        ("1.000.518", "U+002E, FULL STOP"),
        ("12\x0034", "U+0000, a control character"),
    ],
)
def test_the_character_that_no_fob_has_is_named(value: str, named: str) -> None:
    [line] = of_user(fob_codes=[value])
    assert line.endswith(f"(here is {named})")


def test_names_and_addresses_are_without_what_nobody_sees() -> None:
    entry = user("1", "Ann\u200b \u202eAble\u00a0", ["1"], [], email="ann@example.org ", preferred_name="\ufeffAnn")
    [ann] = parse({}, [entry]).directory.users
    assert (ann.full_name, ann.email, ann.preferred_name) == ("Ann Able", "ann@example.org", "Ann")


def test_two_users_with_one_fob_in_two_spellings_are_both_named() -> None:
    users = [user("1", "Ann Able", ["0A:1B:2C:3D"], []), user("2", "Bob Baker", ["a1b2c3d"], [])]
    expected = (
        "users: [1].fob_codes[0]: expected a fob of their own, but [0] (Ann Able) has the one ending in '2C3D' too"
    )
    assert problems(users=users) == [expected]


def test_an_authorization_with_a_character_that_nobody_sees_is_an_error_that_names_it() -> None:
    [line] = of_user(authorizations=["mill", "Wood\u200bshop"])
    assert line.startswith("users: [0].authorizations[1]: expected a name that people can read: ")
    assert "(here is U+200B, ZERO WIDTH SPACE)" in line
    assert parse({}, [user("1", "A B", [], ["👩\u200d🔧 Bench"])]).directory.users[0].authorizations


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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("123", "123"), ("123", "0000000123"), ("0123", "00123"), ("123 ", " 123"), ("36912", "000000036912")),
        *(("0a1b2c3d", "0A1B2C3D"), ("0A:1B:2C:3D", "0a1b2c3d"), ("74-10-37-94", "74103794"), ("12 34", "12-34")),
    ],
)
def test_a_fob_once_padded_belongs_to_one_user(one: str, other: str) -> None:
    users = [user("1", "Ann Able", ["9", one], []), user("2", "Bob Baker", ["8", "7", other], [])]
    [line] = problems(users=users)
    assert line.startswith("users: [1].fob_codes[2]: expected a fob of their own")
    assert "[0]" in line


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


def test_equal_authorizations_of_many_users_are_in_memory_once() -> None:
    first, second = parse({}, [user(one, "A B", [one], ["Mill", "Lathe"]) for one in "12"]).directory.users
    assert first.authorizations is second.authorizations
