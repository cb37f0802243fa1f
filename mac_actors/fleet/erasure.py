"""``forget``: one person's name and fobs are removed from the whole journal, at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mac_actors.actors.journal import Journal
from mac_actors.core.config import Directory, User, fold_name, normalize_fob
from mac_actors.core.notices import account, member
from mac_actors.core.people.additions import Addition, Kind
from mac_actors.core.redaction import Redaction
from mac_actors.errors import UnknownPerson
from mac_actors.fleet.people.users import Users
from mac_actors.storage import redaction, slack_users
from mac_actors.storage.outbox import addressed_to
from mac_actors.storage.records import Record
from mac_actors.storage.redaction import BATCH

WRITE_SECONDS = 30.0
"""How long a batch may take to be on disk."""

PAUSE_SECONDS = 0.02
"""Between two batches, so that what readers cause is never far behind in the queue."""

LOG_SECONDS = 10.0
"""How long to try to empty the write-ahead log, where copies are, while others read the database."""

_one = threading.Lock()


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be meant: ``account_id`` is ``None`` for one who has only given commands."""

    account_id: str | None
    full_name: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done: who it was, how many lines were changed, which were left, how many notices were changed or
    dropped.

    ``emptied``: no copy is left in the write-ahead log. ``configured``: they are still in the users file.
    """

    who: Candidate
    events: int
    current: tuple[int, ...]
    notices: int
    emptied: bool
    configured: bool


def find(person: str, directory: Directory, journal: Journal) -> Candidate:
    """Return who this is: by account id, e-mail address or full name (without regard to case).

    Raises :class:`UnknownPerson`, with those who may be meant.
    """
    store = journal.store
    known = {**redaction.accounts(store), **{user.account_id: user.full_name for user in directory.users}}
    person = person.strip()
    if person in known:
        return Candidate(person, known[person])
    folded = fold_name(person)
    mails = {user.account_id for user in directory.users if user.email and user.email.casefold() == folded}
    found = sorted(mails | {account for account, name in known.items() if name.casefold() == folded})
    if len(found) == 1:
        return Candidate(found[0], known[found[0]])
    if found:
        raise UnknownPerson(person, [f"{account} ({known[account]})" for account in found], several=True)
    if folded and redaction.commands_by(store, folded):
        return Candidate(None, person)
    from rapidfuzz import fuzz, process  # as in names.py

    near = process.extract(folded, {a: n.casefold() for a, n in known.items()}, scorer=fuzz.WRatio, score_cutoff=75)
    raise UnknownPerson(person, [f"{account} ({known[account]})" for _name, _score, account in near[:5]])


def carry_out(who: Candidate, directory: Directory, journal: Journal, users: Users | None = None) -> Forgotten:
    """Forget this person. Interrupted at any moment, it is begun again and does the rest.

    Raises :class:`~mac_actors.errors.StorageError` when the disk does not take it; what was done until then is done.
    """
    with _one:
        store = journal.store
        journal.write(Record(), WRITE_SECONDS)  # what waits may be about them too
        user = next((one for one in directory.users if one.account_id == who.account_id), None)
        lines = list(redaction.lines_of(store, who.account_id)) if who.account_id else []
        additions = store.load_additions(who.account_id) if who.account_id else []
        person = _redaction(who, user, lines, additions)
        ids = {number for number, _, _ in lines}
        ids |= {*redaction.commands_of(store, person), *redaction.unknown_fobs_of(store, person)}
        events = 0
        current: list[int] = []
        numbers = sorted(ids)
        for at in range(0, len(numbers), BATCH):
            batch = redaction.again(store, numbers[at : at + BATCH], person)
            journal.write(Record(rewrites=batch.rewrites), WRITE_SECONDS)
            events += len(batch.rewrites)
            current += batch.left
            time.sleep(PAUSE_SECONDS)
        if users is not None:
            users.forget(person)
        notices = store.notices_with(person.out_of)
        linked = slack_users.slack_ids_of(store, who.account_id) if who.account_id else ()
        own = [*map(member, linked), *([account(who.account_id)] if who.account_id else [])]
        direct = addressed_to(store, own)
        record = Record(reworded=notices, sent=direct, unlinked=linked, scrub=True)
        journal.write(record, WRITE_SECONDS)
        emptied = _empty_log(journal)
        store.remove_leftovers()
        file = users.people.file if users else directory
        return Forgotten(
            who,
            events,
            tuple(current),
            len({*(number for number, _ in notices), *direct}),
            emptied,
            who.account_id in file.by_account,
        )


def _redaction(
    who: Candidate, user: User | None, lines: Sequence[tuple[int, str, str]], additions: Sequence[Addition]
) -> Redaction:
    names = {who.full_name, *(name for _, name, _ in lines)}
    fobs = {normalize_fob(fob) for _, _, fob in lines}
    if user is not None:
        names |= {user.full_name, user.email}
        fobs |= set(user.fob_codes)
    for addition in additions:
        if addition.user:
            names |= {addition.user.full_name, addition.user.email}
        if addition.kind is Kind.FOB:
            fobs.add(addition.value)
    accounts = frozenset({who.account_id} if who.account_id else ())
    return Redaction(accounts, frozenset(names - {""}), frozenset(filter(None, fobs)))


def _empty_log(journal: Journal) -> bool:
    until = time.monotonic() + LOG_SECONDS
    while not journal.store.empty_log():
        if time.monotonic() > until:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
