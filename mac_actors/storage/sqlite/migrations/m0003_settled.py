"""Which posts are still to say how their matter ended. Those that are there already stay as they are."""

from __future__ import annotations

from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Add the column."""
    connection.exec_driver_sql("ALTER TABLE thread ADD COLUMN unsettled INTEGER NOT NULL DEFAULT 0")
