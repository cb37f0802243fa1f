"""All users: what the users file says, with the additions over it. Computed once per change, then never changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from mac_actors.core.config import Directory, User, fold_name
from mac_actors.core.people.additions import Addition, Kind, authorizations
from mac_actors.core.phrases import phrase


class Conflict(NamedTuple):
    """A fob that the file gives to somebody else than an addition does: the file's word counts. Or than the one from
    whom it was taken away: then it counts for nobody.
    """

    addition: Addition
    owner: User

    def __str__(self) -> str:
        """Say it, and what to do."""
        if not self.addition.given:
            return phrase(
                "users.json gives the fob ending in {end} to {name}, for whom it opens nothing: at the server it was "
                "taken away from account {account}; if {name} has it by now, give it to them at the server too",
                end=repr(self.addition.value[-4:]),
                name=self.owner.full_name,
                account=self.addition.account_id,
            )
        return phrase(
            "users.json gives the fob ending in {end} to {name}, to whom it opens the machines; at the server it was "
            "given to account {account}: take it away from one of them",
            end=repr(self.addition.value[-4:]),
            name=self.owner.full_name,
            account=self.addition.account_id,
        )


class Closed(NamedTuple):
    """A change that can't be read: what was taken away by it must not be given back."""

    addition: Addition

    def __str__(self) -> str:
        """Say it, and what to do."""
        return phrase(
            "a change of account {account} can't be read (row {number} of the table addition): nobody gets in with "
            "this account. Restore a backup; or stop the server, delete that row, and make anew the changes of this "
            "account that the journal tells of",
            account=self.addition.account_id,
            number=self.addition.id,
        )


@dataclass(frozen=True, slots=True)
class People:
    """``file`` is the users file, ``directory`` what counts; of the additions in force ``by_account`` has all, and
    ``fobs`` the one for each fob. Build it with :meth:`of`.
    """

    file: Directory
    directory: Directory
    by_account: Mapping[str, tuple[Addition, ...]]
    fobs: Mapping[str, Addition]

    @classmethod
    def of(cls, file: Directory, additions: Iterable[Addition] = ()) -> People:
        """Put additions that are in force, in their order, over the file."""
        return cls(file, file, {}, {}).changed(additions)

    def changed(self, new: Iterable[Addition] = (), ended: Iterable[Addition] = ()) -> People:
        """Return the same with new additions in force, and without others."""
        by_account, fobs = dict(self.by_account), dict(self.fobs)
        affected: dict[str, None] = {}

        def touch(addition: Addition) -> None:
            affected[addition.account_id] = None
            if addition.kind is Kind.FOB and (owner := self.file.by_fob.get(addition.value)):
                affected[owner.account_id] = None

        for addition in ended:
            touch(addition)
            left = tuple(one for one in by_account.get(addition.account_id, ()) if one.id != addition.id)
            by_account[addition.account_id] = left
            if not left:
                del by_account[addition.account_id]
            if addition.kind is Kind.FOB and fobs[addition.value].id == addition.id:
                del fobs[addition.value]
        for addition in new:
            touch(addition)
            # One that is put in force again, with another author, is where it was: the last one counts.
            ones = (*by_account.get(addition.account_id, ()), addition)
            by_account[addition.account_id] = tuple(sorted(ones, key=lambda one: one.id))
            if addition.kind is Kind.FOB:
                fobs[addition.value] = addition
        found = {account: _user(account, self.file, by_account.get(account, ()), fobs) for account in affected}
        return People(self.file, _with(self.directory, found), by_account, fobs)

    def additions(self) -> list[Addition]:
        """Return all that are in force, in their order."""
        return sorted((one for ones in self.by_account.values() for one in ones), key=lambda one: one.id)

    def of_user(self, account_id: str, kind: Kind, value: str = "") -> list[Addition]:
        """Return a user's additions of a kind, about a fob or an authorization."""
        found = self.by_account.get(account_id, ())
        return [one for one in found if one.kind is kind and (not value or one.value == value)]

    def conflicts(self) -> list[Conflict]:
        """Return the fobs that the file gives to somebody else than an addition does, or takes them from."""
        owners = ((one, self.file.by_fob.get(one.value)) for one in self.fobs.values())
        return [Conflict(one, owner) for one, owner in owners if owner and owner.account_id != one.account_id]

    def unreadable(self) -> list[Closed]:
        """Return the changes that can't be read."""
        return [Closed(one) for one in self.additions() if one.kind is Kind.UNREADABLE]


def _user(
    account_id: str, file: Directory, additions: tuple[Addition, ...], fobs: Mapping[str, Addition]
) -> User | None:
    """Return a user as they are with their additions; ``None``: there is nobody (any more) to add anything to."""
    base = file.by_account.get(account_id)
    if base is None:
        added = next((one.user for one in additions if one.user), None)
        if added is None:
            return None
        base = added.user(account_id)
    if any(one.kind is Kind.UNREADABLE for one in additions):
        return replace(base, fob_codes=(), authorizations=frozenset(), limits=())
    kept = [code for code in base.fob_codes if code not in fobs or fobs[code].given]
    of_fobs = [one for one in additions if one.kind is Kind.FOB]
    more = [one.value for one in of_fobs if one.given and fobs[one.value] is one and one.value not in file.by_fob]
    held, limits = authorizations(base.authorizations, (one for one in additions if one.kind is Kind.AUTHORIZATION))
    return replace(base, fob_codes=(*kept, *more), authorizations=held, limits=limits)


