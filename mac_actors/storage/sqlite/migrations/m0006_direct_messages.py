"""Notices that are held until a time or ask about an oops, and members who want to be told when a machine is free."""

from __future__ import annotations

from sqlalchemy import Connection

STATEMENTS = (
    "ALTER TABLE outbox ADD COLUMN asks TEXT",
    "ALTER TABLE outbox ADD COLUMN due TEXT",
    """CREATE TABLE waiting_member (
        machine TEXT NOT NULL,
        slack_id TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (machine, slack_id)
    )""",
)


def upgrade(connection: Connection) -> None:
    """Add columns and table."""
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
