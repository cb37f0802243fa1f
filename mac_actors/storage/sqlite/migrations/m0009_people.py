"""Additions to the users file, personal logins of admins, and sessions of the board."""

from __future__ import annotations

from sqlalchemy import Connection

STATEMENTS = (
    """CREATE TABLE addition (
        id INTEGER NOT NULL PRIMARY KEY,
        account_id TEXT NOT NULL,
        counts INTEGER NOT NULL,
        data TEXT NOT NULL
    )""",
    """CREATE TABLE admin (
        name TEXT NOT NULL PRIMARY KEY,
        token TEXT NOT NULL,
        at TEXT NOT NULL,
        by TEXT
    )""",
    """CREATE TABLE board_session (
        id TEXT NOT NULL PRIMARY KEY,
        "key" TEXT NOT NULL,
        role TEXT NOT NULL,
        name TEXT,
        account_id TEXT,
        at TEXT NOT NULL,
        used_at TEXT NOT NULL
    )""",
)


def upgrade(connection: Connection) -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
