"""Users, what is changed of them, and unknown fobs, as JSON."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from mac_actors.web.api.request_models import Body, is_none
from mac_actors.web.api.responses.common import OutcomeBody


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
        None, exclude_if=is_none, description="with `?details=1` alone: what came of it"
    )


class UnknownFobBody(Body):
    """An unknown fob, and where and when it was seen last."""

    code: str
    machine: str
    display_name: str
    at: datetime


class UnknownFobsBody(Body):
    """The last 100 of the last 24 hours, the newest first."""

    fobs: list[UnknownFobBody]
