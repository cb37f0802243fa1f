"""How frozen values show themselves to a person in a REPL, a log or a failed test."""

from __future__ import annotations

from dataclasses import Field, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any


class Readable:
    """Gives a dataclass (made with ``repr=False``) a short ``repr``: what is unset or as ever is left out.

    Times are shown to the second, UTC as ``Z``; a word (``StrEnum``) as the string that it equals.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Return ``Name(field=value, …)``."""
        own: tuple[Field[Any], ...] = fields(self)  # type: ignore[arg-type]  # the subclasses are dataclasses
        values = ((field, getattr(self, field.name)) for field in own if field.repr)
        parts = [f"{field.name}={_show(value)}" for field, value in values if not _is_usual(value, field.default)]
        return f"{type(self).__name__}({', '.join(parts)})"


def _is_usual(value: object, default: object) -> bool:
    """Nothing, or the default; but true and false are always worth a word."""
    return value is None or value == () or (value == default and not isinstance(value, bool))


def _show(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}{'Z' if value.utcoffset() == timedelta(0) else f'{value:%z}'}"
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, float):
        return repr(round(value, 3))
    if isinstance(value, tuple):
        return f"({', '.join(map(_show, value))}{',' if len(value) == 1 else ''})"
    return repr(value)
