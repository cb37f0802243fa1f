"""Notices within the thread of another."""

from __future__ import annotations

from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Add the columns."""
    connection.exec_driver_sql("ALTER TABLE outbox ADD COLUMN within TEXT")
    connection.exec_driver_sql("ALTER TABLE thread ADD COLUMN root TEXT")
