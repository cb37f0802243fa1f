"""Which account a Slack user is."""

from __future__ import annotations

from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Add the table."""
    connection.exec_driver_sql(
        """CREATE TABLE slack_user (
            id TEXT NOT NULL PRIMARY KEY,
            account_id TEXT NOT NULL,
            how TEXT NOT NULL,
            at TEXT NOT NULL,
            switched_off TEXT NOT NULL
        )"""
    )
