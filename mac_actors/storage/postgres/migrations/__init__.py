"""Numbered steps from an empty database to :mod:`mac_actors.storage.schema`; each runs once, in a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import psycopg

from mac_actors.errors import StorageError
from mac_actors.storage.database import said
from mac_actors.storage.postgres.migrations import m0001_initial

MIGRATIONS: Mapping[str, str] = {"0001_initial": m0001_initial.SQL}
"""All steps in their order. A step that was released is never changed: add another, which an older server can bear."""


def applied(connection: psycopg.Connection) -> set[str]:
    """Return the steps that the database has had."""
    if connection.execute("SELECT to_regclass('migration')").fetchone() == (None,):
        return set()
    return {str(name) for (name,) in connection.execute("SELECT name FROM migration")}


def newer(steps: set[str]) -> str | None:
    """Return why a database with these steps is not for this version to write; ``None``: it is."""
    if unknown := steps - MIGRATIONS.keys():
        return f"the database is that of a newer mac-actors (it has {', '.join(sorted(unknown))}): install that version"
    return None


def check(connection: psycopg.Connection) -> None:
    """Raise :class:`StorageError` for a database without tables, or with those of an older version."""
    there = applied(connection)
    if not there:
        raise StorageError("the database has no tables of mac-actors yet: run mac-actors migrate")
    if missing := MIGRATIONS.keys() - there:
        raise StorageError(
            f"the database is that of an older mac-actors ({', '.join(sorted(missing))} to do): run mac-actors migrate"
        )


def migrate(connection: psycopg.Connection) -> list[str]:
    """Run what has not run yet, and return its names.

    Raises :class:`StorageError` when the database has been used by a newer version, or may not be changed by this user.
    """
    done = []
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('mac-actors migrate'))")  # one at a time
            there = applied(connection)
            if why := newer(there):
                raise StorageError(why)
            for name, statements in MIGRATIONS.items():
                if name not in there:
                    connection.execute(statements.encode())
                    at = datetime.now(UTC).isoformat()
                    connection.execute("INSERT INTO migration VALUES (%s, %s)", (name, at))
                    done.append(name)
    except psycopg.Error as error:
        raise StorageError(
            f"cannot bring the database up to date: {said(error)}. Is its owner the user in MAC_DATABASE?"
        ) from error
    return done
