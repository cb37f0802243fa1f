"""The JSON that goes out, as models: the OpenAPI description is made of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import bottle
from pydantic import BeforeValidator, Field

from mac_actors.core.config import Offline
from mac_actors.core.state import Session, Severity, Source, Status
from mac_actors.web.api.request_models import Body
from mac_actors.web.json_line import json_line


class OfflineBody(Body):
    """``offline`` of a machine in machines.json."""

    after_seconds: float
    list: bool = Field(description="whether its reader keeps a list of the fobs that may run it")
    on_loss: str = Field(description="`keep` or `off`: what becomes of a machine that runs by then")


class OfflineRulesBody(Body):
    """What a reader does once nobody has answered it for ``after_seconds``."""

    after_seconds: float
    on_loss: str = Field(description="`keep` or `off`: what becomes of a machine that runs by then")
    taken: list[int] = Field(default=[], description="the report's `offline` sessions that need not be told again")


class FobListBody(Body):
    """Whose fobs may start a machine while the server does not answer."""

    machine: str
    revision: int = Field(description="another one for another content; it rises")
    lifetime_seconds: float = Field(description="for how long it is good")
    oops: bool
    lock: bool
    fobs: list[str] = Field(
        description="of each fob in its normal form the first 6 bytes of its HMAC-SHA256 with the reader's key, as "
        "hexadecimal digits; none while the machine is oopsed or locked out; at most 500, or none"
    )


class OutputsBody(Body):
    """The reply to a report: what the reader is to do."""

    relay: bool
    display: str = Field(description="two lines of 16 characters at the most")
    oops_led: bool
    status_led_rgb: tuple[float, float, float]
    status_led_brightness: float
    second_relay: bool
    always_on: bool = Field(
        False, description="for firmware that says what it is alone: taking the card out must not stop the machine"
    )
    nonce: str | None = Field(
        None, exclude_if=lambda nonce: nonce is None, description="for a reader with a key alone: for its next report"
    )
    applied: bool = Field(
        True,
        exclude_if=bool,
        description="only there, false, where the report's nonce was an old one or missing: the report does not count, "
        "nothing is to start by this reply, and the reader reports again at once",
    )
    list_revision: int | None = Field(
        None,
        serialization_alias="list",
        exclude_if=lambda revision: revision is None,
        description="for a reader with a key and `offline.list` alone: the revision of its list as it is now",
    )
    offline: OfflineRulesBody | None = Field(
        None,
        exclude_if=lambda rules: rules is None,
        description="for firmware that says what it is alone, where machines.json has `offline`",
    )


class FlagBody(Body):
    """An oops or a lock that is set."""

    since: datetime
    source: Source
    by: str | None
    reason: str | None


class DetailsBody(FlagBody):
    """What is wrong with a machine that is oopsed or locked out: in ``reason``, and how bad it is."""

    severity: Severity


class SessionBody(Body):
    """A running session; ``user`` is null where names are hidden."""

    since: datetime
    kind: str
    user: str | None

    @classmethod
    def of(cls, session: Session | None) -> SessionBody | None:
        """Return the session as it is shown; its name is empty where names are hidden."""
        if session is None:
            return None
        return cls(since=session.since, kind=session.kind, user=session.full_name or None)


def _is_none(value: object) -> bool:
    return value is None


def _given_offline(rules: object) -> object:
    return None if rules == Offline() else rules


class TelemetryBody(Body):
    """What the reader last said of itself."""

    uptime: float | None
    wifi_signal_db: float | None
    wifi_signal_percent: float | None
    internal_temperature_c: float | None
    amps: float
    second_relay_state: bool | None
    firmware: str | None = Field(None, exclude_if=_is_none, description="only there where the reader says it")
    poke: int | None = Field(None, exclude_if=_is_none, description="only there where it takes pokes: its UDP port")
    list_revision: int | None = Field(
        None, exclude_if=_is_none, description="only there where it keeps a list for when the server is away: which"
    )


Given = Annotated[str | None, Field(exclude_if=lambda value: value is None)]


class UpkeepBody(Body):
    """One thing to be done again and again, and how far it is."""

    what: str
    hours: float = Field(description="hours with power since it was done last")
    every_hours: float
    due: datetime | None = Field(description="since when it is due")


class MachineBody(Body):
    """One machine, as it is now."""

    name: str
    alias: str | None
    display_name: str
    status: Status
    status_since: datetime
    online: bool = Field(description="a report came within the last 60 s")
    relay: bool
    second_relay: bool
    oops: FlagBody | None
    lock: FlagBody | None
    lock_pending: FlagBody | None = Field(
        None,
        exclude_if=lambda flag: flag is None,
        description="only there while the machine is to be locked out when its session ends",
    )
    session: Annotated[SessionBody | None, BeforeValidator(SessionBody.of)]
    telemetry: TelemetryBody
    last_checkin: datetime | None
    last_update: datetime | None
    area: Given = Field(None, description="where it stands; like the two below only there where machines.json has it")
    description: Given = None
    link: Given = Field(None, description="the address of its manual")
    details: DetailsBody | None = Field(
        None, exclude_if=lambda details: details is None, description="only there when somebody said what is wrong"
    )
    offline: Annotated[OfflineBody | None, BeforeValidator(_given_offline)] = Field(
        None,
        exclude_if=_is_none,
        description="what its reader does while the server does not answer; only there where machines.json has it",
    )
    maintenance: list[UpkeepBody] = Field(
        [], exclude_if=lambda items: not items, description="only there where machines.json has it"
    )
    maintenance_due: list[str] = Field(
        [], exclude_if=lambda items: not items, description="only there while something is due: what"
    )
    refused: str | None = Field(
        None, exclude_if=_is_none, description="only there while its reader's reports are refused: why"
    )
    obeyed_after: float | None = Field(
        None, exclude_if=_is_none, description="seconds from the last command to the reader's next report, once known"
    )
    keyed: bool = Field(
        False, exclude_if=lambda keyed: not keyed, description="only there, true, where its reader has a key, and signs"
    )


class MachinesBody(Body):
    """All machines, in the order of machines.json."""

    machines: list[MachineBody]


class EventBody(Body):
    """One line of the journal. ``by``, ``user`` and names in ``text`` are left out where names are hidden."""

    id: int
    at: datetime
    machine: str | None = Field(description="null where a user was changed")
    display_name: str
    kind: str
    text: str
    source: Source | None = Field(description="of an oops, a lock, a clear, or a change of a user")
    by: str | None
    reason: str | None
    user: str | None = Field(description="whose session or card it was")
    seconds: float | None = Field(description="length of the session that ended")
    fob: str | None = Field(None, description="with the admins' token, in `/api/events`: the whole unknown fob")
    outcome: dict[str, Any] | None = Field(
        None, description="with `?details=1` alone: what happened, field by field, as the Python API has it"
    )


class EventsBody(Body):
    """A page of the journal, newest first."""

    events: list[EventBody]
    next: str | None = Field(description="`?cursor=` of the next page; null on the last one")


class MachineUsageBody(Body):
    """A machine's use: sessions that began, seconds that passed in sessions, fobs that were refused."""

    machine: str
    display_name: str
    sessions: int
    seconds: float
    refusals: int


