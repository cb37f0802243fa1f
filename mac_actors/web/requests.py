"""What comes in: bodies, forms and queries, checked. The OpenAPI description is made of these models too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import bottle
from pydantic import BaseModel, ValidationError

from mac_actors.core.text import one_line
from mac_actors.web.errors import RequestRefused

Model = TypeVar("Model", bound=BaseModel)

LONGEST = 200
"""Characters of what is looked for, in the queries of pages."""


def read_body(environ: dict[str, Any]) -> bytes:
    """Return the request's body, which is whole in memory by now."""
    return bytes(environ["wsgi.input"].read())


def parse_body(model: type[Model], body: bytes) -> Model:
    """Check a body; raises :class:`RequestRefused`: 400 for what is not JSON, 422 for a wrong or missing field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False)
        if details[0]["type"] == "json_invalid":
            raise RequestRefused(400, f"the body is not JSON: {details[0]['ctx']['error']}") from None
        raise RequestRefused(422, message(details)) from None


def parse_fields(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """Check the fields of a form; raises :class:`RequestRefused` (422) for a wrong one."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise RequestRefused(422, message(error.errors(include_url=False))) from None


def read_form(environ: dict[str, Any]) -> dict[str, str]:
    """Return the fields of a form; raises :class:`RequestRefused` (400) for what is none."""
    try:
        text = read_body(environ).decode("utf-8")
        return dict(
            parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=20)
        )
    except ValueError:
        raise RequestRefused(
            400, "the body is not a form: expected application/x-www-form-urlencoded in UTF-8"
        ) from None


def read_query() -> Mapping[str, str]:
    """Return the parameters of the request; raises :class:`RequestRefused` (422) for what is not UTF-8."""
    try:
        query: Mapping[str, str] = bottle.request.query.decode()
    except UnicodeDecodeError:
        raise RequestRefused(422, "the query: expected UTF-8") from None
    return query


def looked_for(field: str) -> str:
    """Return what the query looks for, in one line; nothing instead of what is not UTF-8."""
    return one_line(bottle.request.query.getunicode(field, ""))[:LONGEST]


def is_set(name: str) -> bool:
    """Whether the query has ``name=1``."""
    return str(bottle.request.query.get(name)) == "1"


def number(field: str, value: str | None) -> int | None:
    """Understand a number; raises :class:`RequestRefused` (422), as the following do."""
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and int(value[:18]) > 0):
        raise RequestRefused(422, f"{field}: expected a whole number from 1")
    return int(value[:18])


def time(field: str, value: str | None) -> datetime | None:
    """Understand a time; one without a zone is UTC."""
    if value is None:
        return None
    try:
        # In a query a + that was not encoded arrives as a space.
        at = datetime.fromisoformat(value.strip().replace(" ", "+") if "T" in value else value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RequestRefused(422, f"{field}: expected a time in ISO 8601, for example 2026-11-24T18:00:00Z") from None


def day(field: str, value: str | None) -> date | None:
    """Understand a day, of this century or the next."""
    if value is None:
        return None
    try:
        day = datetime.strptime(value, "%Y-%m-%d").date()
        if not 2000 <= day.year <= 2200:
            raise ValueError
    except ValueError:
        raise RequestRefused(422, f"{field}: expected a day as YYYY-MM-DD, for example 2026-11-24") from None
    return day


def message(errors: list[Any]) -> str:
    """Say in one line which fields are wrong and what was expected (of pydantic's list of errors)."""
    return "; ".join(_describe(error) for error in errors[:5])


_EXPECTED = {
    "missing": "is required",
    "string_type": "expected a string",
    "bool_type": "expected true or false",
    "float_type": "expected a number or null",
    "int_type": "expected a whole number or null",
    "finite_number": "expected a finite number",
    "model_type": "expected an object",
}


def _describe(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    kind = error["type"]
    if kind == "value_error":
        text = "expected " + str(error["ctx"]["error"])
    elif kind == "literal_error":
        text = f"expected {error['ctx']['expected']}"
    elif kind == "string_too_long":
        text = f"expected at most {error['ctx']['max_length']} characters"
    else:
        text = _EXPECTED.get(kind) or error["msg"][:1].lower() + error["msg"][1:]
    return f"{field}: {text}" if field else f"the body: {text}"
