"""Users from a spreadsheet that was saved as CSV, whatever its columns are called."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from pydantic import BeforeValidator, Field

from mac_actors.core.config import fold_name
from mac_actors.errors import ConfigError
from mac_actors.imports.users.source import SourceSettings, UserRecord, listed, truth, understand
from mac_actors.settings.entries import UserEntry
from mac_actors.settings.problems import printed

FIELDS: Final = tuple(UserEntry.model_fields)
"""The keys of a user in users.json."""

NEEDED: Final = {
    "account_id": "--column account_id=COLUMN",
    "fob_codes": "--column fob_codes=COLUMN",
    "expiration_ymd": "--column expiration_ymd=COLUMN, or --default expiration_ymd=2099-12-31 for all",
    "authorizations": "--column authorizations=COLUMN, or --authorization-column COLUMN for each",
    "full_name": "--column full_name=COLUMN, or first_name and last_name",
}
"""What there must be a column for, and how to say which."""

DELIMITERS = ",;\t|"

MAX_BYTES = 32 * 1024 * 1024
"""More than a hundred thousand members; what is larger is another file, and would take the computer's memory."""

ISO_DAY = "%Y-%m-%d"


Columns = Annotated[list[str], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]


class Mapped(SourceSettings):
    """How a CSV file's columns become a user's fields: the mapping file, or the same as options."""

    columns: dict[str, Columns] = Field(default_factory=dict)
    """Field of users.json → the name of its column, or of several."""
    authorization_columns: dict[str, str] = Field(default_factory=dict)
    """Column with a yes or no in it → the authorization that a yes gives."""
    defaults: dict[str, str] = Field(default_factory=dict)
    """Field → its value where the file has no column for it, or nothing in it."""
    separators: str = ";,"
    """What stands between several fobs or authorizations in one cell."""
    delimiter: str | None = None
    encoding: str | None = None
    date_format: str = ISO_DAY

    def problems(self) -> list[str]:
        """Say what is wrong in it beside types."""
        unknown = [name for name in (*self.columns, *self.defaults) if name not in FIELDS]
        found = [f"{name}: is not a field of a user; the fields are: {', '.join(FIELDS)}" for name in unknown]
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            found.append(f"delimiter: expected one character, not {self.delimiter!r}")
        if not self.separators:
            found.append("separators: expected at least one character")
        if not {"%d", "%m"} <= set(re.findall(r"%.", self.date_format)) and self.date_format != "%x":
            found.append(f"date_format: expected one with %d, %m and %Y in it, not {self.date_format!r}")
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
                b" ".decode(self.encoding)  # there are codecs that are not for text
            except UnicodeError:
                pass
            except LookupError:
                found.append(f"encoding: expected one that Python knows, as utf-8 or cp1252, not {self.encoding!r}")
        return found


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the fields are: the columns' numbers, by field; and those of the authorization columns."""

    names: list[str]
    columns: Mapping[str, list[int]]
    authorizations: Mapping[int, str]

    def places(self) -> dict[str, str]:
        return {name: f"column {self.names[numbers[0]]}" for name, numbers in self.columns.items() if numbers}


