"""The configuration that all servers of a cell use: each reload stores the next one."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from mac_actors.cluster.rows import Rows
from mac_actors.errors import StorageError
from mac_actors.storage.codec import timestamp

_NEWEST = "SELECT id, machines, users FROM revision WHERE id > 0 ORDER BY id DESC LIMIT 1"
# One that a server proposes, and the owner has yet to take, has a number below 0.
_PROPOSE = """
INSERT INTO revision (id, at, machines, users)
SELECT coalesce((SELECT min(id) FROM revision WHERE id < 0), 0) - 1, $1, $2, $3 RETURNING id
"""
_ACCEPT = "DELETE FROM revision WHERE id = $1::bigint RETURNING machines, users"
_ADD = """
INSERT INTO revision (id, at, machines, users)
SELECT greatest((SELECT max(id) FROM revision), 0) + 1, $1, $2, $3 FROM part WHERE part = 1 AND incarnation = $4
RETURNING id
"""
KEPT = 100
"""So many are kept."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Both files, as JSON."""

    number: int
    machines: str
    users: str


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
            number, machines, users = rows[0]
            self.known = Revision(int(number), machines, users)
        return self.known

    def add(self, revision: Revision, incarnation: str) -> int:
        """Add one, as the owner; returns its number."""
        rows = self._ask(_ADD, timestamp(datetime.now(UTC)), revision.machines, revision.users, incarnation)
        if not rows:
            raise StorageError("another server owns the machines by now: nothing was stored; reload there")
        number = int(rows[0][0])
        self.known = Revision(number, revision.machines, revision.users)
        self._ask("DELETE FROM revision WHERE id BETWEEN 1 AND $1::bigint", number - KEPT)
        return number

    def propose(self, revision: Revision) -> int:
        """Leave one for the owner, which is told the number: files are too long for a request."""
        return int(self._ask(_PROPOSE, timestamp(datetime.now(UTC)), revision.machines, revision.users)[0][0])

    def accept(self, number: int) -> Revision:
        """Take one that a server has left, as the owner."""
        rows = self._ask(_ACCEPT, number)
        if not rows:
            raise StorageError("the files of the other server are not in the database: reload once more")
        return Revision(number, *rows[0])

    def _ask(self, statement: str, *values: object) -> list[tuple[str, ...]]:
        with closing(Rows(self._url, 5.0, "mac-actors configuration")) as rows:
            return rows.ask("read or store the configuration", statement, *values)
