"""The JSON that comes in, as models: the OpenAPI description is made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from mac_actors.core.config import read_fob, whole_fob
from mac_actors.core.inputs import Command, Lock, OfflineSession
from mac_actors.core.offline import TAKEN_KEPT
from mac_actors.core.people.additions import Author
from mac_actors.core.state import Source, Telemetry
from mac_actors.core.text import read_day, tidy
from mac_actors.web.access import Caller
from mac_actors.web.requests import message

_INTEGRAL = BeforeValidator(lambda value: int(value) if isinstance(value, float) and value.is_integer() else value)
Whole = Annotated[StrictInt, _INTEGRAL]
"""A whole number, also as ``1.0``: JSON has but one kind."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _printable(text: str) -> str | None:
    return tidy(text) or None


def _said(text: str) -> str:
    said = _printable(text)
    if said is None:
        raise ValueError("a few words that say what is wrong")
    return said


def is_none(value: object) -> bool:
    """Whether a field is left out of an answer that has it only where there is something to say."""
    return value is None


class Body(BaseModel):
    """Base of all models, also of the answers': each is described under its name here without ``Body``."""

    model_config = ConfigDict(
        model_title_generator=lambda model: model.__name__.removesuffix("Body"), from_attributes=True
    )


class OfflineSessionBody(Body):
    """A session that a reader had by itself while the server was away. Times are seconds since its boot."""

    id: Annotated[StrictInt, Field(ge=0, le=2**53), _INTEGRAL] = Field(description="its own among those of this boot")
    fob: Annotated[str, Field(strict=True, max_length=64), AfterValidator(read_fob)]
    started: Number
    ended: Number


_OFFLINE = {"anyOf": [{"type": "array", "items": OfflineSessionBody.model_json_schema()}, {"type": "null"}]}

OFFLINE_AT_ONCE = TAKEN_KEPT // 2
"""So many of the sessions in one report are taken: all of them are remembered when it is sent again."""


class ReportBody(Body):
    """What a reader POSTs every 10 seconds and at each card or button event. Unknown fields are ignored."""

    machine_name: str = Field(strict=True, description="a name in machines.json, exactly")
    oops: StrictBool = Field(description="whether the Oops button is pressed")
    rfid_value: Annotated[str | None, Field(strict=True, max_length=64), AfterValidator(read_fob)] = Field(
        description='the fob in the reader, `""` or null for none. White space and control characters at its ends, '
        "separators between its groups, case and leading zeroes do not count"
    )
    uptime: Number | None = Field(description="seconds since the reader's boot; null if it has no reading yet")
    wifi_signal_db: Number | None = Field(None, description="dBm")
    wifi_signal_percent: Number | None = Field(None, description="0 to 100")
    internal_temperature_c: Number | None = Field(None, description="°C, of the reader's chip")
    amps: Number | None = Field(0.0, description="current that the machine draws; null counts as 0")
    second_relay_state: StrictBool | None = Field(None, description="observed only")
    firmware: Annotated[str, StringConstraints(strict=True, max_length=100), AfterValidator(_printable)] | None = Field(
        None, description="name and version, of firmware that says more: the following count beside it alone"
    )
    boot: Whole | None = Field(None, description="a random number of this boot")
    count: Whole | None = Field(None, description="rises with every report of a boot")
    poke: Annotated[StrictInt, Field(ge=0, le=65535), _INTEGRAL] | None = Field(
        None, description="UDP port at which it takes pokes; 0 or null: it takes none"
    )
    nonce: Annotated[str, StringConstraints(strict=True, max_length=64)] | None = Field(
        None, description="of a reader with a key: the last one that the server gave it"
    )
    list_revision: Whole | None = Field(
        None, alias="list", description="of a reader with a key: the revision of the list that it keeps"
    )
    offline: Annotated[list[dict[str, Any]] | None, WithJsonSchema(_OFFLINE)] = Field(
        None, description="of a reader with a key: sessions that the server has not said to have (`taken`)"
    )

    def offline_sessions(self) -> tuple[OfflineSession, ...]:
        """Return the sessions that the reader had by itself. What is wrong in one is said in it; one without an id
        can't be named, and is left out.
        """
        if self.firmware is None or self.boot is None:
            return ()
        return tuple(session for item in (self.offline or [])[:OFFLINE_AT_ONCE] if (session := _offline(item)))

    def telemetry(self) -> Telemetry:
        """Return what the reader said of itself."""
        return Telemetry(
            self.uptime,
            self.wifi_signal_db,
            self.wifi_signal_percent,
            self.internal_temperature_c,
            self.amps or 0.0,
            self.second_relay_state,
            self.firmware,
            None if self.firmware is None else self.boot,
            None if self.firmware is None else self.count,
            None if self.firmware is None else self.poke or None,
            None if self.firmware is None else self.list_revision,
            measures="amps" in self.model_fields_set and self.amps is not None,
        )


