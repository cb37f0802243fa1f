"""Who is logged in: personal tokens of admins, sessions of the board, and links by which one gets such a session.

Tokens and keys are 256 random bits, and kept as their SHA-256 alone.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from mac_actors.actors.journal import Journal
from mac_actors.actors.replies import Latch
from mac_actors.core.config import fold_name
from mac_actors.core.readable import Readable
from mac_actors.core.text import one_line
from mac_actors.errors import UserRefused
from mac_actors.storage.codec import timestamp
from mac_actors.storage.records import Record
from mac_actors.storage.schema import admin, board_session

UNUSED = timedelta(days=30)
"""A session that was not used for so long is over."""

NOTED = timedelta(hours=1)
"""So often it is written down that a session is used."""

MOST_SESSIONS = 1000
"""Beyond, the one that was not used for longest ends."""

LINK_SECONDS = 120.0
"""How long a link is good."""

MOST_LINKS = 1000
"""Beyond, the oldest link is good no more."""


class Role(StrEnum):
    """As whom somebody is logged in on the board."""

    TOKEN = "token"  # noqa: S105 - a word
    """An admin, by MAC_ADMIN_TOKEN: the name is what they say."""
    ADMIN = "admin"
    """An admin by name: by a personal token, or by a link."""
    TRAINER = "trainer"
    """A user, who is a trainer for as long as what they hold makes them one."""


@dataclass(frozen=True, slots=True, repr=False)
class PersonalLogin(Readable):
    """An admin's own token: ``token`` is its hash, ``by`` who made it."""

    name: str
    token: str = field(repr=False)
    at: datetime
    by: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Session(Readable):
    """A session of the board: ``key`` is the hash of what the browser's cookie holds."""

    id: str
    key: str = field(repr=False)
    role: Role
    name: str | None
    account_id: str | None
    at: datetime
    used_at: datetime


@dataclass(frozen=True, slots=True)
class _Link:
    role: Role
    name: str | None
    account_id: str | None
    until: float


