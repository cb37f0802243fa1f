"""The lease and the nodes in PostgreSQL, each call one statement and one transaction.

By connections of its own: what holds up a commit (a synchronous standby that is away) must not hold up a beat. A call
that takes too long is given up by closing its connection; whether it was carried out is then not known, and nobody
relies on it. Nothing is ever cancelled: a cancelled commit would be there without being safe.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import generators
from psycopg.pq import ExecStatus

from mac_actors.cluster.lease import Beat, Seen
from mac_actors.core.text import one_line
from mac_actors.errors import StorageError
from mac_actors.storage.postgres.address import Address
from mac_actors.storage.postgres.limited import LimitedConnection

RELEASE_SECONDS = 5.0
"""How long a release is waited for: without it the next owner waits for the whole lease."""

# Another server than before, or the same one after a crash: beats that were answered may be lost.
_SERVER = (
    "(SELECT extract(epoch FROM pg_postmaster_start_time())::text || '/' || coalesce(stats_reset::text, '')"
    " FROM pg_stat_archiver)"
)

_LOOK = f"""
SELECT part.epoch, beat.beat, beat.released, beat.alone, part.owner, part.incarnation, {_SERVER}, beat.seconds,
  extract(epoch FROM clock_timestamp()), (SELECT greatest(max(id), 0) FROM revision),
  (SELECT string_agg(name, ' ') FROM migration)
FROM part JOIN beat USING (part) WHERE part.part = 1
"""  # noqa: S608 - constant

_TAKE = f"""
WITH still AS (
  UPDATE beat SET epoch = greatest($1::bigint, $8::bigint) + 1, beat = 0, released = false, alone = false, asked = 0,
    at = clock_timestamp(), seconds = $7::float8
  WHERE part = 1 AND epoch <= $1::bigint AND beat = $2::bigint AND released = $3::boolean AND {_SERVER} = $4
  RETURNING epoch
)
UPDATE part SET epoch = still.epoch, incarnation = $5, owner = $6, batch = 0
FROM still WHERE part.part = 1 AND part.epoch = $1::bigint RETURNING part.epoch
"""  # noqa: S608 - constant

# A command may own the database without beating (mac-actors copy): then the part alone has a new epoch. Where the
# database has lost an epoch, another server may have the same one by now.
# A beat need not survive the end of the database's computer: synchronous_commit is "off" for it.
_BEAT = """
WITH how AS MATERIALIZED (SELECT set_config('synchronous_commit', $1, true) AS value)
UPDATE beat SET beat = $3::bigint, alone = $4::boolean, at = clock_timestamp() FROM how
WHERE how.value IS NOT NULL AND part = 1 AND epoch = $2::bigint AND beat < $3::bigint AND NOT released
  AND (epoch, $6) = (SELECT epoch, incarnation FROM part WHERE part.part = 1)
RETURNING (SELECT count(*) FROM node WHERE url <> $5), extract(epoch FROM clock_timestamp()), asked = epoch
"""

# Nor need these: while a synchronous standby is away each that waits for it would keep a connection of the database,
# also when nobody here waits for it any more.
_RELAXED = "WITH how AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS value)"

_RELEASE = f"""{_RELAXED}
UPDATE beat SET released = true, alone = false, at = clock_timestamp() FROM how
WHERE how.value IS NOT NULL AND part = 1 AND epoch = $1::bigint
"""  # noqa: S608 - constant

_JOIN = f"""{_RELAXED}
INSERT INTO node (url, version, revision, seen, skew, incarnation)
SELECT $1, $2, $3::bigint, clock_timestamp(), $4::float8, $5 FROM how WHERE how.value IS NOT NULL
ON CONFLICT (url) DO UPDATE SET version = excluded.version, revision = excluded.revision, seen = excluded.seen,
  skew = excluded.skew, incarnation = excluded.incarnation