@dataclass(slots=True)
class CsvSource:
    """A CSV file. ``notes`` is what was taken for granted in reading it."""

    name: str
    data: bytes
    mapped: Mapped = field(default_factory=Mapped)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, mapped: Mapped) -> CsvSource:
        """Read the file. Raises :class:`ConfigError` when it can't be read."""
        try:
            with path.open("rb") as file:
                return cls.read(str(path), file, mapped)
        except OSError as error:
            raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error

    @classmethod
    def read(cls, name: str, file: BinaryIO, mapped: Mapped) -> CsvSource:
        """Read an open file. Raises :class:`ConfigError` when it is too large."""
        data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError([f"{name}: is larger than {MAX_BYTES // 2**20} MiB: is it the list of members?"])
        return cls(name, data, mapped)

    @property
    def overrides(self) -> bool:
        """Whether a column or a default says who may override."""
        header = next(self._rows(), (0, []))[1]
        return bool(_columns(header, self.mapped)["oops_override"] or "oops_override" in self.mapped.defaults)

    def records(self) -> Iterator[UserRecord]:
        """Yield a record for each line that is not empty."""
        rows = self._rows()
        header = self._header(next(rows, (0, []))[1])
        for line, row in rows:
            if any(cell.strip() for cell in row):
                yield self._record(line, row, header)

    # the file

    def _text(self) -> str:
        encodings = [self.mapped.encoding] if self.mapped.encoding else ["utf-8-sig", "cp1252"]
        if not self.mapped.encoding and self.data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encodings = ["utf-16"]
        for encoding in encodings:
            try:
                text = self.data.decode(encoding)
            except (UnicodeDecodeError, UnicodeError):
                continue
            if encoding == "cp1252" and not self.mapped.encoding:
                self._note(f"{self.name} is not UTF-8 and is read as cp1252: look at the names with special letters.")
            return text.removeprefix("\ufeff")
        hint = "save it as UTF-8, or say what it is with --encoding"
        raise ConfigError([f"{self.name}: is not text in {' or '.join(encodings)}: {hint}"])

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows, each with the number of the line on which it begins."""
        text = self._text()
        if "\0" in text:
            raise ConfigError([f"{self.name}: is no CSV file, there are zero bytes in it"])
        delimiter = self.mapped.delimiter or _delimiter(text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        line = 1
        try:
            for row in reader:
                yield line, row
                line = reader.line_num + 1
        except csv.Error as error:
            raise ConfigError([f"{self.name}: line {line}: not CSV: {error}; is a quotation mark missing?"]) from None

    def _header(self, names: list[str]) -> _Header:
        columns = _columns(names, self.mapped)
        folded = [_folded(name) for name in names]
        problems: list[str] = []
        wanted = [
            *((f"--column {key}", name) for key, value in self.mapped.columns.items() for name in value),
            *(("--authorization-column", name) for name in self.mapped.authorization_columns),
        ]
        problems += [
            f"there is no column {name!r} ({option})" for option, name in wanted if _folded(name) not in folded
        ]
        used = {number for numbers in columns.values() for number in numbers}
        authorizations = {
            number: self.mapped.authorization_columns[name]
            for name in self.mapped.authorization_columns
            for number in range(len(names))
            if folded[number] == _folded(name)
        }
        doubled = {folded[n] for n in {*used, *authorizations} if folded.count(folded[n]) > 1}
        problems += [f"the column {name!r} is there twice" for name in sorted(doubled)]
        if not problems:
            problems += [
                f"there is no column for {name}: {how} says which it is"
                for name, how in NEEDED.items()
                if not self._has(name, columns, authorizations)
            ]
        if problems:
            problems.append(f"the columns are: {', '.join(names)}")
            raise ConfigError([printed(f"{self.name}: line 1: {problem}") for problem in problems])
        return _Header(names, columns, authorizations)

    def _has(self, name: str, columns: Mapping[str, list[int]], authorizations: Mapping[int, str]) -> bool:
        if columns[name] or name in self.mapped.defaults:
            return True
        if name == "authorizations":
            return bool(authorizations)
        return name == "full_name" and bool(columns["first_name"] or columns["last_name"])

    # one line

    def _record(self, line: int, row: list[str], header: _Header) -> UserRecord:
        problems: dict[str, str] = {}
        if any(cell.strip() for cell in row[len(header.names) :]):
            problems[""] = (
                f"the line has {len(row)} cells, the first line {len(header.names)}: is a quotation mark missing?"
            )
        fields: dict[str, Any] = {}
        for name, numbers in header.columns.items():
            cells = [row[number] for number in numbers if number < len(row) and row[number].strip()]
            if not cells and name in self.mapped.defaults:
                cells = [self.mapped.defaults[name]]
            if name in {"fob_codes", "authorizations"}:
                fields[name] = listed(cells, self.mapped.separators)
            elif cells:
                fields[name] = " ".join(cells)
        understand(fields, problems)
        self._read_day(fields, problems)
        for number, authorization in header.authorizations.items():
            cell = row[number] if number < len(row) else ""
            given = truth(cell)
            if given is None:
                problems["authorizations"] = f"expected yes or no (or x) in column {header.names[number]}, not {cell!r}"
            elif given and authorization not in fields["authorizations"]:
                fields["authorizations"].append(authorization)
        return UserRecord(f"line {line}", fields, header.places(), problems)

    def _read_day(self, fields: dict[str, Any], problems: dict[str, str]) -> None:
        day, given = fields.get("expiration_ymd", ""), self.mapped.defaults.get("expiration_ymd")
        if day and day != given:
            try:
                fields["expiration_ymd"] = datetime.strptime(day.strip(), self.mapped.date_format).date().isoformat()
            except ValueError:
                expected = f"expected a day as {self.mapped.date_format}, not {day!r}"
                problems["expiration_ymd"] = f"{expected}: --date-format says how days are written"


def _folded(name: str) -> str:
    return fold_name(name.replace("_", " "))


def _columns(names: list[str], mapped: Mapped) -> dict[str, list[int]]:
    """Return the numbers of each field's columns: those that are mapped, else the one that is called like the field."""
    folded = [_folded(name) for name in names]
    return {
        name: [
            number
            for wanted in mapped.columns.get(name, [name])
            for number, column in enumerate(folded)
            if column == _folded(wanted)
        ]
        for name in FIELDS
    }


def _delimiter(text: str) -> str:
    """Return what stands between the names in the first line, outside of quotation marks."""
    first = re.sub(r'"[^"]*"', "", text)[:10_000].splitlines()
    counted = [first[0].count(delimiter) if first else 0 for delimiter in DELIMITERS]
    return DELIMITERS[counted.index(max(counted))]
