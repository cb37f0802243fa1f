"""Personal logins and sessions of the board, as JSON."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from mac_actors.web.api.request_models import Body


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
