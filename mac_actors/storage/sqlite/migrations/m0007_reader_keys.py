"""The keys of readers. Whoever reads this table can report in a reader's place, and give it orders."""

from __future__ import annotations

from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Make the table."""
    connection.exec_driver_sql(
        """CREATE TABLE reader_key (
            machine TEXT NOT NULL PRIMARY KEY,
            key TEXT NOT NULL,
            since TEXT NOT NULL,
            used_since TEXT,
            new_key TEXT,
            new_since TEXT
        )"""
    )
