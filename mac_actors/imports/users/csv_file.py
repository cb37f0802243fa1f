"""Users from a spreadsheet that was saved as CSV, whatever its columns are called."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mac_actors.errors import ConfigError
from mac_actors.imports.users.cells import clean, folded
from mac_actors.imports.users.mapping import Header, Mapped
from mac_actors.imports.users.rows import read_row
from mac_actors.imports.users.source import UserRecord
from mac_actors.settings.problems import printed

DELIMITERS = ",;\t|"

MAX_BYTES = 32 * 1024 * 1024
"""More than a hundred thousand members; what is larger is another file, and would take the computer's memory."""

_DELIMITER_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
"""The first line in which a spreadsheet is told what the delimiter is."""


@dataclass(slots=True)
class CsvSource:
    """A CSV file. ``notes`` is what was taken for granted in reading it."""

    name: str
    data: bytes
    mapped: Mapped = field(default_factory=Mapped)
    notes: list[str] = field(default_factory=list)
    overrides: bool = False

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

    def records(self) -> Iterator[UserRecord]:
        """Yield a record for each line that is not empty."""
        rows = self._rows()
        first, names = next(rows, (1, []))
        try:
            header = Header.of(names, self.mapped)
        except ConfigError as error:
            raise ConfigError([printed(f"{self.name}: line {first}: {text}") for text in error.problems]) from None
        self.overrides = bool(header.columns["oops_override"]) or "oops_override" in self.mapped.defaults
        self._note_status(header)
        sought = [(number, condition) for number, condition in header.conditions if condition.value]
        for line, row in rows:
            if any(clean(cell) for cell in row):
                sought = [one for one in sought if folded("".join(row[one[0] : one[0] + 1])) != folded(one[1].value)]
                yield read_row(line, row, header, self.mapped)
        for _, condition in sought:
            self._note(f"{self.name}: nobody's {condition.column} is {condition.value!r}: is it called so (--where)?")

    # the file

    def _text(self) -> str:
        encodings = [self.mapped.encoding] if self.mapped.encoding else ["utf-8-sig", "cp1252"]
        if not self.mapped.encoding and self.data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encodings = ["utf-16"]
        elif not self.mapped.encoding and b"\0" in self.data[:2] and len(self.data) % 2 == 0:
            encodings = ["utf-16-be" if self.data[:1] == b"\0" else "utf-16-le"]
        for encoding in encodings:
            try:
                text = self.data.decode(encoding)
            except (UnicodeDecodeError, UnicodeError):
                continue
            if encoding == "cp1252" and not self.mapped.encoding:
                self._note(f"{self.name} is not UTF-8 and is read as cp1252: look at the names with special letters.")
            return text.removeprefix("\ufeff")
        hint = "save it as CSV UTF-8, or say what it is with --encoding"
        raise ConfigError([f"{self.name}: is not text in {' or '.join(encodings)}: {hint}"])

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _note_status(self, header: Header) -> None:
        for number, name in enumerate(header.names):
            if "status" in folded(name) and number not in header.used:
                self._note(
                    f"{self.name}: the column {clean(name)} is not looked at, so everybody is taken. "
                    f"--where '{clean(name)} = Active' would take only those who are Active."
                )

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows, each with the number of the line on which it begins."""
        text = self._text()
        if "\0" in text:
            raise ConfigError(
                [f"{self.name}: is no CSV file, there are zero bytes in it: save it as CSV UTF-8 in the spreadsheet"]
            )
        told = _DELIMITER_LINE.match(text)
        text = text[told.end() :] if told else text
        delimiter = self.mapped.delimiter or (told[1] if told else _delimiter(text))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        before = 2 if told else 1
        line = before
        try:
            for row in reader:
                yield line, row
                line = reader.line_num + before
        except csv.Error as error:
            raise ConfigError([f"{self.name}: line {line}: not CSV: {error}; is a quotation mark missing?"]) from None


def _delimiter(text: str) -> str:
    """Return what stands between the names in the first line, outside of quotation marks."""
    first = re.sub(r'"[^"]*"', "", text)[:10_000].splitlines()
    counted = [first[0].count(delimiter) if first else 0 for delimiter in DELIMITERS]
    return DELIMITERS[counted.index(max(counted))]
