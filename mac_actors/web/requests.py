"""What comes in: bodies, forms and queries, checked. The OpenAPI description is made of these models too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

import bottle
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from mac_actors.core.config import normalize_fob
from mac_actors.core.state import Source, Telemetry
from mac_actors.web.errors import Refused

Model = TypeVar("Model", bound=BaseModel)

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _fob(value: str | None) -> str | None:
    if value and not value.isprintable():
        raise ValueError("a fob code without control characters")
    return normalize_fob(value)


class ReportBody(BaseModel):
    """What a reader POSTs every 10 seconds and at each card or button event. Unknown fields are ignored."""

    model_config = ConfigDict(title="Report")

    machine_name: str = Field(strict=True, description="a name in machines.json, exactly")
    oops: StrictBool = Field(description="whether the Oops button is pressed")
    rfid_value: Annotated[str | None, Field(strict=True, max_length=64), AfterValidator(_fob)] = Field(
        description='the fob in the reader, `""` or null for none; printable, left-padded to 10 characters with 0'
    )
    uptime: Number | None = Field(description="seconds since the reader's boot; null if it has no reading yet")
    wifi_signal_db: Number | None = Field(None, description="dBm")
    wifi_signal_percent: Number | None = Field(None, description="0 to 100")
    internal_temperature_c: Number | None = Field(None, description="°C, of the reader's chip")
    amps: Number | None = Field(0.0, description="current that the machine draws; null counts as 0")
    second_relay_state: StrictBool | None = Field(None, description="observed only")

    def telemetry(self) -> Telemetry:
        """Return what the reader said of itself."""
        return Telemetry(
            self.uptime,
            self.wifi_signal_db,
            self.wifi_signal_percent,
            self.internal_temperature_c,
            self.amps or 0.0,
            self.second_relay_state,
        )


def _one_line(text: str) -> str | None:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or None


def _known_source(value: object) -> object:
    return value if isinstance(value, str) and value in {Source.CLI, Source.REPL} else Source.HTTP


class AdminBody(BaseModel):
    """Who does it and why; optional. White space and control characters are folded."""

    model_config = ConfigDict(title="Admin")

    reason: Annotated[str, StringConstraints(strict=True, max_length=1000), AfterValidator(_one_line)] | None = None
    by: Annotated[str, StringConstraints(strict=True, max_length=200), AfterValidator(_one_line)] | None = None
    source: Annotated[Source, BeforeValidator(_known_source), WithJsonSchema({})] = Field(
        Source.HTTP, description="`cli` or `repl`; anything else counts as `http`"
    )


class ForgetBody(BaseModel):
    """Who is to be forgotten: account id, e-mail address or full name. With ``only_look`` nothing is changed."""

    model_config = ConfigDict(title="Forget")

    user: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
    only_look: StrictBool = False


INPUTS: tuple[type[BaseModel], ...] = (ReportBody, AdminBody, ForgetBody)


def read_body(environ: dict[str, Any]) -> bytes:
    """Return the request's body, which is whole in memory by now."""
    length = environ.get("CONTENT_LENGTH")
    if length:
        return bytes(environ["wsgi.input"].read(int(length)))
    return bytes(environ["wsgi.input"].read()) if environ["wsgi.input_terminated"] else b""


def parse_body(model: type[Model], body: bytes) -> Model:
    """Check a body; raises :class:`Refused`: 400 for what is not JSON, 422 for a wrong or missing field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False)
        if details[0]["type"] == "json_invalid":
            raise Refused(400, f"the body is not JSON: {details[0]['ctx']['error']}") from None
        raise Refused(422, _told(details)) from None


def parse_fields(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """Check the fields of a form; raises :class:`Refused` (422) for a wrong one."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise Refused(422, _told(error.errors(include_url=False))) from None


def read_form(environ: dict[str, Any]) -> dict[str, str]:
    """Return the fields of a form; raises :class:`Refused` (400) for what is none."""
    try:
        text = read_body(environ).decode("utf-8")
        return dict(
            parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=20)
        )
    except ValueError:
        raise Refused(400, "the body is not a form: expected application/x-www-form-urlencoded in UTF-8") from None


def read_query() -> Mapping[str, str]:
    """Return the parameters of the request; raises :class:`Refused` (422) for what is not UTF-8."""
    try:
        query: Mapping[str, str] = bottle.request.query.decode()
    except UnicodeDecodeError:
        raise Refused(422, "the query: expected UTF-8") from None
    return query


def number(field: str, value: str | None) -> int | None:
    """Understand a number; raises :class:`Refused` (422), as the following do."""
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and int(value[:18]) > 0):
        raise Refused(422, f"{field}: expected a whole number from 1")
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
        raise Refused(422, f"{field}: expected a time in ISO 8601, for example 2026-11-24T18:00:00Z") from None


def day(field: str, value: str | None) -> date | None:
    """Understand a day, of this century or the next."""
    if value is None:
        return None
    try:
        day = datetime.strptime(value, "%Y-%m-%d").date()
        if not 2000 <= day.year <= 2200:
            raise ValueError
    except ValueError:
        raise Refused(422, f"{field}: expected a day as YYYY-MM-DD, for example 2026-11-24") from None
    return day


def _told(errors: list[Any]) -> str:
    """Say in one line which fields are wrong and what was expected (of pydantic's list of errors)."""
    return "; ".join(_describe(error) for error in errors[:5])


_EXPECTED = {
    "missing": "is required",
    "string_type": "expected a string",
    "bool_type": "expected true or false",
    "float_type": "expected a number or null",
    "finite_number": "expected a finite number",
    "model_type": "expected an object",
}


def _describe(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    kind = error["type"]
    if kind == "value_error":
        text = "expected " + str(error["ctx"]["error"])
    elif kind == "string_too_long":
        text = f"expected at most {error['ctx']['max_length']} characters"
    else:
        text = _EXPECTED.get(kind) or error["msg"][:1].lower() + error["msg"][1:]
    return f"{field}: {text}" if field else f"the body: {text}"
