"""Indices for the history, each of the few rows that it asks for; and notes, where tasks keep how far they are.

What comes often is in order of time: a new entry goes to the end, onto the page where the last one is. One in order
of machine touches a page for each machine in a batch, and halved the rate of durable transitions.

No index holds an account id: SQLite leaves copies of index entries in the unused parts of pages when it splits
them, where the id of somebody who is to be forgotten would stay.
"""

from __future__ import annotations

from sqlalchemy import Connection

STATEMENTS = (
    "CREATE INDEX journal_use ON journal (at, machine, seconds) WHERE seconds IS NOT NULL",
    "CREATE INDEX journal_long ON journal (at) WHERE seconds > 86400",
    "CREATE INDEX journal_refused ON journal (at, machine, kind) WHERE kind = 'session_refused'",
    """CREATE INDEX journal_flags ON journal (machine, at, kind)
        WHERE kind IN ('oops_set', 'lock_set', 'cleared', 'oops_cleared', 'lock_cleared')""",
    "CREATE TABLE note (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
)


def upgrade(connection: Connection) -> None:
    """Make the indices and the table."""
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
