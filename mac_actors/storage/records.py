"""What goes to the database and what comes back: plain values, without any SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from mac_actors.core.notices import Notice, ThreadKey
from mac_actors.core.outcomes import Outcome
from mac_actors.core.signing import Key, ReaderKeys, read_secret
from mac_actors.core.state import MachineState
from mac_actors.core.text import one_line
from mac_actors.storage import codec


class Thread(NamedTuple):
    """A post that tells of an oops or a lock. It is ``unsettled`` until it says how that ended, if it is to."""

    key: ThreadKey
    channel: str
    post: str
    unsettled: bool
    root: str | None = None
    """The post whose thread it is in itself."""

    @property
    def begins(self) -> str:
        """The post that replies are to: Slack has no threads within threads."""
        return self.root or self.post


class SlackLink(NamedTuple):
    """Which account a Slack user is; the empty one: nobody's, whatever their e-mail address may be."""

    id: str
    account_id: str
    how: str
    """Whether by ``e-mail`` or by an ``admin``."""
    at: datetime
    switched_off: tuple[str, ...] = ()
    """The direct messages that they don't want."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one decision wants on disk, already encoded: all of it is written, or none.

    ``state`` is a row of machine_state; ``rows`` are journal rows, each with the notices that go with
    it; ``notices`` belong to no outcome; ``sent`` are ids of outbox rows that the chat has taken, and
    ``threads`` where it put those that begin one. ``seen`` is the chat event that
    asked for all this, with its time. ``links`` are Slack users and their accounts; before, those with the
    ids in ``unlinked`` are forgotten. ``wait`` and ``told`` are Slack users who from now on, or no longer, wait for a
    machine to be free: machine, id, since when.

    Where names are removed: ``rewrites`` are lines of the journal as they are to be (id, account id, data),
    ``reworded`` texts of the outbox by id, ``notes`` what tasks write down (name, value). ``scrub`` has the small
    tables written anew, because copies of what was in them may be left in the unused parts of their pages.

    ``keys`` are rows of reader_key, ``None`` for one that is to go; they are in no log.
    ``put`` are whole rows of tables by name, in the place of those with their key; ``drop`` the keys of rows that go.
    ``moved`` are accounts whose additions, sessions of the board and Slack users are another one's from now on.
    """

    state: tuple[str, str] | None = None
    rows: tuple[tuple[dict[str, Any], tuple[Notice, ...]], ...] = ()
    notices: tuple[tuple[datetime, Notice], ...] = ()
    sent: tuple[int, ...] = ()
    threads: tuple[Thread, ...] = ()
    seen: tuple[str, datetime] | None = None
    links: tuple[SlackLink, ...] = ()
    unlinked: tuple[str, ...] = ()
    wait: tuple[tuple[str, str, datetime], ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    rewrites: tuple[tuple[int, str | None, str], ...] = ()
    reworded: tuple[tuple[int, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    scrub: bool = False
    keys: tuple[tuple[str, dict[str, str | None] | None], ...] = field(default=(), repr=False)
    put: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=(), repr=False)
    drop: tuple[tuple[str, str | int], ...] = ()
    moved: tuple[tuple[str, str], ...] = ()

    def posts(self) -> Iterator[Notice]:
        """Iterate over all notices in it."""
        for _, notices in self.rows:
            yield from notices
        for _, notice in self.notices:
            yield notice


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A machine's row that can't be understood; ``why`` is for the log and for the lock's reason."""

    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    id: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of the journal, newest first; ``next`` is the cursor of the following page, if there is one."""

    entries: tuple[Entry, ...]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Notice):
    """A notice that waits for the chat."""

    id: int
    at: datetime


def read_waiting(row: Any) -> Waiting:
    """Decode a row of the outbox."""
    return Waiting(
        row.channel,
        row.text,
        ThreadKey.parse(row.opens or ""),
        _thread_keys(row.closes),
        _thread_keys(row.within),
        ThreadKey.parse(row.asks or ""),
        None if row.due is None else datetime.fromisoformat(row.due),
        id=row.id,
        at=datetime.fromisoformat(row.at),
    )


def _thread_keys(written: str | None) -> tuple[ThreadKey, ...]:
    return tuple(key for line in (written or "").splitlines() if (key := ThreadKey.parse(line)))


@dataclass(frozen=True, slots=True)
class Due:
    """An event that waits for a webhook: its place in the outbox, its line of the journal (``None``: unreadable)."""

    id: int
    at: datetime
    machine: str
    entry: Entry | None


def read_state(text: str) -> MachineState | Unreadable:
    """Decode a state."""
    try:
        return codec.load_state(text)
    except ValueError as error:
        return Unreadable(one_line(error)[:200])


def record_state(name: str, state: MachineState) -> tuple[str, str]:
    """Encode a state for :attr:`Record.state`."""
    return name, codec.dump_state(state)


def record_keys(machine: str, keys: ReaderKeys | None) -> tuple[str, dict[str, str | None] | None]:
    """Encode the keys of a machine's reader for :attr:`Record.keys`; ``None``: it has none any more."""
    if keys is None:
        return machine, None
    used, new = keys.key.used_since, keys.new
    return machine, {
        "key": keys.key.secret.hex(),
        "since": codec.timestamp(keys.key.since),
        "used_since": codec.timestamp(used) if used else None,
        "new_key": new.secret.hex() if new else None,
        "new_since": codec.timestamp(new.since) if new else None,
    }


def read_keys(row: Any) -> ReaderKeys | Unreadable:
    """Decode a row of reader_key."""
    try:
        used = row.used_since and datetime.fromisoformat(row.used_since)
        key = Key(read_secret(row.key), datetime.fromisoformat(row.since), used)
        new = row.new_key and Key(read_secret(row.new_key), datetime.fromisoformat(row.new_since))
        return ReaderKeys(key, new)
    except (ValueError, TypeError) as error:
        return Unreadable(one_line(error)[:200])