class UserUsageBody(Body):
    """A user's use. ``account_id`` is null for all unknown fobs together, and for those whose names were removed."""

    account_id: str | None
    name: str
    sessions: int
    seconds: float
    refusals: int


class MonthUsageBody(Body):
    """A user's sessions at a machine in a month (``YYYY-MM``)."""

    month: str
    account_id: str | None
    name: str
    machine: str
    display_name: str
    sessions: int
    seconds: float


class UsageBody(Body):
    """What was used from one day to another, both included, in the server's local time."""

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    machines: list[MachineUsageBody]
    users: list[UserUsageBody] | None = Field(description="null without the admins' token")
    months: list[MonthUsageBody] | None = Field(
        None, exclude_if=lambda months: months is None, description="with `?by=month` and the admins' token alone"
    )


class ForgottenBody(Body):
    """Who it was, and what was done."""

    account_id: str | None = Field(description="null for somebody who only gave commands")
    name: str
    done: bool = Field(description="false: it was only looked")
    events: int = Field(default=0, description="lines of the journal that were changed")
    current_events: list[int] = Field(default=[], description="lines that were left, for they tell of what is so now")
    notices: int = Field(default=0, description="waiting notices that were changed")
    emptied: bool = Field(default=False, description="the write-ahead log holds no copy any more")
    configured: bool = Field(default=False, description="they are still in users.json")


class PokedBody(Body):
    """Whether a reader did report at once."""

    seconds: float | None = Field(description="from the poke to its report; null: none came within 2 s")
    native_api: bool = Field(description="its firmware takes no pokes, and its native API was looked at instead")


class SuccessBody(Body):
    """The command was carried out. ``durable`` is there, false, when it is not on disk yet.

    ``outcomes`` and ``outputs`` (what the reader is told) are there with ``?details=1`` alone.
    """

    success: bool = True
    durable: bool | None = None
    outcomes: list[OutcomeBody] | None = None
    outputs: OutputsBody | None = None


class OutcomeBody(Body):
    """What came of a command: its kind, and the rest as an event's ``outcome``."""

    kind: str
    outcome: dict[str, Any]


class ReaderKeyBody(Body):
    """A reader's key. It is shown this once."""

    machine: str
    key: str = Field(description="256 bits as 64 hexadecimal digits")


