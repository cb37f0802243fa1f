"""The first tables. Written out, so that a later change of the schema does not change this step."""

from __future__ import annotations

from sqlalchemy import Connection

STATEMENTS = (
    "CREATE TABLE migration (name TEXT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL)",
    "CREATE TABLE machine_state (name TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL)",
    """CREATE TABLE journal (
        id INTEGER NOT NULL PRIMARY KEY,
        at TEXT NOT NULL,
        machine TEXT NOT NULL,
        kind TEXT NOT NULL,
        account_id TEXT,
        seconds FLOAT,
        data TEXT NOT NULL
    )""",
    "CREATE INDEX journal_machine ON journal (machine, id)",
    "CREATE INDEX journal_kind ON journal (kind, id)",
    "CREATE INDEX journal_at ON journal (at)",
    """CREATE TABLE outbox (
        id INTEGER NOT NULL PRIMARY KEY,
        at TEXT NOT NULL,
        channel TEXT NOT NULL,
        text TEXT NOT NULL,
        opens TEXT,
        closes TEXT,
        journal_id INTEGER
    )""",
    "CREATE INDEX outbox_channel ON outbox (channel, id)",
    "CREATE TABLE thread (key TEXT NOT NULL, channel TEXT NOT NULL, post TEXT NOT NULL, PRIMARY KEY (key, channel))",
    "CREATE TABLE seen_event (id TEXT NOT NULL PRIMARY KEY, at TEXT NOT NULL)",
)


def upgrade(connection: Connection) -> None:
    """Make the first tables."""
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
