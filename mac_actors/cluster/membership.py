"""Which servers a cell has: each says every second, by a row of its own, that it is there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from mac_actors.cluster.rows import NodeRow, Rows
from mac_actors.errors import DirectoryInUse, StorageError
from mac_actors.version import VERSION

log = logging.getLogger(__name__)

SEEN_SECONDS: Final = 1.0
"""How often a node says that it is there, and looks for new configuration."""

FORGOTTEN_DAYS: Final = 7
"""A node that was not heard of for so long no longer counts as one of the cell."""


class Membership:
    """One server's part in it; ``url`` is its address, ``None``: it is the only one, and says nothing.

    ``each_second(revision)`` is called about once a second with the number of the newest configuration, in :meth:`run`.
    """

    def __init__(self, database: str, url: str | None, incarnation: str, each_second: Callable[[int], None]) -> None:
        self.url = url
        self.incarnation = incarnation
        self.revision = 0
        """The configuration that is in use here."""
        self.skew = 0.0
        """Seconds by which this computer's clock is ahead of the database's."""
        self.claimed = False
        """Whether another server runs with this one's address."""
        self._others: tuple[NodeRow, ...] = ()  # as they could be read last; who was heard of last is the first
        self._before = ""  # who had the row before: a database that crashed may not know yet that it is this one's
        self._each_second = each_second
        self._rows = Rows(database, 5.0, "mac-actors node")

    @property
    def others(self) -> tuple[str, ...]:
        """The addresses of the other servers, as they could be read last."""
        return tuple(one.url for one in self._others)

    def used_elsewhere(self, revision: int) -> bool:
        """Whether another server lives that uses this configuration, or a newer one."""
        return any(one.revision >= revision and one.ago < 3 * SEEN_SECONDS for one in self._others)

    def claim(self) -> None:
        """Make sure that no other server has this address. Raises :class:`DirectoryInUse`, :class:`StorageError`."""
        if not self._is_free():
            raise in_use(f"another server runs with the address {self.url}", "give each its own MAC_NODE_URL")
        if not self._join():
            raise in_use(f"another server has just begun with the address {self.url}", "give each its own MAC_NODE_URL")

    def run(self, stopping: threading.Event) -> None:
        """Say that this server is there, until it stops."""
        turn = 0
        while not stopping.wait(SEEN_SECONDS if turn else 0):
            try:
                if self.url:
                    claimed, self.claimed = self.claimed, not self._join()
                    if self.claimed and claimed:
                        self._is_free()  # a database that has lost its last seconds may show a row of long ago
                    elif self.claimed:
                        log.critical("another server runs with this one's address %s: set MAC_NODE_URL", self.url)
                    if turn % 3600 == 0:
                        self._rows.forget(FORGOTTEN_DAYS)
                    self._nodes()
                self._each_second(self._rows.look().revision)
            except StorageError as error:
                log.debug("%s", error)  # the lease's thread says so
            except Exception:
                log.exception("the node's thread goes on after a mistake in it")
            turn += 1
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._rows.close()

    def _join(self) -> bool:
        row = NodeRow(self.url or "", VERSION, self.revision, 0.0, self.skew, self.incarnation)
        return self._rows.join(row, self._before)

    def _is_free(self) -> bool:
        """Whether no other server writes the row of this address; what is there may then be written over."""
        for one in self._nodes():
            if one.url == self.url:
                if one.ago < 3 * SEEN_SECONDS and self._moves(one):
                    return False
                self._before = one.incarnation
        return True

    def _nodes(self) -> list[NodeRow]:
        nodes = self._rows.nodes()
        self._others = tuple(one for one in sorted(nodes, key=lambda one: one.ago) if one.url != self.url)
        return nodes

    def _moves(self, row: NodeRow) -> bool:
        """Whether another process writes this row."""
        deadline = time.monotonic() + 2.5 * SEEN_SECONDS
        while time.monotonic() < deadline:
            time.sleep(SEEN_SECONDS / 5)
            for one in self._rows.nodes():
                if one.url == row.url and (one.ago < row.ago or one.incarnation != row.incarnation):
                    return True
                row = one if one.url == row.url else row
        return False


def in_use(who: str, what: str) -> DirectoryInUse:
    """Return the error of a server that is one too many."""
    return DirectoryInUse(f"{who}: {what}.", "unknown")
