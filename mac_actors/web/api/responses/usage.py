"""What was used how much, as JSON."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from mac_actors.web.api.request_models import Body, is_none


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
        None, exclude_if=is_none, description="with `?by=month` and the admins' token alone"
    )
