"""A spreadsheet's CSV file becomes users, or every line that can't is named with its column."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.errors import ConfigError
from mac_actors.imports.users.cells import clean
from mac_actors.imports.users.csv_file import CsvSource
from mac_actors.imports.users.mapping import Mapped
from mac_actors.imports.users.people import People, gather
from mac_actors.imports.users.source import checked, read_toml
from mac_actors.settings.user_entries import UserEntry

HEAD = "account_id,full_name,fob_codes,expiration_ymd,authorizations\n"
ANEW = "set the column's format to text and enter the whole number anew; several fobs stand between ;"
TICK = 'yes = ["…"] or no = ["…"] in the mapping says which'


def source(text: str | bytes, **mapped: Any) -> CsvSource:
    data = text if isinstance(text, bytes) else text.encode()
    return CsvSource("members.csv", data, checked(Mapped, mapped, "options"))


def people(text: str | bytes, **mapped: Any) -> People:
    return gather(source(text, **mapped))


def problems(text: str | bytes, **mapped: Any) -> list[str]:
    with pytest.raises(ConfigError) as error:
        people(text, **mapped)
    for line in error.value.problems:
        assert line.isprintable()
        line.encode()
    return [line.removeprefix("members.csv: ") for line in error.value.problems]


def ada(**changes: Any) -> UserEntry:
    entry = {
        "fob_codes": ["0001000001"],
        "account_id": "1",
        "full_name": "Ada Example",
        "first_name": "Ada",
        "last_name": "Example",
        "preferred_name": "Ada",
        "email": "",
        "expiration_ymd": "2099-12-31",
        "authorizations": ["Laser", "Mill"],
    }
    return UserEntry.model_validate(entry | changes)


ROW = "1,Ada Example,1000001,2099-12-31,Laser;Mill\n"


# what is taken


def test_columns_that_are_called_like_the_fields_need_no_mapping() -> None:
    assert people(HEAD + ROW) == People((ada(),))
    assert people("Account ID,Full Name,FOB_CODES, expiration ymd ,authorizations\n" + ROW) == People((ada(),))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_delimiter_is_found(delimiter: str, end: str) -> None:
    head, row = (
        '"account_id"D"full, name; of"DfobDexpiration_ymdDauthorizations',
        '1D"Ada"D1000001D2099-12-31D"Laser;Mill"',
    )
    got = people(
        f"{head}{end}{row}{end}".replace("D", delimiter), columns={"full_name": "full, name; of", "fob_codes": "fob"}
    )
    assert got == People((ada(full_name="Ada", last_name=""),))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found(encoding: str) -> None:
    text = HEAD + "1,Frøya Größe,1000001,2099-12-31,Säge\n"
    read = source(text.encode(encoding))
    (user,) = gather(read).users
    assert (user.full_name, user.authorizations) == ("Frøya Größe", ["Säge"])
    assert bool(read.notes) is (encoding == "cp1252")


def test_an_encoding_may_be_said() -> None:
    text = HEAD + "1,Łucja Żółć,1000001,2099-12-31,\n"
    (user,) = people(text.encode("iso8859-2"), encoding="iso8859-2").users
    assert user.full_name == "Łucja Żółć"


def test_several_columns_are_one_field_and_several_fobs_one_cell() -> None:
    text = "account_id,first,last,Fob,Spare,expiration_ymd,authorizations\n1,Ada,Example,1000001;7,8,2099-12-31,\n"
    columns = {"fob_codes": ["Fob", "Spare"], "first_name": "first", "last_name": "last"}
    (user,) = people(text, columns=columns).users
    assert user == ada(fob_codes=["1000001", "7", "8"], authorizations=[])


def test_a_column_of_yes_and_no_is_an_authorization() -> None:
    head = "account_id,full_name,fob_codes,expiration_ymd,Laser ok?,Mill\n"
    cells = enumerate(["yes", "X", "1", "no", "", "-"], 1)
    rows = "".join(f"{n},A B,{n},2099-12-31,{cell},x\n" for n, cell in cells)
    got = people(head + rows, authorization_columns={"Laser ok?": "Laser", "mill": "Mill"})
    assert [user.authorizations for user in got.users] == [["Laser", "Mill"]] * 3 + [["Mill"]] * 3


def test_an_authorization_may_have_a_comma_when_the_separator_is_another() -> None:
    row = '1,Ada Example,1000001,2099-12-31,"Saw, big|Laser"\n'
    assert people(HEAD + row, separators="|").users[0].authorizations == ["Saw, big", "Laser"]


def test_days_may_be_written_otherwise() -> None:
    row = "1,Ada Example,1000001,31.12.2099,Laser;Mill\n"
    assert people(HEAD + row, date_format="%d.%m.%Y") == People((ada(),))


def test_what_the_file_lacks_is_the_default() -> None:
    text = "account_id,full_name,fob_codes,expiration_ymd\n1,Ada Example,1000001,\n2,Bob Baker,2,2027-01-01\n"
    first, second = people(text, defaults={"expiration_ymd": "2099-12-31", "authorizations": "Laser;Mill"}).users
    assert first == ada()
    assert (second.expiration_ymd, second.authorizations) == ("2027-01-01", ["Laser", "Mill"])


def test_a_default_is_as_in_the_users_file_however_days_are_written_in_the_file() -> None:
    text = "account_id,full_name,fob_codes,authorizations\n" + "1,Ada Example,1000001,Laser;Mill\n"
    assert people(text, defaults={"expiration_ymd": "2099-12-31"}, date_format="%d.%m.%Y") == People((ada(),))


def test_line_ends_in_quotes_are_part_of_the_cell_and_empty_lines_are_nothing() -> None:
    text = HEAD + '\n1,"Ada\nExample",1000001,2099-12-31,"Laser\nMill"\n\n,,,,\n'
    assert people(text) == People((ada(),))


def test_who_has_no_fob_is_left_out_and_counted_whatever_else_is_wrong() -> None:
    got = people(HEAD + ROW + "2,Bob,,yesterday,\n3,Eve,-,,\n")
    assert got == People((ada(),), {"they have no fob": ["Bob", "Eve"]})


def test_a_short_line_has_empty_cells() -> None:
    assert people(HEAD + "1,Ada Example,1000001,2099-12-31\n") == People((ada(authorizations=[]),))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"full_name": "Ada Example"}, ("Ada Example", "Ada", "Example", "Ada")),
        ({"full_name": "Ada"}, ("Ada", "Ada", "", "Ada")),
        ({"full_name": "Ada B. Example"}, ("Ada B. Example", "Ada B.", "Example", "Ada B.")),
        ({"first_name": "Ada", "last_name": "Example"}, ("Ada Example", "Ada", "Example", "Ada")),
        ({"last_name": "Example"}, ("Example", "", "Example", "Example")),
        ({"full_name": "A E", "first_name": "Ada", "preferred_name": "Addie"}, ("A E", "Ada", "", "Addie")),
    ],
)
def test_names_follow_from_each_other(given: dict[str, str], names: tuple[str, ...]) -> None:
    head = f"account_id,fob_codes,expiration_ymd,authorizations,{','.join(given)}\n"
    (user,) = people(f"{head}1,1,2099-12-31,,{','.join(given.values())}\n").users
    assert (user.full_name, user.first_name, user.last_name, user.preferred_name) == names


# who may override


def test_who_may_override_is_read_where_there_is_a_column_and_else_stays() -> None:
    head = HEAD.strip() + ",oops_override\n"
    present = [ada(oops_override=True)]
    row = "1,Ada Example,1000001,2099-12-31,,"
    assert [
        gather(source(f"{head}{row}{cell}\n"), present=present).users[0].oops_override for cell in ("x", "no", "")
    ] == [*(True, False, False)]
    assert gather(source(HEAD + ROW), present=present).users[0].oops_override
    assert not gather(source(HEAD + ROW)).users[0].oops_override
    assert gather(source(HEAD + ROW, defaults={"oops_override": "yes"})).users[0].oops_override


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ("1,Ada Married,ada@other.org,1000001,2099-12-31,", True),
        ("1,Ada Married,ADA@example.org,1000009,2099-12-31,", True),
        ("1,ada  EXAMPLE,,1000009,2099-12-31,", True),
        ("1,Eve Beginner,,1000009,2099-12-31,", False),
        ("1,Eve Beginner,eve@example.org,1000009,2099-12-31,", False),
    ],
)
def test_an_account_id_that_is_used_again_does_not_override(row: str, kept: bool) -> None:
    head = "account_id,full_name,email,fob_codes,expiration_ymd,authorizations\n"
    for email in ("ada@example.org", "" if kept is False else "Ada@example.org"):
        got = gather(source(f"{head}{row}\n"), present=[ada(oops_override=True, email=email)])
        assert got.users[0].oops_override is kept
        assert bool(got.notes) is not kept
    if not kept:
        assert got.notes[0].startswith("Eve Beginner has the account id 1, which was Ada Example's, and neither ")


# what is refused


def test_every_line_and_column_that_is_wrong_is_named_at_once() -> None:
    text = HEAD + (
        '1,Ada,1.00001E+09,31.12.2099,"a\nb"\n'
        ",Bob,2,31.12.2099,\n"
        "3,,3,,\n"
        "4,Eve,4,2099-02-30,a,b\n"
        '5,"A\tB\x07",5,2099-12-31,\n'
    )
    assert problems(text) == [
        f"line 2, column fob_codes: '1.00001E+09' is a rounded number: {ANEW}",
        (
            "line 2, column expiration_ymd: expected a day as %Y-%m-%d, not '31.12.2099': "
            "--date-format says how days are written"
        ),
        (
            "line 4, column expiration_ymd: expected a day as %Y-%m-%d, not '31.12.2099': "
            "--date-format says how days are written"
        ),
        "line 4, column account_id: is required",
        "line 5, column full_name: a name is required, in one field or in several",
        "line 5, column expiration_ymd: is required",
        "line 6: the line has 6 cells, the first line 5: is a quotation mark missing?",
        (
            "line 6, column expiration_ymd: expected a day as %Y-%m-%d, not '2099-02-30': "
            "--date-format says how days are written"
        ),
    ]


def test_a_fob_or_an_account_that_two_have_is_named_with_both() -> None:
    text = HEAD + ROW + "2,Bob,7;1000001,2099-12-31,\n" + "1,Eve,9,2099-12-31,\n"
    first = "line 2 (Ada Example)"
    assert problems(text) == [
        f"line 3, column fob_codes: expected a fob of their own, but {first} has the one ending in '0001' too",
        f"line 4, column account_id: expected an account id of their own, but {first} has the one '1' too",
    ]


def test_an_extra_user_clashes_like_any_other() -> None:
    with pytest.raises(ConfigError, match="extra user 9, fob_codes: expected a fob of their own, but line 2"):
        gather(source(HEAD + ROW), extra=[ada(account_id="9")])


def test_columns_that_are_not_there_are_named_with_those_that_are() -> None:
    assert problems("Nr,Name\n1,x\n") == [
        "line 1: there is no column for account_id: --column account_id=COLUMN says which it is",
        "line 1: there is no column for fob_codes: --column fob_codes=COLUMN says which it is",
        (
            "line 1: there is no column for expiration_ymd: --column expiration_ymd=COLUMN, "
            "or --default expiration_ymd=2099-12-31 for all says which it is"
        ),
        (
            "line 1: there is no column for authorizations: --column authorizations=COLUMN, "
            "or --authorization-column COLUMN for each says which it is"
        ),
        (
            "line 1: there is no column for full_name: --column full_name=COLUMN, "
            "or first_name and last_name says which it is"
        ),
        "line 1: the columns are: Nr, Name",
    ]
    assert problems(HEAD, columns={"email": "Mail"}, authorization_columns={"Saw": "Saw"}) == [
        "line 1: there is no column 'Mail' (--column email)",
        "line 1: there is no column 'Saw' (--authorization-column)",
        f"line 1: the columns are: {HEAD.strip().replace(',', ', ')}",
    ]


def test_a_column_that_is_there_twice_is_named() -> None:
    assert problems(HEAD.strip() + ",Full Name\n")[0] == "line 1: the column 'full name' is there twice"


def test_neither_yes_nor_no_is_named() -> None:
    head = HEAD.strip() + ",oops_override,Saw\n"
    text = head + "1,Ada,1,2099-12-31,,perhaps,soon\n"
    assert problems(text, authorization_columns={"Saw": "Saw"}) == [
        "line 2, column oops_override: expected yes or no, not 'perhaps'",
        f"line 2, column Saw: expected yes or no (or x), not 'soon': {TICK}",
    ]


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (b"", "line 1: there is no column for account_id"),
        (HEAD + '1,"Ada,1,2099-12-31,\n', "line 2: not CSV: unexpected end of data; is a quotation mark missing?"),
        (HEAD + '1,"Ada"x,1,2099-12-31,\n', "line 2: not CSV: ',' expected after '\"'; is a quotation mark missing?"),
        (b"a\0b", "is no CSV file, there are zero bytes in it"),
        (
            b"PK\x03\x04\x81\x8d",
            "is not text in utf-8-sig or cp1252: save it as CSV UTF-8, or say what it is with --encoding",
        ),
        (codecs.BOM_UTF16_LE + b"\xd8", "is not text in utf-16: save it as CSV UTF-8"),
    ],
)
def test_what_is_no_csv_file_is_said(data: str | bytes, start: str) -> None:
    assert problems(data)[0].startswith(start)


def test_the_line_is_the_one_on_which_a_record_begins() -> None:
    text = HEAD + '1,"Ada\n\nExample",1,2099-12-31,\n2,Bob,2,never,\n'
    assert problems(text)[0].startswith("line 5, column expiration_ymd: ")


@pytest.mark.parametrize(
    ("mapped", "said"),
    [
        ({"columns": {"fob": "x"}}, "fob: is not a field of a user; the fields are: fob_codes, account_id, "),
        ({"defaults": {"age": "1"}}, "age: is not a field of a user; the fields are: "),
        ({"delimiter": "ab"}, "delimiter: expected one character, not 'ab'"),
        ({"delimiter": '"'}, "delimiter: expected one character, not '\"'"),
        ({"separators": ""}, "separators: expected at least one character"),
        ({"date_format": "d.m.y"}, "date_format: expected one with %d, %m and %Y in it, not 'd.m.y'"),
        ({"date_format": "%d.%m."}, "date_format: expected one with %d, %m and %Y in it, not '%d.%m.'"),
        ({"date_format": "%d.%m.%%Y"}, "date_format: expected one with %d, %m and %Y in it, not '%d.%m.%%Y'"),
        ({"encoding": "latin-x"}, "encoding: expected one that Python knows, as utf-8 or cp1252, not 'latin-x'"),
        ({"encoding": "hex"}, "encoding: expected one that Python knows, as utf-8 or cp1252, not 'hex'"),
        ({"column": {}}, "column: is not a known key; look for a typing error"),
        ({"columns": {"full_name": 7}}, "columns.full_name: expected a list, not 7"),
    ],
)
def test_a_mistake_in_the_mapping_is_named(mapped: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        checked(Mapped, mapped, "map.toml")
    assert error.value.problems[0].startswith(f"map.toml: {said}")


def test_a_mapping_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    def said(path: Path) -> str:
        with pytest.raises(ConfigError) as error:
            read_toml(path)
        return str(error.value).removeprefix(f"{path}: ")

    path = tmp_path / "map.toml"
    assert said(path) == "cannot be read: No such file or directory"
    path.write_bytes(b"\xff")
    assert said(path) == "is not UTF-8; save it as UTF-8"
    path.write_text("a = \n")
    assert said(path).startswith("not TOML: ")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        CsvSource.open(tmp_path, Mapped())


# anything


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_users_or_a_list_of_what_is_wrong(data: bytes) -> None:
    for content in (data, HEAD.encode() + data):
        try:
            people(content)
        except ConfigError as error:
            assert all(line.isprintable() for line in error.problems)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0;,\r\n"), max_size=15)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=8), st.sampled_from([",", ";", "\t"]))
def test_whatever_stands_in_the_cells_it_arrives_as_people_see_it(
    cells: list[tuple[str, str, str]], delimiter: str
) -> None:
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=delimiter)
    writer.writerow(HEAD.strip().split(","))
    for number, (name, authorization, _) in enumerate(cells):
        writer.writerow([f"id{number}", f"N {name}", f"{number + 1:010}", "2099-12-31", authorization])
    got = people(target.getvalue()).users
    assert [user.full_name for user in got] == [clean(f"N {name}") for name, _, _ in cells]
    assert [user.authorizations for user in got] == [[clean(a)] if clean(a) else [] for _, a, _ in cells]


def test_a_file_that_is_far_too_large_is_not_read_into_memory() -> None:
    with pytest.raises(ConfigError, match="larger than 32 MiB: is it the list of members"):
        CsvSource.open(Path("/dev/zero"), Mapped())
