"""What a line of a spreadsheet says: ticks, words, days; who is taken, and which lines are about nobody."""

from __future__ import annotations

import codecs
from typing import Any

import pytest

from mac_actors.errors import ConfigError
from mac_actors.imports.users.cells import clean, truth
from mac_actors.imports.users.mapping import Mapped
from mac_actors.imports.users.people import gather
from mac_actors.imports.users.source import checked
from tests.imports.users.test_csv_file import HEAD, ROW, TICK, ada, people, problems, source

TICKS = "account_id,full_name,fob_codes,expiration_ymd,Saw,Laser\n"
BOTH = {"authorization_columns": {"Saw": "Saw", "Laser": "Laser"}}
STATUS = "account_id,full_name,fob_codes,expiration_ymd,authorizations,Membership status,Kind\n"
MEMBERS = STATUS + (
    "1,Ada Example,1,2099-12-31,,Active,Person\n"
    "2,Bob Baker,2,never,,Lapsed,Person\n"
    "3,Eve Early,3,2099-12-31,,active ,Person\n"
    "4,Dan Done,4,2099-12-31,,Suspended,Person\n"
    "5,Shop Ltd,5,2099-12-31,,Active,Company\n"
    "6,Fay Fobless,,2099-12-31,,Trial,Person\n"
)


@pytest.mark.parametrize(
    "word", ["ja", "JA", "Wahr", "x", "X", "✓", "✔️", "☑️", "1", "yes", "TRUE", "oui", "VRAI", " ja\u200b"]
)
def test_the_usual_words_mean_yes(word: str) -> None:
    assert truth(word) is True


@pytest.mark.parametrize("word", ["", " ", "nein", "FALSCH", "0", "no", "False", "non", "-", "–", "✗", "\u00a0"])
def test_the_usual_words_mean_no(word: str) -> None:
    assert truth(word) is False
    assert truth(word, ["*"]) is False


def test_what_means_yes_or_no_is_said_in_the_mapping() -> None:
    assert truth("bestanden") is None
    assert truth("Bestanden", ["bestanden"]) is True
    assert truth("angemeldet", ["*"], ["Angemeldet"]) is False
    assert truth("12.03.2025", ["*"]) is True
    assert truth("-", ["-"]) is True, "what the mapping says comes first"


@pytest.mark.parametrize(
    "text", ["?", "/", "n/a", "k. A.", "keine", "#NV", "#WERT!", "noch nicht", "nicht bestanden", "offen", "00.01.1900"]
)
def test_what_looks_like_a_no_is_never_a_yes_because_anything_is(text: str) -> None:
    assert truth(text, ["*"]) is None
    assert truth(text, ["*", text]) is True
    assert truth(text, ["*"], [text]) is False


def test_the_day_of_a_training_is_a_yes_where_the_mapping_says_so() -> None:
    rows = "1,Ada Example,1,2099-12-31,12.03.2025,nein\n2,Bob Baker,2,2099-12-31,,WAHR\n"
    first, second = people(TICKS + rows, yes=["*"], **BOTH).users
    assert (first.authorizations, second.authorizations) == (["Saw"], ["Laser"])


def test_each_wrong_cell_of_a_line_is_named_with_its_own_column() -> None:
    assert problems(f"{TICKS}1,Ada Example,1,31.12.2099,12.03.2025,perhaps\n", **BOTH) == [
        (
            "line 2, column expiration_ymd: expected a day as %Y-%m-%d, not '31.12.2099': "
            "--date-format says how days are written"
        ),
        *(
            f"line 2, column {column}: expected yes or no (or x), not '{text}': {TICK}"
            for column, text in (("Saw", "12.03.2025"), ("Laser", "perhaps"))
        ),
    ]


def test_whatever_is_not_empty_is_no_yes_for_who_may_override() -> None:
    text = f"{HEAD.strip()},oops_override\n{ROW.strip()},when she asks\n"
    assert problems(text, yes=["*"]) == ["line 2, column oops_override: expected yes or no, not 'when she asks'"]


@pytest.mark.parametrize(
    ("where", "taken"),
    [
        (["Membership status = Active"], ["1", "3", "5"]),
        ("membership_status=ACTIVE", ["1", "3", "5"]),
        (["Membership status = Active", "Membership status = Suspended"], ["1", "3", "4", "5"]),
        (["Membership status = Active", "Kind != Company"], ["1", "3"]),
        ("Membership status == Active", ["1", "3", "5"]),
        (["Membership status != Lapsed", "Membership status != Suspended"], ["1", "3", "5"]),
    ],
)
def test_only_those_are_taken_of_whom_the_mapping_speaks(where: Any, taken: list[str]) -> None:
    assert [user.account_id for user in people(MEMBERS, where=where).users] == taken


def test_who_is_left_out_is_named_by_the_reason_whatever_else_is_wrong_there() -> None:
    assert people(MEMBERS, where=["Membership status = Active", "Kind != Company"]).left_out == {
        "Membership status is Lapsed": ["Bob Baker"],
        "Membership status is Suspended": ["Dan Done"],
        "Kind is Company": ["Shop Ltd"],
        "Membership status is Trial": ["Fay Fobless"],
    }
    assert people(MEMBERS.replace("Lapsed", ""), where="Membership status != ").left_out == {
        "Membership status is empty": ["Bob Baker"],
        "they have no fob": ["Fay Fobless"],
    }


