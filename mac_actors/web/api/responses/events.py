"""The journal, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from mac_actors.core.state import Source
from mac_actors.web.api.request_models import Body


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
