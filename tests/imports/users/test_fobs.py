"""The number of a fob is taken when it stands in its cell whole. Else the cell is named, and never a fob."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mac_actors.core.config import normalize_fob
from mac_actors.core.text import visible
from mac_actors.errors import ConfigError
from mac_actors.imports.users.fobs import SHORTEST_PART, read_fobs
from mac_actors.imports.users.people import gather
from tests.imports.users.test_csv_file import ANEW, HEAD, people, problems, source

ALONE = "enter its digits (and A to F) alone, and leave the cell empty if there is none"


def cell(text: str, **mapped: Any) -> list[str]:
    """Return the fobs of a member in whose cell this stands."""
    return [fob for user in people(_file(text), **mapped).users for fob in user.fob_codes]


def _file(text: str) -> str:
    target = io.StringIO()
    csv.writer(target).writerows([HEAD.strip().split(","), ["1", "Ada Example", text, "2099-12-31", ""]])
    return target.getvalue()


@pytest.mark.parametrize("mapped", [{}, {"separators": ";,"}, {"separators": ","}])
@pytest.mark.parametrize(
    "text",
    [
        *("4,687E+11", "4.687E+11", "1,00E+06", "1E+06", "1000001,00", "1000001.0", "1000001,5"),
        *("1,000,001", "1,000,518", "1.000.037", "1'000'037", "1’000’037", "10,00,518", "1\u202f000\u202f518"),
        *("080,38104", "123,45678", "0001000001 018,54321", "0001000001/018", "18-54321", "1000000 037"),
        *("0x0F4A21", "0", "0000000000", "0,0", "00:00:00", "1234567890123450"),
        *("31.12.2099", "2099-12-31", "31-12-99", "12:30", "12:34:56", "Dez 26", "#NV", "#N/A", "#REF!", "########"),
        *("Ada", "Abba", "n/a", "kein", "lost", "?", "=A1", "=B2&C2", "ada@example.org", "+49 170 1234567"),
        *("0001OOO001", "１０００００１", "٣٦٩١٢", "1000001²", "\ufb00123456", "-1000001", "1000001-"),
        *("0001000001 0001000002", "0001000001/0001000002", "0001000001 und 0001000002", "0001000001 (blau)"),
    ],
)
def test_what_is_not_the_whole_number_of_a_fob_is_refused_and_named(text: str, mapped: dict[str, Any]) -> None:
    [line] = problems(_file(text), **mapped)
    assert line.startswith("line 2, column fob_codes: ")
    assert visible(text)[:1] in line.partition("fob_codes: ")[2]
    assert line.endswith((ANEW, ALONE))


@pytest.mark.parametrize(
    ("text", "fobs"),
    [
        ("4e872096", ["004E872096"]),
        ("1000001", ["0001000001"]),
        ('="0001000001"', ["0001000001"]),
        ("'0001000001", ["0001000001"]),
        ("’0A1B2C3D", ["000A1B2C3D"]),
        ("\t0001000001 ", ["0001000001"]),
        ("\u200b0001000\u00ad001\u202c\ufeff", ["0001000001"]),
        ("0A:1B:2C:3D", ["000A1B2C3D"]),
        ("74‑10‑37‑94", ["0074103794"]),
        ("0a1b 2c3d", ["000A1B2C3D"]),
        ("0001000001;0001000002", ["0001000001", "0001000002"]),
        ("0001000001\n0001000002\n", ["0001000001", "0001000002"]),
        ("1000001;7", ["0001000001", "0000000007"]),
        ("7;0000000007; 007 ;", ["0000000007"] * 3),
    ],
)
def test_what_spreadsheets_and_phones_put_around_a_number_is_not_part_of_it(text: str, fobs: list[str]) -> None:
    assert cell(text) == fobs


@pytest.mark.parametrize("text", ["", " ", "-", "--", "–", "\u200b", ";", "''"])
def test_a_cell_without_anything_has_no_fob(text: str) -> None:
    assert people(_file(text)).left_out == {"they have no fob": ["Ada Example"]}


def test_a_comma_separates_fobs_where_the_mapping_says_so_and_each_is_whole() -> None:
    assert cell("1000001,1000002", separators=";,") == ["0001000001", "0001000002"]
    assert cell("0000000007, 0000000008", separators=",") == ["0000000007", "0000000008"]
    assert problems(_file("1000001,7"), separators=";,") == [
        f"line 2, column fob_codes: '1000001,7' may be one number: {ANEW}"
    ]
    assert problems(_file("1000001,1000002")) == [
        f"line 2, column fob_codes: '1000001,1000002' is not the whole number of a fob: {ANEW}"
    ]


def test_all_that_is_wrong_in_a_cell_is_said_and_the_column_is_its_own() -> None:
    text = "account_id,full_name,Fob,Spare,expiration_ymd,authorizations\n1,Ada,1000001,0;1.5,2099-12-31,\n"
    [line] = problems(text, columns={"fob_codes": ["Fob", "Spare"]})
    zero, decimal = (f"'{part}' is not the whole number of a fob: " for part in ("0", "1.5"))
    assert line == f"line 2, column Spare: {zero}{ALONE}; {decimal}{ANEW}"


def test_a_fob_that_two_have_is_named_with_its_own_column_and_a_spoilt_one_is_not_shared() -> None:
    head = "account_id,full_name,Fob,Spare,expiration_ymd,authorizations\n"
    rows = '1,Ada,0A:1B:2C:3D,,2099-12-31,\n2,Bob,7,a1b2c3d,2099-12-31,\n3,Eve,"4,687E+11",,,\n4,Dan,"4,687E+11",,,\n'
    assert problems(
        head + rows, columns={"fob_codes": ["Fob", "Spare"]}, defaults={"expiration_ymd": "2099-12-31"}
    ) == [
        *(f"line {n}, column Fob: '4,687E+11' is a rounded number: {ANEW}" for n in (4, 5)),
        "line 3, column Spare: expected a fob of their own, but line 2 (Ada) has the one ending in '2C3D' too",
    ]


def test_a_number_far_shorter_than_the_others_is_most_likely_something_else() -> None:
    rows = "".join(f"{n},A B,{1000000 + n:010},2099-12-31,\n" for n in range(1, 12))
    [line] = problems(f"{HEAD}{rows}12,C D,0001000012;4711,2099-12-31,\n")
    assert line == (
        "line 13, column fob_codes: '4711' is far shorter than most: enter the whole number, with the zeroes before it"
    )
    assert len(people(f"{HEAD}{rows}12,C D,0000004711,2099-12-31,\n").users) == 12


# whatever spreadsheets make of the number of a fob

DECIMAL = st.integers(1, 10**17).map(str) | st.integers(1, 10**10).map("{:010}".format)
UID = st.binary(min_size=4, max_size=10).map(bytes.hex)
SEPARATORS = st.sampled_from([";", ",", ";,", ".", " ", ", ", "'", ":", "-", "|", "/"])


def _grouped(mark: str) -> Callable[[int], str]:
    return lambda number: f"{number:,}".replace(",", mark)


MANGLINGS: list[Callable[[int], str]] = [
    *map(_grouped, [",", ".", "'", "’", " ", "\u00a0", "\u202f", "\u2009"]),
    *(
        lambda n, form=form: form.format(n)
        for form in ("{:.2E}", "{:.5E}", "{:.0E}", "{:E}", "{:.1f}", "{:.2f}", "{:g}")
    ),
    *(lambda n, form=form: form.format(n).replace(".", ",") for form in ("{:.2E}", "{:.5E}", "{:.2f}", "{:G}")),
    lambda n: f"{n:.2f} €",
    lambda n: f"{n // 65536:03},{n % 65536:05}",
    lambda n: f"{n:010} {n // 65536 % 256:03},{n % 65536:05}",
    lambda n: str(n)[:15].ljust(len(str(n)), "0"),
    lambda n: f"-{n}",
    lambda n: f"{n / 1000:.3f}".replace(".", ","),
    lambda n: f"0x{n:X}",
]
"""Excel and LibreOffice in English, German, French and Swiss; what is printed on cards; a cell that is formatted."""


@given(DECIMAL, st.sampled_from(MANGLINGS), SEPARATORS)
@example("1000518", MANGLINGS[0], ";,")
@example("2147483648", MANGLINGS[1], ".")
def test_what_a_spreadsheet_makes_of_a_number_is_that_fob_or_none(
    code: str, mangle: Callable[[int], str], separators: str
) -> None:
    fobs, problem = read_fobs(mangle(int(code)), separators)
    assert {normalize_fob(fob) for fob in fobs} <= {normalize_fob(code)}
    assert bool(fobs) is not bool(problem)


ODD = st.sampled_from([*",.;:'’\"=+-–—/|#()&\n\r\t\v eExX0159ABF", "\u200b", "\u00a0", "\u202f", "\u202e", "１", "²"])


@st.composite
def edited(draw: st.DrawFn) -> str:
    """One or two fobs, with a character more, less or another in some places."""
    text = draw(st.sampled_from([";", ",", ", ", " ", "\n", "/"])).join(draw(st.lists(DECIMAL | UID, max_size=2)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(ODD | st.just("")) + text[place + draw(st.integers(0, 1)) :]
    return text


def whole(text: str, separators: str) -> set[str | None]:
    """Return what stands between the separators (of which a dash of any length may be one), whole, in normal form."""
    cell = re.sub("[‐-―−]", "-", text)
    tokens = (visible(re.sub(r"\s", " ", token)) for token in re.split(f"[{re.escape(separators)}\n\r\v]", cell))
    return {normalize_fob(token.strip(" =\"'`´‘’“”„")) for token in tokens}


@given(edited() | st.text(max_size=20), SEPARATORS)
@example("–1", "-")
def test_a_fob_stands_in_the_cell_whole_however_it_was_edited(text: str, separators: str) -> None:
    fobs, problem = read_fobs(text, separators)
    assert not (fobs and problem)
    assert {normalize_fob(fob) for fob in fobs} <= whole(text, separators) - {None}
    assert all(re.fullmatch("[0-9A-F]{10,}", normalize_fob(fob) or "") for fob in fobs)
    if len(fobs) > 1 and not {*separators} & {*";|/"}:
        assert min(map(len, fobs)) >= SHORTEST_PART


@given(edited())
def test_an_import_takes_what_was_written_or_names_the_line_and_the_column(text: str) -> None:
    try:
        users = gather(source(_file(text))).users
    except ConfigError as error:
        assert all(line.startswith("members.csv: line 2, column fob_codes: ") for line in error.problems)
    else:
        assert {fob for user in users for fob in user.fob_codes} <= whole(text, ";")
