"""What stands in users.json, as models: they check it, and the reference is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Annotated, Generic, TypeVar

from anyascii import anyascii
from pydantic import AfterValidator, Field, StringConstraints

from mac_actors.core.config import User, whole_fob
from mac_actors.core.outputs import lcd_line
from mac_actors.core.people.additions import end_of
from mac_actors.core.text import read_day, tidy
from mac_actors.settings.strict import Authorization, Strict

Key = TypeVar("Key", str, int)


def _day(text: str) -> str:
    read_day(text)
    return text


class UserEntry(Strict):
    """One user of users.json."""

    fob_codes: list[Annotated[str, AfterValidator(whole_fob)]] = Field(
        description="The number as its reader sends it. Zeroes at the left, ``:``, ``-`` or blanks between groups, and "
        "case do not count: ``36912`` is ``0000036912``, ``0a:1b:2c:3d`` is ``000A1B2C3D``. A fob belongs to one user."
    )
    account_id: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="It is the user's own: no two users have the same."
    )
    full_name: str = Field(description="It is in the journal and in the control channel.")
    first_name: str = Field(description="Part of the name, as the membership software has it.")
    last_name: str = Field(description="Likewise.")
    preferred_name: str = Field(
        description='It is on the reader\'s display after "Welcome,". Letters that the display does not have are '
        "written with plain ones: Frøya becomes Froya."
    )
    email: str = Field(description="It is never shown.")
    expiration_ymd: Annotated[str, AfterValidator(_day)] = Field(
        description="The last day of the membership, as ``YYYY-MM-DD``."
    )
    authorizations: list[Authorization] = Field(description="What the user has been trained for.")
    oops_override: bool = Field(
        default=False, description="``true``: this user's fob runs oopsed and locked machines too, to repair them."
    )

    def user(self) -> User:
        """Return the core's value for this entry."""
        return User(
            account_id=self.account_id,
            full_name=tidy(self.full_name),
            preferred_name=tidy(self.preferred_name),
            lcd_name=lcd_name(self.preferred_name, self.full_name),
            fob_codes=tuple(dict.fromkeys(self.fob_codes)),
            authorizations=_once(frozenset(self.authorizations)),
            oops_override=self.oops_override,
            expires_at=end_of(date.fromisoformat(self.expiration_ymd)),
            first_name=tidy(self.first_name),
            last_name=tidy(self.last_name),
            email=tidy(self.email),
        )


@lru_cache(maxsize=4096)
def _once(authorizations: frozenset[str]) -> frozenset[str]:
    """Return the same set for equal ones: thousands of users have few different ones."""
    return authorizations


def lcd_name(preferred_name: str, full_name: str) -> str:
    """Return what the readers' display shows of a user, in the characters that it has."""
    return lcd_line(anyascii(preferred_name)) or lcd_line(anyascii(full_name))


@dataclass(frozen=True, slots=True)
class Clash(Generic[Key]):
    """Two users who have the same account id (``position`` is then ``None``) or the same fob."""

    key: Key
    other: Key
    value: str
    position: int | None = None


def user_clashes(users: Mapping[Key, UserEntry] | Mapping[Key, User]) -> Iterator[Clash[Key]]:
    """Find what only one user may have: account ids, and fobs."""
    accounts: dict[str, Key] = {}
    fobs: dict[str, Key] = {}
    for key, user in users.items():
        first = accounts.setdefault(user.account_id, key)
        if first != key:
            yield Clash(key, first, user.account_id)
        for position, code in enumerate(user.fob_codes):
            first = fobs.setdefault(code, key)
            if first != key:
                yield Clash(key, first, code, position)
