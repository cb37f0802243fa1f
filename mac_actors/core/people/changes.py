"""What becomes of a change of one user: from who counts now to who counts then, what happened, and the additions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from mac_actors.core.config import Limit, User
from mac_actors.core.outcomes import (
    AuthorizationGranted,
    AuthorizationWithdrawn,
    FobGiven,
    FobTaken,
    Person,
    UserAdded,
    UserChanged,
)
from mac_actors.core.people.additions import Addition, Author, Kind, NewUser
from mac_actors.core.people.people import People


class AlreadySo(StrEnum):
    """What a change found to be so already."""

    USER_ADDED = "user_added"
    FOB_GIVEN = "fob_given"
    FOB_TAKEN = "fob_taken"
    AUTHORIZED = "authorized"
    NOT_AUTHORIZED = "not_authorized"


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of it: who counts then, what happened, the additions that are new, and those that are over."""

    people: People
    outcomes: tuple[UserChanged, ...] = ()
    new: tuple[Addition, ...] = ()
    ended: tuple[Addition, ...] = ()
    already: tuple[AlreadySo, ...] = ()

    def then(self, later: Change) -> Change:
        """Return this change with one that was made after it."""
        return Change(
            later.people,
            self.outcomes + later.outcomes,
            self.new + later.new,
            self.ended + later.ended,
            self.already + later.already,
        )


def owner(people: People, fob: str) -> User | None:
    """Return whose fob it is; one that was taken away is still theirs to whom the file gives it."""
    return people.directory.find(fob) or people.file.find(fob)


def add_user(people: People, account_id: str, new: NewUser, author: Author, number: int) -> Change:
    """Add a user, whose account id nobody has. ``number`` is the addition's, as in the following."""
    addition = Addition(number, account_id, Kind.USER, author, user=new)
    outcome = UserAdded(**_facts(Person(account_id, new.full_name), author))
    return _change(people, addition, (), outcome)


def give_fob(people: People, user: User, fob: str, author: Author, number: int) -> Change:
    """Give a user a fob that is theirs already, or nobody's (:func:`owner`)."""
    if fob in user.fob_codes:
        return Change(people, already=(AlreadySo.FOB_GIVEN,))
    addition = Addition(number, user.account_id, Kind.FOB, author, fob, counts=fob not in people.file.by_fob)
    before = (people.fobs[fob],) if fob in people.fobs else ()
    return _change(people, addition, before, FobGiven(**_facts(Person.of(user), author), fob=fob))


def take_fob(people: People, user: User, fob: str, author: Author, number: int) -> Change:
    """Have a user's fob count no more, whatever the file says; nor for whom it was given to at the server."""
    before = people.fobs.get(fob)
    carried = fob in user.fob_codes
    given = before is not None and before.given and before.account_id == user.account_id
    if not carried and not given:
        return Change(people, already=(AlreadySo.FOB_TAKEN,))
    other = people.directory.by_account.get(before.account_id) if before and before.given and not given else None
    if other is not None:
        first = take_fob(people, other, fob, author, number)
        return first.then(take_fob(first.people, user, fob, author, number + 1))
    # Where the file gives it to somebody else, theirs it stays.
    addition = Addition(number, user.account_id, Kind.FOB, author, fob, given=False, counts=carried)
    return _change(people, addition, (before,) if before else (), FobTaken(**_facts(Person.of(user), author), fob=fob))


def grant(people: People, user: User, name: str, until: date | None, author: Author, number: int) -> Change:
    """Authorize a user, until the end of a day or for good."""
    addition = Addition(number, user.account_id, Kind.AUTHORIZATION, author, name, until=until)
    limit, before = _limit(user, name), people.of_user(user.account_id, Kind.AUTHORIZATION, name)
    is_so = limit == Limit(name, ends=addition.ends()) if limit else until is None or not before
    if name in user.authorizations and is_so:
        return Change(people, already=(AlreadySo.AUTHORIZED,))
    file = people.file.by_account.get(user.account_id)
    withdrawn = [one for one in before if not one.given and one.until is None] if until else []
    if file and name in file.authorizations and not withdrawn:
        # It is the file's word again, which has no end.
        addition = replace(addition, counts=False)
    before = [one for one in before if one not in withdrawn]
    outcome = AuthorizationGranted(**_facts(Person.of(user), author), authorization=name, until=until)
    return _change(people, addition, before, outcome)


def withdraw(people: People, user: User, name: str, until: date | None, author: Author, number: int) -> Change:
    """Have a user's authorization count no more, until the end of a day or for good, whatever the file says."""
    addition = Addition(number, user.account_id, Kind.AUTHORIZATION, author, name, given=False, until=until)
    limit = _limit(user, name)
    is_over = limit is not None and limit.ends is not None and author.at >= limit.ends
    if name not in user.authorizations or is_over or (until and limit and limit.begins == addition.ends()):
        return Change(people, already=(AlreadySo.NOT_AUTHORIZED,))
    before = people.of_user(user.account_id, Kind.AUTHORIZATION, name)
    if until is not None:
        # One for good, over which it was granted for a while, holds after that.
        before = [one for one in before if not one.given and one.until]
    outcome = AuthorizationWithdrawn(**_facts(Person.of(user), author), authorization=name, until=until)
    return _change(people, addition, before, outcome)


def _limit(user: User, name: str) -> Limit | None:
    return next((limit for limit in user.limits if limit.authorization == name), None)


def _facts(user: Person, author: Author) -> dict[str, Any]:
    return {
        "user": user,
        "at": author.at,
        "source": author.source,
        "by": author.by,
        "reason": author.reason,
        "confirmed": author.confirmed,
    }


def _change(
    people: People, addition: Addition, before: list[Addition] | tuple[Addition, ...], outcome: UserChanged
) -> Change:
    ended = tuple(replace(one, counts=False) for one in before)
    after = people.changed((addition,) if addition.counts else (), ended)
    return Change(after, (outcome,), (addition,), ended)