class Logins:
    """All of them. Any thread may call; nothing waits for the disk but where it says so."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.monotonic) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._admins = {row["token"]: PersonalLogin(**_timed(row)) for row in journal.store.rows(admin)}
        rows = (_timed(row) for row in journal.store.rows(board_session))
        self._sessions = {row["key"]: Session(**row | {"role": Role(row["role"])}) for row in rows}
        self._links: dict[str, _Link] = {}

    # personal tokens

    @property
    def admins(self) -> list[PersonalLogin]:
        """All personal logins, by name."""
        return sorted(self._admins.values(), key=lambda login: fold_name(login.name))

    def add_admin(self, name: str, by: str | None) -> tuple[str, Latch]:
        """Make a personal login; returns its token, and what opens once it is on disk. Raises :class:`UserRefused`."""
        name, token = one_line(name), secrets.token_urlsafe(32)
        login = PersonalLogin(name, _hash(token), datetime.now(UTC), by)
        with self._lock:
            if self._named(name):
                raise UserRefused(f"{name} has a personal login already: revoke it first, then add a new one")
            self._admins = {**self._admins, login.token: login}
            return token, self._put("admin", login)

    def revoke_admin(self, name: str) -> Latch | None:
        """Have a personal login count no more, and end its sessions; ``None``: there is none of this name."""
        with self._lock:
            login = self._named(name)
            if login is None:
                return None
            self._admins = {token: one for token, one in self._admins.items() if one is not login}
            ended = [one for one in self._sessions.values() if one.role is Role.ADMIN and one.name == login.name]
            for session in ended:
                del self._sessions[session.key]
            drop = (("admin", login.name), *(("board_session", session.id) for session in ended))
            return self._journal.record(Record(drop=drop))

    def admin(self, token: str) -> str | None:
        """Return whose personal token this is."""
        login = self._admins.get(_hash(token))
        return login.name if login else None

    def _named(self, name: str) -> PersonalLogin | None:
        return next((one for one in self._admins.values() if fold_name(one.name) == fold_name(name)), None)

    # sessions of the board

    def open(self, role: Role, name: str | None, account_id: str | None = None) -> tuple[str, Session]:
        """Log somebody in; returns the key for the browser's cookie, which is kept nowhere, and the session."""
        key, now = secrets.token_urlsafe(32), datetime.now(UTC)
        session = Session(secrets.token_hex(4), _hash(key), role, name, account_id, now, now)
        with self._lock:
            self._sessions[session.key] = session
            over = sorted(self._sessions.values(), key=lambda one: one.used_at)[:-MOST_SESSIONS]
            for one in over:
                del self._sessions[one.key]
            if over:
                self._journal.record(Record(drop=tuple(("board_session", one.id) for one in over)))
            self._put("board_session", session)
        return key, session

    def find(self, key: str) -> Session | None:
        """Return the session whose key this is, if it is not over; it counts as used."""
        now = datetime.now(UTC)
        with self._lock:
            session = self._sessions.get(_hash(key))
            if session is None:
                return None
            if now - session.used_at > UNUSED:
                self._end(session)
                return None
            if now - session.used_at > NOTED:
                session = self._sessions[session.key] = replace(session, used_at=now)
                self._put("board_session", session)
            return session

    def sessions(self) -> list[Session]:
        """Return all sessions that are not over, the newest first."""
        now = datetime.now(UTC)
        with self._lock:
            running = [one for one in self._sessions.values() if now - one.used_at <= UNUSED]
        return sorted(running, key=lambda one: one.at, reverse=True)

    def end(self, session_id: str) -> Latch | None:
        """End a session; ``None``: there is none of this id."""
        with self._lock:
            session = next((one for one in self._sessions.values() if one.id == session_id), None)
            return self._end(session) if session else None

    def forget(self, account_id: str | None) -> None:
        """End the sessions of a user."""
        for session in self.sessions():
            if account_id and session.account_id == account_id:
                self.end(session.id)

    def move(self, accounts: Mapping[str, str]) -> None:
        """Have the sessions and links of accounts be other ones' from now on; the disk is told by whoever calls."""
        with self._lock:
            for key, session in self._sessions.items():
                self._sessions[key] = replace(session, account_id=_moved(session.account_id, accounts))
            for key, link in self._links.items():
                self._links[key] = replace(link, account_id=_moved(link.account_id, accounts))

    def _end(self, session: Session) -> Latch:
        del self._sessions[session.key]
        return self._journal.record(Record(drop=(("board_session", session.id),)))

    def _put(self, table: str, row: PersonalLogin | Session) -> Latch:
        values = {
            name: timestamp(value) if isinstance(value, datetime) else value for name, value in asdict(row).items()
        }
        return self._journal.record(Record(put=((table, values),)))

    # links

    def link(self, role: Role, name: str | None, account_id: str | None = None) -> str:
        """Return the path of a link by which somebody is logged in once, within two minutes. A restart ends it."""
        link = secrets.token_urlsafe(24)
        with self._lock:
            self._links[_hash(link)] = _Link(role, name, account_id, self._clock() + LINK_SECONDS)
            while len(self._links) > MOST_LINKS:
                del self._links[next(iter(self._links))]
        return f"/login/{link}"

    def follow(self, link: str) -> tuple[str, Session] | None:
        """Log in whom a link is for, as :meth:`open`; ``None``: it was used already, is too old, or is none."""
        with self._lock:
            found = self._links.pop(_hash(link), None)
        if found is None or found.until < self._clock():
            return None
        return self.open(found.role, found.name, found.account_id)


def _moved(account_id: str | None, accounts: Mapping[str, str]) -> str | None:
    return None if account_id is None else accounts.get(account_id, account_id)


def csrf_of(key: str) -> str:
    """Return the secret of the forms of a session's pages."""
    return _hash(f"csrf {key}")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its times as such."""
    return {
        name: datetime.fromisoformat(value) if name in {"at", "used_at"} and value else value
        for name, value in row.items()
    }
