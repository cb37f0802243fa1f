"""A database that is owned by something else than a server: a command, or a script's fleet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mac_actors.storage.store import Store

if TYPE_CHECKING:
    from mac_actors.cluster.node import Node


class LeasedStore(Store):
    """A store on PostgreSQL that holds the lease until it is closed."""

    node: Node

    def close(self) -> None:
        """Let the lease go, and close all connections."""
        self.node.release()
        self.node.stop()
        super().close()


def open_as_owner(place: Path | str | None, lease_seconds: float) -> Store:
    """Open a store (:meth:`Store.open`) that may be written to.

    Raises :class:`~mac_actors.errors.DirectoryInUse` when a server has it; with an address, that takes up to a lease.
    """
    if not isinstance(place, str):
        return Store.open(place)
    store = LeasedStore.open(place)
    from mac_actors.cluster.node import Node  # psycopg is installed, or opening would have failed
    from mac_actors.storage.postgres.migrations import newer

    store.node = Node(
        place,
        None,
        lease_seconds,
        take=lambda epoch, incarnation: None,
        drop=lambda: None,
        hand_over=lambda: None,
        unfit=lambda steps: newer(set(steps)),
    )
    try:
        store.node.claim()
        epoch = store.node.lease.epoch
        assert epoch is not None
        store.own(epoch, store.node.incarnation)
    except BaseException:
        Store.close(store)
        raise
    store.node.start()
    return store
