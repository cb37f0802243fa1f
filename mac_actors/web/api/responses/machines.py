"""Machines as they are, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from mac_actors.core.config import Offline
from mac_actors.core.state import Session, Severity, Source, Status
from mac_actors.web.api.request_models import Body, is_none


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


def _given_offline(rules: object) -> object:
    return None if rules == Offline() else rules


class OfflineBody(Body):
    """``offline`` of a machine in machines.json."""

    after_seconds: float
    list: bool = Field(description="whether its reader keeps a list of the fobs that may run it")
    on_loss: str = Field(description="`keep` or `off`: what becomes of a machine that runs by then")


class TelemetryBody(Body):
    """What the reader last said of itself."""

    uptime: float | None
    wifi_signal_db: float | None
    wifi_signal_percent: float | None
    internal_temperature_c: float | None
    amps: float
    second_relay_state: bool | None
    firmware: str | None = Field(None, exclude_if=is_none, description="only there where the reader says it")
    poke: int | None = Field(None, exclude_if=is_none, description="only there where it takes pokes: its UDP port")
    list_revision: int | None = Field(
        None, exclude_if=is_none, description="only there where it keeps a list for when the server is away: which"
    )


Given = Annotated[str | None, Field(exclude_if=is_none)]


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
        exclude_if=is_none,
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
        None, exclude_if=is_none, description="only there when somebody said what is wrong"
    )
    offline: Annotated[OfflineBody | None, BeforeValidator(_given_offline)] = Field(
        None,
        exclude_if=is_none,
        description="what its reader does while the server does not answer; only there where machines.json has it",
    )
    maintenance: list[UpkeepBody] = Field(
        [], exclude_if=lambda items: not items, description="only there where machines.json has it"
    )
    maintenance_due: list[str] = Field(
        [], exclude_if=lambda items: not items, description="only there while something is due: what"
    )
    refused: str | None = Field(
        None, exclude_if=is_none, description="only there while its reader's reports are refused: why"
    )
    obeyed_after: float | None = Field(
        None, exclude_if=is_none, description="seconds from the last command to the reader's next report, once known"
    )
    keyed: bool = Field(
        False, exclude_if=lambda keyed: not keyed, description="only there, true, where its reader has a key, and signs"
    )


class MachinesBody(Body):
    """All machines, in the order of machines.json."""

    machines: list[MachineBody]
