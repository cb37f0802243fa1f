"""A users file, and what can be done with it, for the tests of users."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from mac_actors.core.config import Directory, User
from mac_actors.core.people import changes
from mac_actors.core.people.additions import Addition, Author, NewUser, end_of
from mac_actors.core.people.changes import Change
from mac_actors.core.people.people import Doubt, Found, People, settle
from mac_actors.core.state import Source
from tests.core.examples import T0, someone

ANN = replace(someone("Ann", "Able", "0000000001", "0000000011", can={"mill"}), email="ann@example.org")
BOB = replace(someone("Bob", "Baker", "0000000002"), email="bob@example.org")
FILE = Directory.of((ANN, BOB))

DAY = date(2026, 3, 31)
LATER = date(2026, 4, 30)
BEFORE, AFTER = end_of(DAY) - timedelta(seconds=1), end_of(DAY)
LONG_AFTER = end_of(LATER)

AUTHOR = Author(T0, Source.HTTP, "Tina", "course", confirmed=True)
ZOE = NewUser("Zoe Zimmer", "Zoe", "Zoe", "Zoe@Example.org")


class Shop:
    """Users, who are changed and whose file is read again; ``change`` is the last one, ``kept`` all additions."""

    def __init__(self, file: Directory = FILE) -> None:
        self.people = People.of(file)
        self.change = Change(self.people)
        self.kept: dict[int, Addition] = {}
        self.found: tuple[Found, ...] = ()
        self.doubts: tuple[Doubt, ...] = ()

    def user(self, account_id: str) -> User:
        return self.people.directory.by_account[account_id]

    def do(self, what: str, user: User | str, *arguments: Any) -> Change:
        number = max(self.kept, default=0) + 1
        who = user.account_id if isinstance(user, User) else user
        call = getattr(changes, what)
        self.change = call(self.people, self.user(who), *arguments, AUTHOR, number)
        return self._adopt()

    def add(self, account_id: str = "added", new: NewUser = ZOE) -> Change:
        number = max(self.kept, default=0) + 1
        self.change = changes.add_user(self.people, account_id, new, AUTHOR, number)
        return self._adopt()

    def _adopt(self) -> Change:
        self.kept |= {one.id: one for one in (*self.change.ended, *self.change.new)}
        self.people = self.change.people
        return self.change

    def reload(self, *users: User) -> None:
        settled = settle(Directory.of(users), self.people.additions(), self.people.file)
        self.kept |= {one.id: one for one in (*settled.people.additions(), *settled.ended)}
        self.people, self.found, self.doubts = settled.people, settled.found, settled.doubts

    def restart(self) -> People:
        """Return who counts when it is computed anew of what is in force: that must be the same."""
        return People.of(self.people.file, [one for one in self.kept.values() if one.counts])

    def held(self, user: User, at: Any = T0) -> set[str]:
        return set(self.user(user.account_id).held(at))
