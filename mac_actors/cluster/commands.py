"""What the commands do with a cell: see how it is, and have its owner hand over. By the database alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mac_actors.cluster.lease import VALID
from mac_actors.cluster.rows import NodeRow, Rows
from mac_actors.errors import MacError

ALIVE_SECONDS = 5.0
"""A node that was not heard of for so long is shown as silent; each says every second that it is there."""

_BEAT = "SELECT extract(epoch FROM clock_timestamp() - at) FROM beat WHERE part = 1"
_REPLICATION = """
SELECT coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''),
  coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint
FROM pg_stat_replication WHERE state IS NOT NULL ORDER BY application_name
"""
_ASK = "UPDATE beat SET asked = epoch WHERE part = 1 AND epoch = $1::bigint AND NOT released"
_GONE = "UPDATE beat SET released = true, alone = false WHERE part = 1 AND epoch = $1::bigint AND beat = $2::bigint"


@dataclass(frozen=True, slots=True)
class Standby:
    """A standby of the database, as PostgreSQL shows it; ``behind``: bytes of its log."""

    name: str
    state: str
    sync: str
    behind: int


@dataclass(frozen=True, slots=True)
class CellStatus:
    """A cell as the database knows it. ``owner``: ``None`` where nobody owns the machines, "" for one without a URL."""

    owner: str | None
    epoch: int
    beat_ago: float
    lease_left: float
    revision: int
    nodes: tuple[NodeRow, ...]
    standbys: tuple[Standby, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "owner": self.owner,
            "epoch": self.epoch,
            "beat_seconds_ago": round(self.beat_ago, 3),
            "lease_seconds_left": round(self.lease_left, 3),
            "revision": self.revision,
            "nodes": [
                {
                    "url": one.url,
                    "owner": one.url == self.owner,
                    "version": one.version,
                    "revision": one.revision,
                    "seen_seconds_ago": round(one.ago, 3),
                    "alive": one.ago < ALIVE_SECONDS,
                    "skew_seconds": round(one.skew, 3),
                }
                for one in self.nodes
            ],
            "replication": [
                {"name": one.name, "state": one.state, "sync": one.sync, "bytes_behind": one.behind}
                for one in self.standbys
            ],
        }


def status(rows: Rows) -> CellStatus:
    """Ask the database. Raises :class:`~mac_actors.errors.StorageError`."""
    look = rows.look()
    ((ago,),) = rows.ask("read the lease", _BEAT)
    standbys = [Standby(n, state, sync, int(b)) for n, state, sync, b in rows.ask("read the replication", _REPLICATION)]
    left = max(0.0, VALID * look.seen.seconds - float(ago))
    nobody = look.seen.released or (not left and not look.seen.alone)
    return CellStatus(
        None if nobody else look.seen.owner,
        look.seen.epoch,
        float(ago),
        0.0 if nobody else left,
        look.revision,
        tuple(rows.nodes()),
        tuple(standbys),
    )


def release(rows: Rows) -> tuple[str, float]:
    """Have the owner hand over; returns who owns then, and after how many seconds. Raises :class:`MacError`."""
    before = rows.look().seen
    if not before.owner and not before.released:
        raise MacError("the server that owns the machines has no MAC_NODE_URL, so no other can take over: stop it")
    if not rows.ask("ask the owner to hand over", f"{_ASK} RETURNING epoch", before.epoch):
        raise MacError("nobody owns the machines: whoever can takes over by itself")
    begun = time.monotonic()
    while (now := rows.look().seen).epoch == before.epoch or now.released:
        if time.monotonic() - begun > 5 + 3 * before.seconds:
            what = "has released them, and nobody took over" if now.released else "does not hand them over"
            raise MacError(f"{before.owner or 'the owner'} {what}: mac-actors cluster status shows who is there")
        time.sleep(0.02)
    return now.owner, time.monotonic() - begun


def release_gone(rows: Rows) -> str:
    """Take the lease from an owner whose computer is off; returns who that was. Raises :class:`MacError`."""
    before = rows.look().seen
    until = time.monotonic() + before.seconds
    while time.monotonic() < until:
        if rows.look().seen != before:
            raise MacError(f"{before.owner or 'the owner'} lives: its lease goes on. Stop it, or leave out --gone")
        time.sleep(before.seconds / 10)
    if not rows.ask("release the lease", f"{_GONE} RETURNING epoch", before.epoch, before.beat):
        raise MacError("somebody has taken over meanwhile: mac-actors cluster status shows who")
    return before.owner
