"""The few words in which the engines' SQL differs. A query is written once, with these words in braces:

``{epoch}``
    the column ``at`` as seconds since 1970, to a millisecond
``{least}``, ``{greatest}``
    the functions for the smaller and the greater one of two values
``{whole:EXPRESSION}``
    the whole part of a number
``{json:user.full_name}``
    a value within the JSON of the column ``data``, as text
``{by:INDEX}``
    what has SQLite use this index; PostgreSQL finds it by itself
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, TextClause, bindparam, text


class _Word:
    """A word that needs one more, which stands behind its colon: ``before`` and ``behind`` go around that."""

    def __init__(self, before: str = "", behind: str = "", dots: str | None = None) -> None:
        self._before, self._behind, self._dots = before, behind, dots

    def __format__(self, spec: str) -> str:
        if not self._before:
            return ""
        return f"{self._before}{spec if self._dots is None else spec.replace('.', self._dots)}{self._behind}"


_WORDS: Final[Mapping[str, Mapping[str, object]]] = {
    "sqlite": {
        # What SQLite says in days is exact to a millisecond.
        "epoch": "(CAST((julianday(at) - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) / 1000.0)",
        "least": "min",
        "greatest": "max",
        "whole": _Word("CAST(", " AS INTEGER)"),
        "json": _Word("json_extract(data, '$.", "')"),
        "by": _Word("INDEXED BY "),
    },
    "postgresql": {
        "epoch": "(floor(extract(epoch FROM CAST(at AS timestamptz)) * 1000 + 0.5)::double precision / 1000)",
        "least": "least",
        "greatest": "greatest",
        "whole": _Word("CAST(trunc(", ") AS bigint)"),
        # In its JSON it knows no U+0000, which a database that was copied here may have.
        "json": _Word("(CAST(replace(data, '\\u0000', '') AS json) #>> '{", "}')", ","),
        "by": _Word(),
    },
}


@dataclass(frozen=True, slots=True)
class Query:
    """A query of the journal; ``lists`` are its parameters that are lists."""

    template: str
    lists: tuple[str, ...] = ()

    def on(self, connection: Connection, given: Mapping[str, Any] | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Run it in the words of the engine that this connection is to."""
        return connection.execute(in_words_of(connection.dialect.name, self), given or {})


@cache
def in_words_of(dialect: str, query: Query) -> TextClause:
    """Return the statement as this dialect of SQLAlchemy has it."""
    statement = text(query.template.format_map(_WORDS[dialect]))
    return statement.bindparams(*(bindparam(name, expanding=True) for name in query.lists))
