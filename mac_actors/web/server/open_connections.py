"""The connections that are open, and what each client's address holds of the memory that there is for all."""

from __future__ import annotations

import resource
from collections import OrderedDict
from collections.abc import Iterator

from mac_actors.web.server.budget import Budget
from mac_actors.web.server.connection import Connection
from mac_actors.web.server.fair_queue import FairQueue

MAX_CONNECTIONS = 4096
"""Open connections, of all clients; fewer where the system allows few open files."""

SPARE_FILES = 100
"""Open files that are left for everything else."""

MAX_BYTES = 64 * 1024 * 1024
"""Memory for what waits to be read or sent, of all clients. One address may have half of it."""


class OpenConnections:
    """Knows in the same time, however many there are, which connection to close where there is too much.

    That is one of the address that holds most: the one that has been left alone longest, or else the last one that
    waits for a thread, in one of the ``queues``.
    """

    def __init__(self, *queues: FairQueue[Connection]) -> None:
        self._queues = queues
        self._by_owner: dict[str, OrderedDict[Connection, None]] = {}
        self._budget = Budget()
        self.count = 0
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        files = MAX_CONNECTIONS + SPARE_FILES if files == resource.RLIM_INFINITY else files
        self.most = min(MAX_CONNECTIONS, max(16, files - SPARE_FILES))

    def __iter__(self) -> Iterator[Connection]:
        for conns in self._by_owner.values():
            yield from conns

    @property
    def held(self) -> int:
        """Bytes of memory that all clients together are charged for."""
        return self._budget.total

    def add(self, conn: Connection) -> None:
        """Take a new connection in."""
        self._by_owner.setdefault(conn.owner, OrderedDict())[conn] = None
        self.count += 1

    def move(self, conn: Connection, owner: str) -> None:
        """Charge another address than before for a connection."""
        if owner != conn.owner and conn in self._by_owner.get(conn.owner, ()):
            self.remove(conn)
            conn.owner = owner
            self.add(conn)
            self.recount(conn)

    def touch(self, conn: Connection) -> None:
        """Note that something happens on a connection."""
        self._by_owner[conn.owner].move_to_end(conn)

    def recount(self, conn: Connection) -> None:
        """Charge a connection's address for what it holds now."""
        held = conn.held
        if held != conn.counted:
            self._budget.change(conn.owner, held - conn.counted)
            conn.counted = held

    def remove(self, conn: Connection) -> None:
        """Forget a connection that is closed."""
        conns = self._by_owner.get(conn.owner)
        if conns is None or conn not in conns:
            return
        del conns[conn]
        if not conns:
            del self._by_owner[conn.owner]
        self.count -= 1
        self._budget.change(conn.owner, -conn.counted)
        conn.counted = 0

    def over_budget(self, owner: str) -> Connection | None:
        """Return the connection to close because this address, or all together, hold too much; ``None``: it fits."""
        if self._budget.held(owner) > MAX_BYTES // 2:
            return self._victim(owner)
        if self._budget.total > MAX_BYTES or self.count > self.most:
            return self.greediest()
        return None

    def greediest(self) -> Connection | None:
        """Return the connection to close where something has run out."""
        owner = self._budget.greediest()
        return None if owner is None else self._victim(owner)

    def _victim(self, owner: str) -> Connection | None:
        conns = self._by_owner[owner]
        if not next(iter(conns)).busy:
            return next(iter(conns))
        waiting = next((last for queue in self._queues if (last := queue.withdraw(owner))), None)
        # Else the threads have those that are busy, which are few.
        return waiting or next((conn for conn in conns if not conn.busy), None)