class KeyStateBody(Body):
    """What is known of a reader's key, but never the key."""

    since: datetime
    last_used: datetime | None = Field(description="null: not yet")
    rotating_since: datetime | None = Field(description="since when a new one waits for its first use")


class ReaderBody(Body):
    """A machine's reader."""

    machine: str
    display_name: str
    key: KeyStateBody | None = Field(description="null: it reports unsigned")
    firmware: str | None = None
    last_checkin: datetime | None = None
    gone: bool = Field(
        default=False,
        exclude_if=lambda gone: not gone,
        description="only there, true, with a key of no machine any more",
    )


class ReadersBody(Body):
    """All readers, in the order of machines.json."""

    readers: list[ReaderBody]


class ItemBody(Body):
    """Where it comes from, and of an addition by whom, when, and until which day."""

    source: str = Field(description="`file` or `addition`")
    by: str | None
    at: datetime | None
    until: date | None


class UserFobBody(ItemBody):
    """A fob of a user. Trainers are shown its last four characters."""

    code: str = Field(validation_alias="value")


class UserAuthorizationBody(ItemBody):
    """An authorization of a user."""

    name: str = Field(validation_alias="value")


class UserBody(Body):
    """A user: what users.json says, with the additions over it. Trainers are shown no e-mail address."""

    account_id: str
    full_name: str
    preferred_name: str
    email: str
    expiration_ymd: date | None = Field(validation_alias="expires")
    fobs: list[UserFobBody]
    authorizations: list[UserAuthorizationBody]
    fobs_taken: list[UserFobBody] = Field(description="they count no more, whatever users.json says")
    withdrawn: list[UserAuthorizationBody] = Field(description="likewise")
    added: bool = Field(description="they are not in users.json")


class UsersBody(Body):
    """A page of users, by name."""

    users: list[UserBody]
    next: str | None = Field(description="`?cursor=` of the next page; null on the last one")


class ChangedUserBody(UserBody):
    """The user as they are now. ``durable`` is there, false, when the change is not on disk yet."""

    success: bool = True
    already: list[str] = Field(description="what was so already: then nothing was changed")
    durable: bool | None = Field(None, exclude_if=lambda durable: durable is not False)
    outcomes: list[OutcomeBody] | None = Field(
        None, exclude_if=lambda outcomes: outcomes is None, description="with `?details=1` alone: what came of it"
    )


class PersonalLoginBody(Body):
    """A personal login, and who made it when."""

    name: str
    at: datetime
    by: str | None


class AdminsBody(Body):
    """All personal logins, by name."""

    admins: list[PersonalLoginBody]


class NewTokenBody(Body):
    """A new personal login. Its token is nowhere else. ``durable`` is there, false, when it is not on disk yet."""

    name: str
    token: str
    durable: bool | None = None


class LoginSessionBody(Body):
    """A session of the board. Of one by MAC_ADMIN_TOKEN the name is what its admin says."""

    id: str
    role: str = Field(description="`token` (MAC_ADMIN_TOKEN), `admin` or `trainer`")
    name: str | None
    at: datetime = Field(description="since when")
    used_at: datetime = Field(description="when it was used last, to within an hour")


class SessionsBody(Body):
    """All sessions of the board, the newest first."""

    sessions: list[LoginSessionBody]


class UnknownFobBody(Body):
    """An unknown fob, and where and when it was seen last."""

    code: str
    machine: str
    display_name: str
    at: datetime


class UnknownFobsBody(Body):
    """The last 100 of the last 24 hours, the newest first."""

    fobs: list[UnknownFobBody]


class UsersChangeBody(Body):
    """How many users a reload removed, updated, added."""

    removed: int
    updated: int
    added: int


class MachinesChangeBody(Body):
    """Names of the machines that a reload added, changed, removed."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class ReloadBody(Body):
    """What a reload changed; ``powered_on`` names machines whose power came on by it.

    ``warnings`` are there with ``?details=1`` alone: what is most likely not meant, as a training that nobody has.
    """

    users: UsersChangeBody
    machines: MachinesChangeBody
    powered_on: list[str]
    warnings: list[str] | None = None


class ErrorBody(Body):
    """What is wrong, and what was expected."""

    error: str


class ServiceBody(Body):
    """Which service this is."""

    name: str
    version: str


class HealthBody(Body):
    """The process is alive."""

    status: str


class ReadyBody(Body):
    """Whether the server can serve; ``problems`` say why not, ``notes`` what is wrong beside that."""

    ready: bool
    problems: dict[str, str]
    notes: dict[str, str]


def json_of(body: Body, **options: Any) -> bytes:
    """Answer with a model; ``options`` are those of ``model_dump_json``. No cache keeps it: names may be in it."""
    bottle.response.content_type = "application/json"
    bottle.response.set_header("Cache-Control", "no-store")
    return json_line(body.model_dump_json(**options))
