"""The configuration that all servers of a cell use: each reload stores the next one."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mac_actors.cluster.rows import Rows
from mac_actors.errors import StorageError
from mac_actors.storage.codec import timestamp

log = logging.getLogger(__name__)

FILES = ("machines", "users", "slack", "webhooks")

_COLUMNS = ", ".join(FILES)
_NEWEST = f"SELECT id, {_COLUMNS} FROM revision WHERE id > 0 ORDER BY id DESC LIMIT 1"  # noqa: S608 - constant
# One that a server proposes, and the owner has yet to take, has a number below 0, by chance: two may propose at once.
_PROPOSE = f"INSERT INTO revision (id, at, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"  # noqa: S608 - constant
_WITHDRAW = "DELETE FROM revision WHERE id = $1::bigint AND id < 0"
_ACCEPT = f"{_WITHDRAW} RETURNING {_COLUMNS}"
# The row is locked: whoever takes over at this moment is waited for, or waits, and then reads this one.
_ADD = f"""
INSERT INTO revision (id, at, {_COLUMNS})
SELECT greatest((SELECT max(id) FROM revision), 0) + 1, $1, $2, $3, $4, $5 FROM part
WHERE part = 1 AND epoch = $6::bigint AND incarnation = $7 FOR SHARE
RETURNING id
"""  # noqa: S608 - constant
_FORGET = "DELETE FROM revision WHERE id BETWEEN 1 AND $1::bigint OR (id < 0 AND at < $2)"
_FORGET_SECRETS = "UPDATE revision SET webhooks = NULL WHERE id BETWEEN 1 AND $1::bigint AND webhooks IS NOT NULL"

KEPT = 100
"""So many are kept."""

PROPOSED = timedelta(hours=1)
"""How long one is kept that the owner was never told of."""


@dataclass(frozen=True, slots=True)
class Revision:
    """All files, as they were read, by what is in them: those of :data:`FILES` that there are."""

    number: int
    files: Mapping[str, Any]

    def differing(self, files: Mapping[str, Any]) -> list[str]:
        """Return which of these files are others."""
        return [name for name in FILES if self.files.get(name) != files.get(name)]


class Revisions:
    """Reads and adds them. Any call raises :class:`StorageError`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.known: Revision | None = None
        """The newest one that was read or added."""

    def newest(self) -> Revision | None:
        """Return the newest one; ``None``: there is none yet."""
        rows = self._ask(_NEWEST)
        if rows:
            number, *texts = rows[0]
            self.known = _read(int(number), texts)
        return self.known

    def add(self, files: Mapping[str, Any], epoch: int, incarnation: str) -> int:
        """Add one, as the owner of ``epoch``; returns its number."""
        now = datetime.now(UTC)
        rows = self._ask(_ADD, timestamp(now), *_texts(files), epoch, incarnation)
        if not rows:
            raise StorageError("another server owns the machines by now: nothing was stored; reload there")
        number = int(rows[0][0])
        self.known = Revision(number, files)
        self._ask(_FORGET, number - KEPT, timestamp(now - PROPOSED))
        self._ask(_FORGET_SECRETS, number - 1)
        return number

    def propose(self, files: Mapping[str, Any]) -> int:
        """Leave one for the owner, which is told the number: files are too long for a request."""
        number = -1 - secrets.randbelow(2**62)
        self._ask(_PROPOSE, number, timestamp(datetime.now(UTC)), *_texts(files))
        return number

    def withdraw(self, number: int) -> None:
        """Leave nothing of it; logs why it is left, until a reload an hour later, if the database is away."""
        try:
            self._ask(_WITHDRAW, number)
        except StorageError as error:
            log.warning("the files proposed for a reload stay in the database for now: %s", error)

    def accept(self, number: int) -> Revision:
        """Take one that a server has left, as the owner."""
        rows = self._ask(_ACCEPT, number)
        if not rows:
            raise StorageError("the files of the other server are not in the database: reload once more")
        return _read(number, rows[0])

    def _ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(Rows(self._url, 5.0, "mac-actors configuration")) as rows:
            return rows.ask("read or store the configuration", statement, *values)


def _texts(files: Mapping[str, Any]) -> list[str | None]:
    return [json.dumps(files[name], ensure_ascii=False) if name in files else None for name in FILES]


def _read(number: int, texts: Sequence[str | None]) -> Revision:
    return Revision(number, {name: json.loads(text) for name, text in zip(FILES, texts, strict=True) if text})