def test_a_status_that_is_not_looked_at_is_noted() -> None:
    read = source(MEMBERS.replace("never", "2099-12-31"))
    assert len(gather(read).users) == 5
    assert read.notes == [
        (
            "members.csv: the column Membership status is not looked at, so everybody is taken. "
            "--where 'Membership status = Active' would take only those who are Active."
        )
    ]
    read = source(MEMBERS, where="Membership status = Active")
    gather(read)
    assert read.notes == []


def test_a_value_that_nobody_has_is_noted() -> None:
    read = source(
        MEMBERS.replace("never", "2099-12-31"), where=["Membership status != Lapsd", "Kind = Person", "Kind ="]
    )
    assert len(gather(read).users) == 4
    assert read.notes == ["members.csv: nobody's Membership status is 'Lapsd': is it called so (--where)?"]


def test_a_condition_that_is_none_or_has_no_column_is_named() -> None:
    for wrong in ("Active", "= Active", "!= x", ""):
        with pytest.raises(ConfigError, match="where: expected COLUMN = VALUE or COLUMN != VALUE, not"):
            checked(Mapped, {"where": wrong}, "map.toml")
    assert problems(HEAD + ROW, where="Status = Active")[0] == "line 1: there is no column 'Status' (--where)"


@pytest.mark.parametrize(
    "row",
    [
        "Total: 60,,,,",
        "Total,60,,,",
        "Summe,,60,,",
        "Gesamtzahl:,60,55,,5",
        "Summe:,Summe:,55,,5",
        ",,,60,",
        ",Anzahl 60,,,",
        "60 Mitglieder,,,,",
        "Stand:,,,01.11.2026,",
        "account_id,full_name,fob_codes,expiration_ymd,authorizations",
        "Account ID,Full name ,FOB CODES,expiration_ymd,Authorizations",
    ],
)
def test_a_line_about_nobody_is_left_out_by_name(row: str) -> None:
    got = people(f"{HEAD}{ROW}{row}\n")
    assert got.users == (ada(),)
    [(reason, [label])] = got.left_out.items()
    assert reason == "they are no members"
    assert label == f"line 3: {' '.join(part.strip() for part in row.split(',') if part)}"


@pytest.mark.parametrize("row", ["2,,7,2099-12-31,", ",Bob,7,2099-12-31,", "2,Total Recall,7,,", "9,,60,,"])
def test_a_line_with_a_fob_is_about_somebody(row: str) -> None:
    assert problems(f"{HEAD}{ROW}{row}\n")[0].startswith("line 3, ")


def test_a_member_may_be_called_like_a_sum() -> None:
    got = people("full_name,account_id,fob_codes,expiration_ymd,authorizations\nTotal Recall,1,1,2099-12-31,\n")
    assert [user.full_name for user in got.users] == ["Total Recall"]
    for head, name in (("full_name", "Count Dracula"), ("last_name,first_name", "Sum,Wong")):
        text = f"{head},account_id,fob_codes,authorizations\n{name},2,1000002,\n"
        assert len(people(text, defaults={"expiration_ymd": "2099-12-31"}).users) == 1


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "SEP=;\r\n"])
def test_a_first_line_that_says_the_delimiter_is_no_header(first: str) -> None:
    end = "\r\n" if "\r" in first else "\n"
    text = first + (HEAD + ROW.replace(";", "/")).replace(",", ";").replace("\n", end)
    assert people(text, separators="/") == people(HEAD + ROW)
    wrong = f"{HEAD}1;Ada;1;never;\n".replace(",", ";")
    assert problems(first + wrong)[0].startswith("line 3, column expiration_ymd: ")
    assert problems(f"{first}Nr;Name\n")[0].startswith("line 2: there is no column for account_id")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", ["\t", ";"])
def test_a_spreadsheet_may_save_text_as_utf_16_with_a_mark_or_without(encoding: str, delimiter: str) -> None:
    text = (HEAD + "1,Frøya Größe,1000001,2099-12-31,Säge\n").replace(",", delimiter)
    [user] = people(text.encode(encoding)).users
    assert (user.full_name, user.authorizations) == ("Frøya Größe", ["Säge"])
    assert people(codecs.BOM_UTF8 + text.encode()) == people(text.encode(encoding))


def test_what_nobody_sees_is_no_part_of_a_cell() -> None:
    text = (
        HEAD
        + '\u200b1\u00a0,Ada\u00a0 \u202aExample\u202c,1000001,2099-12-31\u200e,"Wood\u200bshop;\u2067Laser\u2069"\n'
    )
    [user] = people(text).users
    assert user == ada(authorizations=["Woodshop", "Laser"])
    assert people(HEAD.replace("account_id", "account\u200b_id") + ROW) == people(HEAD + ROW)
    assert clean("👩\u200d🔧 Mender") == "👩\u200d🔧 Mender", "two emoji that are one"
    assert clean('="0042"') == clean("'0042") == "0042"
    assert clean("'t Hooft") == "'t Hooft"