def _with(directory: Directory, changed: Mapping[str, User | None]) -> Directory:
    """Return the directory with these users as they are now."""
    by_fob, by_account = dict(directory.by_fob), dict(directory.by_account)
    for account, user in changed.items():
        before = by_account.pop(account, None) if user is None else by_account.get(account)
        for code in before.fob_codes if before else ():
            by_fob.pop(code, None)
        if user is not None:
            by_account[account] = user
    for user in filter(None, changed.values()):
        by_fob.update(dict.fromkeys(user.fob_codes, user))
    return Directory(tuple(by_account.values()), by_fob, directory.enforce_expiration, by_account)


class Found(NamedTuple):
    """Somebody who was ``before`` under another account id, or was added at the server, and is ``now`` in the file."""

    before: User
    now: User
    added: Addition | None = None

    def has_same_address(self) -> bool:
        """Whether their e-mail address is as it was."""
        return self.before.email.casefold() == self.now.email.casefold()

    def __str__(self) -> str:
        """Say it."""
        if self.added:
            return (
                f"{self.now.full_name}, who was added at the server, is in users.json now: "
                "what was added counts on for them."
            )
        return (
            f"{self.now.full_name} has the account id {self.now.account_id} in users.json now, not "
            f"{self.before.account_id}: what was changed at the server counts on for them."
        )


class Doubt(NamedTuple):
    """Somebody from whom something was withdrawn or taken away, and who is ``gone`` from the file; ``now`` has a fob or
    the address of theirs, and may be the same.
    """

    gone: User
    now: User

    def __str__(self) -> str:
        """Say it, and what to do."""
        gone, now = self.gone, self.now
        return (
            f"{gone.full_name} ({gone.account_id}), from whom something was withdrawn or taken away at the server, is "
            f"no longer in users.json, and {now.full_name} ({now.account_id}) has a fob or the e-mail address of "
            "theirs: if that is the same person, withdraw it again."
        )


class Settled(NamedTuple):
    """What becomes of additions under a newly read file: who counts, which of them are over, which users have turned up
    in the file, and of whom that is not certain.
    """

    people: People
    ended: tuple[Addition, ...]
    found: tuple[Found, ...]
    doubts: tuple[Doubt, ...] = ()


def settle(file: Directory, additions: Iterable[Addition], before: Directory | None = None) -> Settled:
    """Put the additions in force over a file that was newly read, after the one ``before``. What the file says itself
    by now is over; an added user whom it has becomes that one, as does one whose account id it has changed.

    None ends because its last day has passed: the clock may be wrong, and if it is right such a one has no effect.
    """
    in_force = list(additions)
    doubts: list[Doubt] = []
    found = (*_found(file, in_force), *(_renumbered(file, in_force, before, doubts) if before else ()))
    accounts = {one.before.account_id: one.now.account_id for one in found}
    moved = [
        replace(one, account_id=accounts[one.account_id]) if one.account_id in accounts else one for one in in_force
    ]
    withdrawn = {(one.account_id, one.value) for one in moved if not one.given and one.until is None}
    over = {one.added.id for one in found if one.added} | {one.id for one in moved if _is_over(one, file, withdrawn)}
    people = People.of(file, [one for one in moved if one.id not in over])
    return Settled(people, tuple(replace(one, counts=False) for one in moved if one.id in over), found, tuple(doubts))


def _by_email(file: Directory) -> dict[str, User | None]:
    """Return who has an e-mail address; ``None``: nobody, or several."""
    by_email: dict[str, User | None] = {}
    for user in file.users:
        email = user.email.casefold()
        by_email[email] = None if email in by_email or not email else user
    return by_email


def _found(file: Directory, additions: list[Addition]) -> Iterator[Found]:
    """Find added users in the file: by account, by a fob, or by an e-mail address that only one user there has."""
    if not any(one.user for one in additions):
        return
    by_email = _by_email(file)
    fobs: dict[str, User] = {}
    for one in additions:
        if one.kind is Kind.FOB and one.given and one.value in file.by_fob:
            fobs.setdefault(one.account_id, file.by_fob[one.value])
    for one in additions:
        if one.user:
            account, email = one.account_id, one.user.email.casefold()
            if now := file.by_account.get(account) or fobs.get(account) or by_email.get(email):
                yield Found(one.user.user(account), now, one)


def _renumbered(file: Directory, additions: list[Addition], before: Directory, doubts: list[Doubt]) -> Iterator[Found]:
    """Find users who have additions, and whose account the file no longer has, under a new one: by an e-mail address
    that nobody else has, or by a fob together with the name. A fob alone may be somebody else's by now: where something
    was withdrawn, that is left to people (``doubts``).
    """
    accounts = {one.account_id for one in additions} - file.by_account.keys()
    gone = [user for account in sorted(accounts) if (user := before.by_account.get(account))]
    if not gone:
        return
    by_email, by_former_email = _by_email(file), _by_email(before)
    for user in gone:
        email, name = user.email.casefold(), fold_name(user.full_name)
        addressee = by_email.get(email)
        near = {one.account_id: one for code in user.fob_codes if (one := file.by_fob.get(code))}
        same = {account: one for account, one in near.items() if fold_name(one.full_name) == name}
        if addressee:
            near[addressee.account_id] = addressee
            if by_former_email.get(email):
                same[addressee.account_id] = addressee
        same = {account: one for account, one in same.items() if account not in before.by_account}
        if len(same) == 1:
            yield Found(user, next(iter(same.values())))
        elif near and any(one.account_id == user.account_id and not one.given for one in additions):
            doubts.append(Doubt(user, next(iter(near.values()))))


def _is_over(addition: Addition, file: Directory, withdrawn: Set[tuple[str, str]]) -> bool:
    """Whether the file has come to say the same; but one that lies over a withdrawal stays."""
    user = file.by_account.get(addition.account_id)
    if user is None or not addition.given:
        return False
    if addition.kind is Kind.FOB:
        return addition.value in user.fob_codes
    return addition.value in user.authorizations and (addition.account_id, addition.value) not in withdrawn
