"""A user as people and programs see them: what they have, where it comes from, and what was taken from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from mac_actors.core.config import User
from mac_actors.core.outcomes import Outcome
from mac_actors.core.people.additions import Addition, Kind, last_day
from mac_actors.core.people.changes import AlreadySo
from mac_actors.core.people.people import People
from mac_actors.core.readable import Readable


@dataclass(frozen=True, slots=True, repr=False)
class Item(Readable):
    """A fob or an authorization. ``source`` is ``file`` or ``addition``; of an addition it is told by whom, when and
    until which day.
    """

    value: str
    source: str = "file"
    by: str | None = None
    at: datetime | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True, repr=False)
class UserView(Readable):
    """One user. ``fobs_taken`` and ``withdrawn`` are what counts no more, whatever the file says; ``added``: they are
    not in users.json.
    """

    account_id: str
    full_name: str
    preferred_name: str
    email: str = field(repr=False)
    expires: date | None
    fobs: tuple[Item, ...] = field(repr=False)
    authorizations: tuple[Item, ...]
    fobs_taken: tuple[Item, ...] = field(default=(), repr=False)
    withdrawn: tuple[Item, ...] = ()
    added: bool = False

    @classmethod
    def of(cls, people: People, user: User, now: datetime) -> UserView:
        """Return a user of ``people`` as they are ``now``."""
        additions = people.by_account.get(user.account_id, ())
        file = people.file.by_account.get(user.account_id)
        in_file = frozenset() if file is None else file.authorizations | set(file.fob_codes)
        running = [one for one in additions if (ends := one.ends()) is None or now < ends]

        def items(kind: Kind, values: Iterable[str], latest: Callable[[Addition], bool]) -> tuple[Item, ...]:
            last = {one.value: one for one in running if one.kind is kind and latest(one)}
            return tuple(_item(value, last.get(value), in_file) for value in values)

        fobs = [one.value for one in additions if one.kind is Kind.FOB and not one.given]
        withdrawn = [
            one.value
            for one in running
            if one.kind is Kind.AUTHORIZATION and not one.given and one.value not in user.held(now)
        ]
        return cls(
            user.account_id,
            user.full_name,
            user.preferred_name,
            user.email,
            None if user.expires_at is None else last_day(user.expires_at),
            items(Kind.FOB, user.fob_codes, lambda one: one.given),
            items(Kind.AUTHORIZATION, sorted(user.held(now)), lambda one: one.given),
            items(Kind.FOB, fobs, lambda one: not one.given),
            items(Kind.AUTHORIZATION, dict.fromkeys(withdrawn), lambda one: not one.given),
            added=file is None,
        )


@dataclass(frozen=True, slots=True, repr=False)
class UserAnswer(Readable):
    """What came of a change: the user as they are now, outcomes, what was so already, and whether it is on disk."""

    user: UserView
    outcomes: tuple[Outcome, ...] = ()
    already: tuple[AlreadySo, ...] = ()
    durable: bool = True


def _item(value: str, addition: Addition | None, in_file: frozenset[str]) -> Item:
    if addition is None:
        return Item(value)
    return Item(value, "addition", addition.author.by, addition.author.at, addition.until)