WHERE node.incarnation = excluded.incarnation OR node.incarnation = $6
RETURNING url
"""  # noqa: S608 - constant

_FORGET = f"""{_RELAXED}
DELETE FROM node USING how WHERE how.value IS NOT NULL AND seen < now() - make_interval(days => $1::int)
"""  # noqa: S608 - constant

_NODES = """
SELECT url, version, revision, extract(epoch FROM clock_timestamp() - seen), skew, incarnation FROM node ORDER BY url
"""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as the database knows it; ``ago``: seconds since it was last heard of."""

    url: str
    version: str
    revision: int
    ago: float
    skew: float
    incarnation: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a look shows: the lease, the database's clock (Unix time), the configuration's last revision, and the steps
    that have made its tables.
    """

    seen: Seen
    clock: float
    revision: int
    steps: frozenset[str]


@dataclass(frozen=True, slots=True)
class Beaten:
    """What a beat is answered with: how many other nodes there are, the database's clock (Unix time), and whether an
    admin has asked the owner to hand over.
    """

    others: int
    clock: float
    asked: bool


class Rows:
    """One connection to the database at ``url``; threads take turns. It is made when needed, and anew after a fault.

    Every call raises :class:`StorageError` where there is no answer in ``seconds``, or a refusal; the connection is
    closed then, and :attr:`connections` counts how many there were.
    """

    def __init__(self, url: str, seconds: float, name: str) -> None:
        self.url = url
        self._address = Address.parse(url)
        self._seconds = seconds
        self._name = name
        self._turn = threading.Lock()
        self._connection: LimitedConnection | None = None
        self.connections = 0

    def look(self) -> Look:
        """Return the lease as it is now."""
        rows = self._ask("look at the lease", _LOOK)
        if not rows:
            raise StorageError("cannot look at the lease: its row is missing. 'mac-actors migrate' makes it")
        epoch, beat, released, alone, owner, incarnation, server, seconds, clock, revision, steps = rows[0]
        seen = Seen(int(epoch), int(beat), released == "t", alone == "t", owner, incarnation, server, float(seconds))
        return Look(seen, float(clock), int(revision), frozenset(steps.split()))

    def take(
        self, seen: Seen, owner: str, incarnation: str, lease: float, above: int = 0, *, seconds: float = 30.0
    ) -> int | None:
        """Take the lease, of ``lease`` seconds, if all is as ``seen``; returns the new epoch, ``None``: something has
        changed since.

        The epoch is one ``above`` any that this node has had: a database may have lost those. Waits for a synchronous
        standby, ``seconds`` at the most.
        """
        values = (seen.epoch, seen.beat, seen.released, seen.server, incarnation, owner, lease, above)
        rows = self._ask("take the lease", _TAKE, *values, seconds=seconds)
        return int(rows[0][0]) if rows else None

    def beat(self, beat: Beat, owner: str, incarnation: str) -> Beaten | None:
        """Beat; ``None``: the lease is lost."""
        values = ("on" if beat.sure else "off", beat.epoch, beat.number, beat.alone, owner, incarnation)
        rows = self._ask("renew the lease", _BEAT, *values)
        if not rows:
            return None
        others, clock, asked = rows[0]
        return Beaten(int(others), float(clock), asked == "t")

    def release(self, epoch: int) -> None:
        """Let the lease go: anybody may take it at once."""
        self._ask("release the lease", _RELEASE, epoch, seconds=RELEASE_SECONDS)

    def join(self, row: NodeRow, before: str) -> bool:
        """Write a node's row; false: another process writes it, whose incarnation is neither its own nor ``before``."""
        values = (row.url, row.version, row.revision, row.skew, row.incarnation, before)
        return bool(self._ask("join the nodes", _JOIN, *values))

    def nodes(self) -> list[NodeRow]:
        """Return all nodes."""
        return [
            NodeRow(url, version, int(revision), float(ago), float(skew), incarnation)
            for url, version, revision, ago, skew, incarnation in self._ask("read the nodes", _NODES)
        ]

    def forget(self, days: int) -> None:
        """Remove nodes that were not heard of for so many days."""
        self._ask("forget old nodes", _FORGET, days)

    def ask(self, what: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Carry out any statement; returns rows of texts."""
        return self._ask(what, statement, *values)

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _ask(self, what: str, statement: str, *values: object, seconds: float | None = None) -> list[tuple[Any, ...]]:
        with self._turn:
            try:
                connection = self._connected()
                connection.seconds = seconds or self._seconds
                return _run(connection, statement, values)
            except (psycopg.Error, OSError) as error:
                self.close()
                raise StorageError(f"cannot {what}: {one_line(error)}") from error

    def _connected(self) -> LimitedConnection:
        if self._connection is None:
            mine = {
                "application_name": self._name,
                "connect_timeout": 2,  # the least that libpq takes
                "target_session_attrs": "read-write",
                "tcp_user_timeout": max(1, int(self._seconds * 1000)),
                **dict.fromkeys(("keepalives_idle", "keepalives_interval"), 1),
                "keepalives_count": 2,
            }
            self._connection = self._address.reach(**mine)
            self.connections += 1
        return self._connection


def _run(connection: LimitedConnection, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    """Carry out a statement by the protocol itself, texts in and out."""
    raw = connection.pgconn
    with connection.lock:
        raw.send_query_params(statement.encode(), [None if one is None else str(one).encode() for one in values])
        results = connection.wait(generators.execute(raw))
    for result in results:
        if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace") or "the connection is lost")
    (result,) = results
    text: Callable[[bytes | None], str | None] = lambda value: None if value is None else value.decode()  # noqa: E731
    return [
        tuple(text(result.get_value(row, column)) for column in range(result.nfields)) for row in range(result.ntuples)
    ]
