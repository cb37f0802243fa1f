"""Numbered steps from an empty database to :mod:`mac_actors.storage.schema`; each runs once, in a transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy import Engine, inspect, select

from mac_actors.errors import StorageError
from mac_actors.storage.schema import migration
from mac_actors.storage.sqlite.migrations import (
    m0001_initial,
    m0002_history,
    m0003_settled,
    m0004_incidents,
    m0005_slack_users,
    m0006_direct_messages,
    m0007_reader_keys,
    m0009_people,
)

log = logging.getLogger(__name__)

MIGRATIONS: Mapping[str, Callable[..., None]] = {
    "0001_initial": m0001_initial.upgrade,
    "0002_history": m0002_history.upgrade,
    "0003_settled": m0003_settled.upgrade,
    "0004_incidents": m0004_incidents.upgrade,
    "0005_slack_users": m0005_slack_users.upgrade,
    "0006_direct_messages": m0006_direct_messages.upgrade,
    "0007_reader_keys": m0007_reader_keys.upgrade,
    "0009_people": m0009_people.upgrade,
}
"""All steps in their order. A step that was released is never changed: add another."""


def migrate(engine: Engine) -> list[str]:
    """Run what has not run yet, and return its names.

    Raises :class:`StorageError` when the database has been used by a newer version of the server.
    """
    applied: set[str] = set()
    if inspect(engine).has_table("migration"):
        with engine.connect() as connection:
            applied = set(connection.scalars(select(migration.c.name)))
    unknown = applied - MIGRATIONS.keys()
    if unknown:
        raise StorageError(
            f"the database was written by a newer mac-actors (it has {', '.join(sorted(unknown))}): "
            "install that version, or restore a backup from before the upgrade"
        )
    pending = [name for name in MIGRATIONS if name not in applied]
    for name in pending:
        if applied:
            log.warning("the database is brought up to date (%s): a long journal takes a while, once", name)
        with engine.begin() as connection:
            MIGRATIONS[name](connection)
            connection.execute(migration.insert().values(name=name, applied_at=datetime.now(UTC).isoformat()))
    return pending