def _offline(item: dict[str, Any]) -> OfflineSession | None:
    try:
        return OfflineSession(**OfflineSessionBody.model_validate(item).model_dump())
    except ValidationError as error:
        problems = error.errors(include_url=False)
        unnamed = any(problem["loc"] == ("id",) for problem in problems)
        return None if unnamed else OfflineSession(item["id"], wrong=message(problems))


def _known_source(value: object) -> object:
    return value if isinstance(value, str) and value in {Source.CLI, Source.REPL} else Source.HTTP


class AdminBody(Body):
    """Who does it and why; optional. White space and control characters are folded."""

    reason: Annotated[str, StringConstraints(strict=True, max_length=1000), AfterValidator(_printable)] | None = None
    by: Annotated[str, StringConstraints(strict=True, max_length=200), AfterValidator(_printable)] | None = None
    source: Annotated[Source, BeforeValidator(_known_source), WithJsonSchema({})] = Field(
        Source.HTTP, description="`cli` or `repl`; anything else counts as `http`"
    )

    def command(self, kind: type[Command], name: str | None = None) -> Command:
        """Return the command that is given with this, now; ``name`` is who does so, where that is certain."""
        return kind(datetime.now(UTC), self.source, name or self.by, self.reason)

    def author(self, caller: Caller) -> Author:
        """Return who changes something with this, now: the caller, where it is certain who that is."""
        by = caller.name or caller.by or self.by
        return Author(datetime.now(UTC), self.source, by, self.reason, confirmed=caller.name is not None)


def _name(text: str) -> str:
    name = _printable(text)
    if name is None:
        raise ValueError("a name that people can read")
    return name


Short = Annotated[str, StringConstraints(strict=True, max_length=200)]
Day = Annotated[date, BeforeValidator(read_day), WithJsonSchema({"type": "string", "format": "date"})]
Fob = Annotated[str, Field(strict=True, max_length=64), AfterValidator(whole_fob)]


class NewAdminBody(AdminBody):
    """Whose personal login it is to be. The name is in the journal and in notices, for all that is done with it."""

    name: Annotated[Short, AfterValidator(_name)]


class NewUserBody(AdminBody):
    """A user who is not in users.json. Of the optional fields, null is as left out."""

    full_name: Annotated[Short, AfterValidator(_name)]
    preferred_name: Annotated[Short, AfterValidator(_printable)] | None = Field(
        None, description="what the reader's display shows; the full name, unless given"
    )
    email: Annotated[Short, AfterValidator(_printable)] | None = None
    expiration_ymd: Day | None = Field(None, description="the last day of the membership; without it, it has none")
    fob: Fob | None = None


class FobBody(AdminBody):
    """Which fob: its number in ``code``, or with ``seen_at`` the unknown one that was last held to that machine."""

    code: Fob | None = None
    seen_at: Short | None = Field(None, description="name or alias of a machine; within the last 10 minutes")


class UntilBody(AdminBody):
    """Until the end of which day, if not for good; who does it and why."""

    until: Day | None = None


class ProblemBody(Body):
    """What somebody says is wrong with a machine. White space and control characters are folded."""

    text: Annotated[str, StringConstraints(strict=True, max_length=1000), AfterValidator(_said)]
    by: Annotated[str, StringConstraints(strict=True, max_length=200), AfterValidator(_printable)] | None = None


class LockBody(AdminBody):
    """Beside who and why: whether a session that runs goes on, and the lock falls when it ends."""

    when: Literal["free"] | None = Field(
        None, description="`free`: a running session goes on, and the machine is locked out when it ends"
    )

    def command(self, kind: type[Command], name: str | None = None) -> Command:
        """Return the lock that is given with this, now."""
        command = super().command(kind, name)
        return replace(command, when_free=self.when == "free") if isinstance(command, Lock) else command


class ForgetBody(Body):
    """Who is to be forgotten: account id, e-mail address or full name. With ``only_look`` nothing is changed."""

    user: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
    only_look: StrictBool = False
