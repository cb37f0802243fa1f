"""Users from Neon: every account, once, or none and a sentence that says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mac_actors.errors import ConfigError, MacError
from mac_actors.imports.users.neon import PAUSE_SECONDS, TRIES, Neon
from mac_actors.imports.users.neon_config import URL, NeonAccess, NeonConfig
from mac_actors.imports.users.people import gather
from mac_actors.imports.users.source import checked
from mac_actors.settings.user_entries import UserEntry
from tests.conftest import Here
from tests.imports.users.neon_server import (
    CUSTOM_FIELDS,
    KEY,
    ORGANIZATION,
    NeonServer,
    account,
    busy,
    cut,
    hang_up,
    neon_server,
    says,
)
from tests.imports.users.test_csv_file import ANEW

CONFIG: dict[str, Any] = {
    "fields": {"fob_codes": ["Fob10Digit", "Second Fob"]},
    "authorizations": {"done": "Training Complete"},
}


@pytest.fixture
def neon() -> Iterator[NeonServer]:
    with neon_server([account(n) for n in range(1, 4)]) as server:
        yield server


def config(**changes: Any) -> NeonConfig:
    return checked(NeonConfig, {**CONFIG, **changes}, "neon.toml")


class Asked:
    """An import, with what it waited for and told."""

    def __init__(self, server: NeonServer, settings: NeonConfig | None = None, key: str = KEY) -> None:
        self.waits: list[float] = []
        self.told: list[str] = []
        self.source = Neon(
            settings or config(),
            NeonAccess(ORGANIZATION, key, server.url),
            self.told.append,
            self.waits.append,
            date(2026, 11, 24),
        )

    def users(self) -> list[UserEntry]:
        return list(gather(self.source).users)


def refused(server: NeonServer, settings: NeonConfig | None = None, key: str = KEY) -> str:
    with pytest.raises(MacError) as error:
        Asked(server, settings, key).users()
    assert KEY not in str(error.value)
    return str(error.value)


def test_an_account_is_a_user(neon: NeonServer) -> None:
    neon.accounts = [
        account(
            7,
            **{"Preferred Name": "Sev", "Second Fob": "12345; 77", "Laser": "Training Complete", "Woodshop 101": None},
        )
    ]
    assert Asked(neon).users() == [
        UserEntry(
            fob_codes=["0000000007", "0000012345", "0000000077"],
            account_id="7",
            full_name="First7 Last7",
            first_name="First7",
            last_name="Last7",
            preferred_name="Sev",
            email="m7@example.org",
            expiration_ymd="2099-12-31",
            authorizations=["Laser"],
        )
    ]


def test_neon_is_asked_for_what_is_needed_and_custom_fields_by_their_numbers(neon: NeonServer) -> None:
    Asked(neon).users()
    assert [path for path, _ in neon.requests] == ["/v2/customFields?category=Account", "/v2/accounts/search"]
    assert neon.requests[1][1] == {
        "searchFields": [
            {"field": "Account Type", "operator": "EQUAL", "value": "Individual"},
            {"field": "Membership Expiration Date", "operator": "GREATER_AND_EQUAL", "value": "2026-11-17"},
        ],
        "outputFields": [
            *("Account ID", "First Name", "Last Name", "Preferred Name", "Email 1", "Membership Expiration Date"),
            *(94, 85, 86, 90, 91),
        ],
        "pagination": {"currentPage": 0, "pageSize": 200},
    }


def test_all_pages_are_read_one_after_the_other_with_a_pause(neon: NeonServer) -> None:
    neon.accounts = [account(n) for n in range(1, 451)]
    asked = Asked(neon)
    assert [user.account_id for user in asked.users()] == [str(n) for n in range(1, 451)]
    assert asked.waits == [PAUSE_SECONDS] * 2
    assert asked.told == [f"Neon: {n} of 450 accounts" for n in (200, 400, 450)]
    assert neon.most_at_once == 1


def test_nobody_in_neon_is_no_user(neon: NeonServer) -> None:
    neon.accounts = []
    assert Asked(neon).users() == []


def test_who_has_expired_or_is_a_company_or_has_no_fob_is_left_out(neon: NeonServer) -> None:
    neon.accounts = [
        account(1, **{"Membership Expiration Date": "2026-11-17"}),
        account(2, **{"Membership Expiration Date": "2026-11-16"}),
        account(3, **{"Account Type": "Company"}),
        account(4, Fob10Digit=" "),
        account(5, **{"Fob10Digit": None, "Membership Expiration Date": "2027-01-01"}),
    ]
    asked = Asked(neon)
    people = gather(asked.source)
    assert [user.account_id for user in people.users] == ["1"]
    assert people.left_out == {"they have no fob": ["First4 Last4", "First5 Last5"]}


def test_trainings_may_be_several_in_one_field_and_overrides_another(neon: NeonServer) -> None:
    neon.accounts = [account(1, Tools="Mill|Welder", **{"May override": "Yes"}), account(2, **{"May override": "No"})]
    settings = config(
        fields={"fob_codes": [85], "oops_override": "May override", "full_name": "Full Name (F)"},
        authorizations={"fields": ["Tools"]},
        search=[],
    )
    first, second = Asked(neon, settings).users()
    assert (first.authorizations, first.oops_override) == (["Mill", "Welder"], True)
    assert (second.authorizations, second.oops_override) == ([], False)
    assert first.full_name == "First1 Last1"


def test_the_old_servers_field_says_who_may_override_and_is_no_authorization(neon: NeonServer) -> None:
    done = "Training Complete"
    neon.accounts = [account(1, OOPS_OVERRIDE=done, Laser=done), account(2, OOPS_OVERRIDE="No"), account(3, Laser=done)]
    for settings in (config(), config(fields={**CONFIG["fields"], "oops_override": "OOPS_OVERRIDE"})):
        users = Asked(neon, settings).users()
        assert [user.oops_override for user in users] == [True, False, False]
        assert [user.authorizations for user in users] == [["Laser"], [], ["Laser"]]


def test_who_may_override_stays_as_it_is_where_neon_does_not_know(
    neon: NeonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(neon)
    present = [user.model_copy(update={"oops_override": True}) for user in asked.users()[:1]]
    assert not any(user.oops_override for user in gather(asked.source, present=present).users), "Neon has the field"
    without = [custom for custom in CUSTOM_FIELDS if custom["name"] != "OOPS_OVERRIDE"]
    monkeypatch.setattr("tests.imports.users.neon_server.CUSTOM_FIELDS", without)
    assert [user.oops_override for user in gather(Asked(neon).source, present=present).users] == [True, False, False]


def test_neon_refuses_old_versions_of_its_api_and_that_is_said(
    neon: NeonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.imports.users.neon.API_VERSION", "2.8")
    assert refused(neon).endswith("Neon refuses (410): This version of the API is no longer available")


@pytest.mark.parametrize("fobs", ["1000001,1000002", "1,000,001", "4,687E+11", "0"])
def test_a_field_without_whole_fobs_is_named(neon: NeonServer, fobs: str) -> None:
    neon.accounts = [account(1, **{"Second Fob": fobs})]
    assert refused(neon).startswith(f"Neon: account 1, field Second Fob: '{fobs}' is ")


@pytest.mark.parametrize("trouble", [busy(), busy("3"), busy(status=503), busy(status=500), cut, hang_up])
def test_a_trouble_that_passes_is_waited_for(neon: NeonServer, trouble: Any) -> None:
    neon.misbehaviours.extend([trouble, trouble])
    asked = Asked(neon)
    assert len(asked.users()) == 3
    assert len(asked.waits) == 2
    assert [text.startswith("Neon: ") and text.endswith("; waiting") for text in asked.told[:2]] == [True, True]


@pytest.mark.parametrize(("header", "waited"), [("3", 3.0), ("100000", 60.0), ("soon", 1.0), ("-5", 1.0), (None, 1.0)])
def test_what_neon_says_of_when_to_come_again_is_kept_to(neon: NeonServer, header: str | None, waited: float) -> None:
    neon.misbehaviours.append(busy(header))
    asked = Asked(neon)
    asked.users()
    assert asked.waits == [waited]


def test_a_trouble_that_stays_ends_it_after_longer_and_longer_waits(neon: NeonServer) -> None:
    neon.misbehaviours.extend([busy()] * TRIES)
    asked = Asked(neon)
    with pytest.raises(MacError, match=r"nothing was changed: Neon at .*: it answers 429 Too Many Requests, 6 times"):
        asked.users()
    assert asked.waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_trouble_in_the_middle_loses_no_page(neon: NeonServer) -> None:
    neon.accounts = [account(n) for n in range(1, 450)]
    neon.between_pages = lambda: neon.misbehaviours.append(cut) if len(neon.requests) % 2 == 0 else None
    assert len(Asked(neon).users()) == 449


def test_a_wrong_key_is_said_without_it(neon: NeonServer) -> None:
    assert (
        refused(neon, key="wrong")
        == "nothing was changed: Neon does not take NEON_ORG_ID and NEON_API_KEY. Are they right?"
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (says(200, "<html>Please log in</html>"), "does not answer as Neon does (status 200). NEON_API_URL?"),
        (says(302, ""), "does not answer as Neon does (status 302). NEON_API_URL?"),
        (says(200, {"customFields": 1}), "does not answer as Neon does (its custom fields). NEON_API_URL?"),
        (says(200, [{"id": "x", "name": "y"}]), "does not answer as Neon does (its custom fields). NEON_API_URL?"),
        (says(400, [{"code": "1", "message": "no such category"}, 7]), "Neon refuses (400): no such category"),
        (says(404, {"error": "x"}), "Neon refuses (404): it does not say why"),
    ],
)
def test_an_answer_that_is_none_of_neons_is_said(neon: NeonServer, answer: Any, said: str) -> None:
    neon.misbehaviours.append(answer)
    assert refused(neon).endswith(said)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"searchResults": []},
        {"searchResults": None, "pagination": {"totalPages": 1, "totalResults": 1}},
        {"searchResults": [{}], "pagination": {"totalPages": 1, "totalResults": 1}},
        {"searchResults": ["x"], "pagination": {"totalPages": 1, "totalResults": 1}},
        {"searchResults": [], "pagination": {"totalPages": None, "totalResults": 1}},
    ],
)
def test_a_page_that_is_none_is_said(neon: NeonServer, answer: Any) -> None:
    neon.misbehaviours.append(lambda handler: handler.answer(*handler._right_answer(None)))
    neon.misbehaviours.append(says(200, answer))
    assert refused(neon).endswith("does not answer as Neon does (a page of accounts). NEON_API_URL?")


def test_an_answer_that_lacks_accounts_is_not_taken(neon: NeonServer) -> None:
    neon.totals = 5
    assert refused(neon).startswith("nothing was changed: Neon has 5 accounts and gave 3 of them.")


def test_an_account_that_slips_to_the_next_page_meanwhile_is_taken_once(neon: NeonServer) -> None:
    neon.accounts = [account(n) for n in range(1, 401)]

    def somebody_joins() -> None:
        if len(neon.requests) == 2:
            neon.accounts = [account(401), *neon.accounts]

    neon.between_pages = somebody_joins
    assert refused(neon).startswith("nothing was changed: Neon has 401 accounts and gave 400 of them.")
    assert len(Asked(neon).users()) == 401


def test_an_account_that_comes_twice_and_differently_is_not_taken(neon: NeonServer) -> None:
    neon.accounts.append(account(1, Laser="Training Complete"))
    assert refused(neon) == "nothing was changed: Neon gives account 1 twice, and differently. Try again."


def test_a_fob_of_two_accounts_is_named_and_nobody_is_taken(neon: NeonServer) -> None:
    neon.accounts = [account(1), account(2), account(3, Fob10Digit="1", **{"Second Fob": "2"})]
    assert refused(neon).splitlines() == [
        f"Neon: account 3, field {field}: expected a fob of their own, "
        f"but account {n} (First{n} Last{n}) has the one ending in '000{n}' too"
        for n, field in ((1, "Fob10Digit"), (2, "Second Fob"))
    ]


def test_what_is_wrong_with_accounts_is_said_all_at_once(neon: NeonServer) -> None:
    neon.accounts = [
        account(1, **{"Membership Expiration Date": "9"}),
        account(2, **{"First Name": None, "Last Name": ""}),
        account(3, Fob10Digit="1.00001E+09"),
        account(4, **{"May override": "perhaps"}),
    ]
    fields = {**CONFIG["fields"], "oops_override": 93}
    day = "expected a day as YYYY-MM-DD, for example 2027-03-31"
    assert refused(neon, config(fields=fields)).splitlines() == [
        f'Neon: account 1, field Membership Expiration Date: {day}, not "9"',
        "Neon: account 2, full_name: a name is required, in one field or in several",
        f"Neon: account 3, field Fob10Digit: '1.00001E+09' is a rounded number: {ANEW}",
        "Neon: account 4, field May override: expected yes or no, not 'perhaps'",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fields": {"fob_codes": [7]}}, "Neon has no custom field with the number 7 for accounts"),
        (
            {"authorizations": {"done": "Passed"}},
            "Neon has no custom field for accounts with the option 'Passed' (authorizations.done)",
        ),
        (
            {"fields": {"fob_codes": ["Fobb"]}},
            "nothing was changed: Neon refuses (400): Output field '['Fobb']' is not supported",
        ),
    ],
)
def test_a_field_that_neon_does_not_have_is_named(neon: NeonServer, changes: dict[str, Any], said: str) -> None:
    assert refused(neon, config(**changes)) == said


def test_a_field_that_no_answer_has_is_named(neon: NeonServer) -> None:
    neon.misbehaviours.append(lambda handler: handler.answer(*handler._right_answer(None)))
    page = {"pagination": {"totalPages": 1, "totalResults": 1}, "searchResults": [{"Account ID": "1", "Laser": None}]}
    neon.misbehaviours.append(says(200, page))
    lines = refused(neon).splitlines()
    assert "Neon's answers have no field 'Fob10Digit': what is it called?" in lines
    assert not any("'Laser'" in line for line in lines)


# what it must be told


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, ["neon.toml: fields: is required"]),
        (
            {"fields": {"fob_codes": []}, "authorizations": {"done": "x"}},
            ["neon.toml: fields.fob_codes: must not be empty"],
        ),
        (
            {**CONFIG, "expired_days": -1},
            ["neon.toml: expired_days: Input should be greater than or equal to 0, not -1"],
        ),
        ({**CONFIG, "key": "x"}, ["neon.toml: key: is not a known key; look for a typing error"]),
        (
            {**CONFIG, "authorizations": {}},
            ["neon.toml: authorizations: expected done (an option of the fields of trainings), or fields"],
        ),
        (
            {**CONFIG, "authorizations": {"done": "x", "separator": ""}},
            ["neon.toml: authorizations.separator: expected one character, not ''"],
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_named(data: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        checked(NeonConfig, data, "neon.toml")
    assert list(error.value.problems) == said


def test_the_secrets_come_from_the_environment_and_are_never_shown() -> None:
    access = NeonAccess.from_environment({"NEON_ORG_ID": " org ", "NEON_API_KEY": KEY})
    assert (access.organization, access.key, access.url) == ("org", KEY, URL)
    assert KEY not in repr(access)
    assert "org'" not in repr(access)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, ["NEON_ORG_ID is not set", "NEON_API_KEY is not set"]),
        (
            {"NEON_ORG_ID": "o", "NEON_API_KEY": "a b"},
            ["NEON_API_KEY has a space or a character that is not plain ASCII"],
        ),
        ({"NEON_ORG_ID": "ö", "NEON_API_KEY": "k"}, ["NEON_ORG_ID has a space or a character that is not plain ASCII"]),
        (
            {"NEON_ORG_ID": "o", "NEON_API_KEY": "k", "NEON_API_URL": "ftp://x"},
            ["NEON_API_URL is 'ftp://x': allowed is a URL"],
        ),
        (
            {"NEON_ORG_ID": "o", "NEON_API_KEY": "k", "NEON_API_URL": "https://a:b@x/"},
            ["NEON_API_URL is 'https://a:b@x/': allowed is a URL"],
        ),
    ],
)
def test_a_variable_that_is_missing_or_wrong_is_named(environ: dict[str, str], said: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        NeonAccess.from_environment(environ)
    assert [line[: len(start)] for line, start in zip(error.value.problems, said, strict=True)] == said


# the command


def test_the_command_writes_the_users_of_neon(neon: NeonServer, tmp_path: Path, here: Here) -> None:
    (tmp_path / "neon.toml").write_text(
        '[fields]\nfob_codes = ["Fob10Digit"]\n[authorizations]\ndone = "Training Complete"\n'
    )
    (tmp_path / "extra.json").write_text(
        json.dumps(
            [
                {
                    "account_id": "guest",
                    "full_name": "Guest Fob",
                    "first_name": "Guest",
                    "last_name": "Fob",
                    "preferred_name": "Guest",
                    "email": "",
                    "fob_codes": ["99"],
                    "expiration_ymd": "2099-12-31",
                    "authorizations": [],
                }
            ]
        )
    )
    secrets = {
        "NEON_ORG_ID": ORGANIZATION,
        "NEON_API_KEY": KEY,
        "NEON_API_URL": neon.url,
        "MAC_URL": "http://127.0.0.1:1",
    }
    done = here("users", "import", "neon", "--extra", "extra.json", "--yes", cwd=tmp_path, **secrets)
    assert done.returncode == 0, done.stderr
    assert "0 users → 4 users: 4 added, 0 removed, 0 changed." in done.stdout
    assert "No server was told" in done.stderr
    assert KEY not in done.stdout + done.stderr
    written = json.loads((tmp_path / "users.json").read_text())
    assert [user["account_id"] for user in written] == ["1", "2", "3", "guest"]
    again = here("users", "import", "neon", "--extra", "extra.json", "--yes", cwd=tmp_path, **secrets)
    assert again.stdout == "users.json has these 4 users already; nothing was changed.\n"

    wrong = here("users", "import", "neon", "--yes", cwd=tmp_path, **{**secrets, "NEON_API_KEY": "wrong"})
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "Error: nothing was changed: Neon does not take NEON_ORG_ID and NEON_API_KEY. Are they right?\n",
    )
    unset = here("users", "import", "neon", cwd=tmp_path)
    assert unset.returncode == 2
    assert "NEON_API_KEY is not set" in unset.stderr
