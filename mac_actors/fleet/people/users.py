"""The users of a fleet: found, and changed at the server, over what the users file says."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from mac_actors.actors.journal import DISK_FULL, Journal
from mac_actors.actors.replies import ANSWER_SECONDS, Latch
from mac_actors.core.config import Directory, MachineConfig, User, fold_name, normalize_fob, whole_fob
from mac_actors.core.notices import Notice
from mac_actors.core.outcomes import Outcome
from mac_actors.core.people import changes
from mac_actors.core.people.additions import Author, NewUser, check_given
from mac_actors.core.people.changes import AlreadySo, Change
from mac_actors.core.people.people import People, Settled, settle
from mac_actors.core.people.trainers import asked_for, trained_by
from mac_actors.core.people.view import UserAnswer, UserView
from mac_actors.core.phrases import phrase
from mac_actors.core.redaction import Redaction, without_author
from mac_actors.core.state import Source
from mac_actors.errors import MachineUnavailable, UnknownAuthorization, UnknownUser, UserRefused
from mac_actors.fleet.people.logins import Logins
from mac_actors.fleet.people.protocol import AnyUsers
from mac_actors.fleet.people.refusals import refuse_owner
from mac_actors.fleet.people.search import UserSearch
from mac_actors.fleet.people.unknown_fobs import JUST_SEEN, KEPT_FOR, KINDS, UnknownFob, UnknownFobs
from mac_actors.settings.user_entries import lcd_name
from mac_actors.settings.warnings import nearest
from mac_actors.storage import slack_users
from mac_actors.storage.codec import addition_row, journal_row
from mac_actors.storage.records import Record

if TYPE_CHECKING:
    from mac_actors.fleet.supervisor import Supervisor


AT_START = 1000
"""Lines of the journal in which unknown fobs are looked for at the start."""


class Users(AnyUsers):
    """Of a change, ``by`` and ``reason`` are for journal and notices; ``author`` says more than these, for edges.

    A change counts at the next insertion of a fob; a running session goes on. Each raises :class:`UnknownUser`, and
    :class:`MachineUnavailable` when too much waits for the disk.
    """

    def __init__(
        self,
        file: Directory,
        journal: Journal,
        logins: Logins,
        *,
        commit_budget: float,
        notices: Callable[[Outcome], tuple[Notice, ...]],
        announce: Callable[[tuple[Outcome, ...]], None],
        notify: Callable[[str], None],
    ) -> None:
        self._journal = journal
        self._logins = logins
        self._budget = commit_budget
        self._notices = notices
        self._announce = announce
        self._notify = notify
        self._search = UserSearch()
        self._written: Latch | None = None
        self._number = journal.store.last_addition()
        self.supervisor: Supervisor
        """Set by the fleet, whose machines' actors begin with these users."""
        self.unknown_fobs = UnknownFobs()
        for word in KINDS:
            page = journal.store.page(kind=word, since=datetime.now(UTC) - KEPT_FOR, limit=AT_START)
            self.unknown_fobs.take(entry.outcome for entry in reversed(page.entries))
        self.people = People.of(file, journal.store.load_additions())
        self.adopt(self.settle(file))
        for closed in self.people.unreadable():
            notify(str(closed))

    # the users file

    def settle(self, file: Directory) -> Settled:
        """Return who counts with another users file; changes nothing."""
        return settle(file, self.people.additions(), self.people.file)

    def adopt(self, settled: Settled) -> list[str]:
        """Take this for who counts; returns what is to be said of it, after what is posted in the control channel."""
        accounts = ((one.before.account_id, one.now.account_id) for one in settled.found)
        moved = tuple((old, new) for old, new in accounts if old != new)
        if settled.ended or moved:
            ended = tuple(map(addition_row, settled.ended))
            # Who was somebody in Slack by an e-mail address that is not theirs in the file is so no more.
            unsure = {one.before.account_id for one in settled.found if not one.has_same_address()}
            unlinked = slack_users.ids_by_address(self._journal.store, unsure)
            self._written = self._journal.record(Record(moved=moved, put=ended, unlinked=unlinked))
            self._logins.move(dict(moved))
        self.people = settled.people
        said = [str(one) for one in (*settled.found, *settled.doubts)]
        for line in said:
            self._notify(line)
        return [*said, *map(str, self.people.conflicts())]

    # looking

    def search(self, query: str = "", *, addresses: bool = True) -> list[User]:
        """Return the users who have all words of ``query`` in name, account id or (``addresses``) e-mail address, by
        name; first those with a name that begins so. Parts of words are enough; case and accents do not count.
        """
        return self._search.find(self.people.directory, query, addresses=addresses)

    def find(self, query: str = "") -> list[UserView]:
        """Return the users who are found by :meth:`search`, with what they have."""
        people, now = self.people, datetime.now(UTC)
        return [UserView.of(people, user, now) for user in self.search(query)]

    def user(self, who: str | User) -> User:
        """Return a user by account id, e-mail address or full name; raises :class:`UnknownUser`."""
        directory = self.people.directory
        if isinstance(who, User):
            who = who.account_id
        if user := directory.by_account.get(who):
            return user
        folded = fold_name(who)
        found = [u for u in directory.users if folded in {u.email.casefold(), fold_name(u.full_name)} and folded]
        if len(found) != 1:
            raise UnknownUser(who, [f"{user.account_id} ({user.full_name})" for user in found[:5]])
        return found[0]

    def of_account(self, account_id: str) -> User:
        """Return the user of exactly this account; raises :class:`UnknownUser`."""
        user = self.people.directory.by_account.get(account_id)
        if user is None:
            raise UnknownUser(account_id)
        return user

    def show(self, who: str | User) -> UserView:
        """Return what a user has, where it comes from, and what was taken from them."""
        return UserView.of(self.people, self.user(who), datetime.now(UTC))

    def trained_by(self, account_id: str | None) -> list[MachineConfig]:
        """Return the machines for which this user may train others now: none, if they are no trainer (any more)."""
        directory = self.people.directory
        user = directory.by_account.get(account_id or "")
        return trained_by(user, directory, self.supervisor.configuration.machines.values(), datetime.now(UTC))

    def unknown(self) -> list[UnknownFob]:
        """Return the last 100 unknown fobs of the last 24 hours, the newest first."""
        return self.unknown_fobs.of(self.people.directory, datetime.now(UTC))

    def just_seen(self, machine: str | None = None) -> list[UnknownFob]:
        """Return the unknown fobs of the last ten minutes, at the machine of this name or at any, the newest first."""
        now = datetime.now(UTC)
        return [one for one in self.unknown() if now - one.at <= JUST_SEEN and machine in {None, one.machine}]

    # changing

    def add(
        self,
        full_name: str,
        *,
        preferred_name: str = "",
        email: str = "",
        expires: date | None = None,
        fob: str | None = None,
        by: str | None = None,
        reason: str | None = None,
        author: Author | None = None,
    ) -> UserAnswer:
        """Add a user who is not in users.json; ``expires`` is the last day of the membership, if it has one.

        Raises :class:`UserRefused` where fob or e-mail address is somebody else's.
        """
        check_given(by, reason, expires=expires)
        preferred_name = preferred_name or full_name
        new = NewUser(full_name, preferred_name, lcd_name(preferred_name, full_name), email, expires)
        code = None if fob is None else self._fob(fob)

        def change(people: People, number: int) -> tuple[User, Change]:
            present = self._present(people, new, code)
            if present is not None:
                return present, Change(people, already=(AlreadySo.USER_ADDED,))
            who = author or _author(by, reason)
            added = changes.add_user(people, _new_account(people), new, who, number)
            user = added.people.directory.by_account[added.new[0].account_id]
            if code is None:
                return user, added
            return user, added.then(changes.give_fob(added.people, user, code, who, number + 1))

        return self._change(change)

    def give_fob(
        self,
        who: str | User,
        code: str | None = None,
        *,
        seen_at: str | None = None,
        by: str | None = None,
        reason: str | None = None,
        author: Author | None = None,
    ) -> UserAnswer:
        """Give a fob to a user: that of this number, or the unknown one that was last ``seen_at`` a machine.

        Raises :class:`UserRefused` where it is somebody else's, and says whose; or where none was seen there within ten
        minutes.
        """
        check_given(by, reason)
        fob = self._fob(code) if code is not None else self._seen_at(seen_at or "")

        def change(people: People, number: int) -> tuple[User, Change]:
            user = self.user(who)
            refuse_owner(people, fob, user.account_id)
            return user, changes.give_fob(people, user, fob, author or _author(by, reason), number)

        return self._change(change)

    def take_fob(
        self,
        who: str | User,
        code: str,
        *,
        by: str | None = None,
        reason: str | None = None,
        author: Author | None = None,
    ) -> UserAnswer:
        """Have a user's fob count no more, whatever users.json says, until it is given again."""
        check_given(by, reason)
        fob = normalize_fob(code) or self._fob(code)

        def change(people: People, number: int) -> tuple[User, Change]:
            user = self.user(who)
            return user, changes.take_fob(people, user, fob, author or _author(by, reason), number)

        return self._change(change)

    def authorize(
        self,
        who: str | User,
        authorization: str,
        *,
        until: date | None = None,
        by: str | None = None,
        reason: str | None = None,
        author: Author | None = None,
    ) -> UserAnswer:
        """Authorize a user, for good or until the end of a day.

        Raises :class:`UnknownAuthorization` for what no machine asks for.
        """
        check_given(by, reason, until=until)
        self.check_authorization(authorization)

        def change(people: People, number: int) -> tuple[User, Change]:
            user = self.user(who)
            return user, changes.grant(people, user, authorization, until, author or _author(by, reason), number)

        return self._change(change)

    def withdraw(
        self,
        who: str | User,
        authorization: str,
        *,
        until: date | None = None,
        by: str | None = None,
        reason: str | None = None,
        author: Author | None = None,
    ) -> UserAnswer:
        """Have a user's authorization count no more, whatever users.json says, until it is granted again; or until
        the end of a day.

        Raises :class:`UnknownAuthorization` for what no machine asks for and they don't have.
        """
        check_given(by, reason, until=until)
        if authorization not in self.user(who).authorizations:
            self.check_authorization(authorization)

        def change(people: People, number: int) -> tuple[User, Change]:
            user = self.user(who)
            return user, changes.withdraw(people, user, authorization, until, author or _author(by, reason), number)

        return self._change(change)

    def check_authorization(self, name: str) -> None:
        """Raise :class:`UnknownAuthorization` unless a machine asks for it."""
        known = asked_for(self.supervisor.configuration.machines.values())
        if name not in known:
            raise UnknownAuthorization(name, nearest(name, sorted(known)))

    def _seen_at(self, machine: str) -> str:
        name = self.supervisor.names.find(machine)
        seen = self.just_seen(name)
        if not seen:
            raise UserRefused(
                f"no unknown fob was held to {self.supervisor.configuration.machines[name].display_name} within the "
                "last 10 minutes: hold it there, then try again"
            )
        return seen[0].code

    def _fob(self, code: str) -> str:
        fob = normalize_fob(code)
        if fob in {one.code for one in self.unknown()} or self.people.directory.find(fob or ""):
            return fob or ""  # what a reader has sent is one, whatever it looks like
        try:
            return whole_fob(code)
        except ValueError as error:
            raise ValueError(f"expected {error}") from None

    @staticmethod
    def _present(people: People, new: NewUser, code: str | None) -> User | None:
        """Return the user who was added just so already. Raises :class:`UserRefused` for what is somebody else's."""
        for account, additions in people.by_account.items():
            added = next((one.user for one in additions if one.user), None)
            user = people.directory.by_account.get(account)
            if added == new and user and (code is None or code in user.fob_codes):
                return user
        email = new.email.casefold()
        other = next((user for user in people.directory.users if email and user.email.casefold() == email), None)
        if other is not None:
            raise UserRefused(
                phrase(
                    "{name} ({account}) has this e-mail address already: nobody was added",
                    name=other.full_name,
                    account=other.account_id,
                )
            )
        if code is not None:
            refuse_owner(people, code, None)
        return None

    def forget(self, person: Redaction) -> None:
        """Remove a person's additions, their unknown fobs, and their name from what they have done to others.

        What was withdrawn or taken from somebody who is still in the users file stays: a lost fob must open nothing.
        For :mod:`mac_actors.fleet.erasure`. Raises :class:`~mac_actors.errors.StorageError`, having changed nothing,
        unless all is on disk that was changed before: what is no longer in force would be again.
        """
        with self._alone():
            self._journal.write(Record(), ANSWER_SECONDS)
            gone, renamed = [], []
            for one in self._journal.store.load_additions(everything=True):
                kept = one.counts and not one.given and one.account_id in self.people.file.by_account
                if one.account_id in person.accounts and not kept:
                    gone.append(one)
                elif (author := without_author(one.author, person)) != one.author:
                    renamed.append(replace(one, author=author))
            ended = [one for one in (*gone, *renamed) if one.counts]
            self.people = self.people.changed([one for one in renamed if one.counts], ended)
            self.supervisor.change_users(self.people.directory)
            self.unknown_fobs.forget(person.fobs)
            drop = tuple(("addition", one.id) for one in gone)
            self._written = self._journal.record(Record(drop=drop, put=tuple(map(addition_row, renamed))))

    def _change(self, decide: Callable[[People, int], tuple[User, Change]]) -> UserAnswer:
        with self._alone():
            user, change = decide(self.people, self._number + 1)
            if change.new:
                rows = tuple((journal_row(outcome), self._notices(outcome)) for outcome in change.outcomes)
                put = tuple(map(addition_row, (*change.ended, *change.new)))
                self._written = self._journal.record(Record(rows=rows, put=put))
                self._number += len(change.new)
                self.people = change.people
                self.supervisor.change_users(change.people.directory)
                self._announce(change.outcomes)
            written = self._written
        now = change.people.directory.by_account[user.account_id]
        view = UserView.of(change.people, now, datetime.now(UTC))
        durable = written is None or (written.wait(self._budget) and written.durable)
        return UserAnswer(view, change.outcomes, change.already, durable)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Have one change at a time, and none during a reload. Raises :class:`MachineUnavailable`."""
        supervisor = self.supervisor
        supervisor.check_open()
        if not supervisor.lock.acquire(timeout=ANSWER_SECONDS):
            raise MachineUnavailable(phrase("a reload takes long: nothing was changed; try again"))
        try:
            supervisor.check_open()
            if self._journal.full:
                raise MachineUnavailable(DISK_FULL)
            yield
        finally:
            supervisor.lock.release()


def _author(by: str | None, reason: str | None) -> Author:
    return Author(datetime.now(UTC), Source.REPL, by, reason)


def _new_account(people: People) -> str:
    known = people.directory.by_account.keys() | people.by_account.keys()
    return next(account for account in iter(lambda: f"added-{secrets.token_hex(4)}", "") if account not in known)
