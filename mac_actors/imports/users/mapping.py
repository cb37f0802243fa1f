"""Which column of a spreadsheet is which field of a user, and whom it is about."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from mac_actors.errors import ConfigError
from mac_actors.imports.users.cells import clean, folded
from mac_actors.imports.users.source import SourceSettings
from mac_actors.settings.user_entries import UserEntry

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

ISO_DAY = "%Y-%m-%d"

Several = Annotated[list[str], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]
"""A list; or one text, which is a list of one."""


class Mapped(SourceSettings):
    """How a CSV file's columns become a user's fields: the mapping file, or the same as options."""

    columns: dict[str, Several] = Field(default_factory=dict)
    """Field of users.json → the name of its column, or of several."""
    authorization_columns: dict[str, str] = Field(default_factory=dict)
    """Column with a yes or no in it → the authorization that a yes gives."""
    yes: Several = Field(default_factory=list)
    """What means yes there beside the usual words; ``*`` is anything that is not empty and means no."""
    no: Several = Field(default_factory=list)
    where: Several = Field(default_factory=list)
    """``COLUMN = VALUE`` or ``COLUMN != VALUE``: who is taken. Several values of one column are alternatives."""
    defaults: dict[str, str] = Field(default_factory=dict)
    """Field → its value where the file has no column for it, or nothing in it."""
    separators: str | None = None
    """What stands between several fobs or authorizations in one cell: ``;``, and between authorizations ``,`` too."""
    delimiter: str | None = None
    encoding: str | None = None
    date_format: str = ISO_DAY

    def problems(self) -> list[str]:
        """Say what is wrong in it beside types."""
        unknown = [name for name in (*self.columns, *self.defaults) if name not in FIELDS]
        found = [f"{name}: is not a field of a user; the fields are: {', '.join(FIELDS)}" for name in unknown]
        found += [
            f"where: expected COLUMN = VALUE or COLUMN != VALUE, not {text!r}"
            for text in self.where
            if not _CONDITION.fullmatch(text)
        ]
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            found.append(f"delimiter: expected one character, not {self.delimiter!r}")
        if self.separators == "":
            found.append("separators: expected at least one character")
        parts = {part.lower() for part in re.findall("%[dmYy]", self.date_format.replace("%%", ""))}
        if parts != {"%d", "%m", "%y"} and self.date_format != "%x":
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

    @property
    def conditions(self) -> list[Condition]:
        """Who is taken."""
        return [Condition(*match.groups()) for text in self.where if (match := _CONDITION.fullmatch(text))]


_CONDITION = re.compile(r"\s*([^=]*?[^=!\s])\s*(!?=)=?\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """What must (``=``) or must not (``!=``) stand in a column."""

    column: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Header:
    """Where the fields are: the columns' numbers, by field; and those of the authorization columns."""

    names: Sequence[str]
    columns: Mapping[str, Sequence[int]]
    authorizations: Mapping[int, str]
    conditions: Sequence[tuple[int, Condition]]

    @classmethod
    def of(cls, names: Sequence[str], mapped: Mapped) -> Header:
        """Find the columns. Raises :class:`ConfigError` for those that are not there, or twice."""
        known = [folded(name) for name in names]

        def numbers(wanted: Iterable[str]) -> list[int]:
            return [number for name in wanted for number, column in enumerate(known) if column == folded(name)]

        header = cls(
            names,
            {name: numbers(mapped.columns.get(name, [name])) for name in FIELDS},
            {number: given for name, given in mapped.authorization_columns.items() for number in numbers([name])},
            [(number, condition) for condition in mapped.conditions for number in numbers([condition.column])],
        )
        header._check(mapped, known)
        return header

    def _check(self, mapped: Mapped, known: Sequence[str]) -> None:
        asked = [
            *((f"--column {key}", name) for key, value in mapped.columns.items() for name in value),
            *(("--authorization-column", name) for name in mapped.authorization_columns),
            *(("--where", condition.column) for condition in mapped.conditions),
        ]
        problems = [f"there is no column {name!r} ({option})" for option, name in asked if folded(name) not in known]
        doubled = {known[number] for number in self.used if known.count(known[number]) > 1}
        problems += [f"the column {name!r} is there twice" for name in sorted(doubled)]
        if not problems:
            problems = [
                f"there is no column for {name}: {how} says which it is"
                for name, how in NEEDED.items()
                if not self._has(name, mapped)
            ]
        if problems:
            raise ConfigError([*problems, f"the columns are: {', '.join(self.names)}"])

    def _has(self, name: str, mapped: Mapped) -> bool:
        if self.columns[name] or name in mapped.defaults:
            return True
        if name == "authorizations":
            return bool(self.authorizations)
        return name == "full_name" and bool(self.columns["first_name"] or self.columns["last_name"])

    @property
    def used(self) -> frozenset[int]:
        """The columns that are looked at."""
        fields = (number for numbers in self.columns.values() for number in numbers)
        return frozenset((*fields, *self.authorizations, *(number for number, _ in self.conditions)))

    def excludes(self, row: Sequence[str]) -> str:
        """Say by which condition a row is left out (empty: it is not)."""
        for number, condition in self.conditions:
            values = {folded(c.value) for n, c in self.conditions if (n, c.operator) == (number, condition.operator)}
            if (folded(row[number]) in values) is (condition.operator == "!="):
                return f"{condition.column} is {clean(row[number]) or 'empty'}"
        return ""
