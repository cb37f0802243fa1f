"""The tables, as they are after all migrations. Times are text, ISO 8601 in UTC, so that they sort and read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text, text

from mac_actors.core.outcomes import TYPES, Cleared, LockSet, OopsSet, Outcome


def is_any_of(*types: type[Outcome]) -> str:
    """Return the SQL condition of the journal's lines that are outcomes of these types."""
    kinds = ", ".join(f"'{kind}'" for kind, type_ in TYPES.items() if type_ in types)
    return f"kind IN ({kinds})"


IS_OF_FLAGS = is_any_of(OopsSet, LockSet, Cleared)
"""The condition of ``journal_flags``: SQLite uses that index for queries that have it letter by letter."""

metadata = MetaData()

_ID = Integer().with_variant(BigInteger, "postgresql")

machine_state = Table(
    "machine_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
)
"""One row a machine; ``state`` is its :class:`~mac_actors.core.state.MachineState` as JSON."""

journal = Table(
    "journal",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account_id", Text),
    Column("seconds", Float),
    Column("data", Text, nullable=False),
    Index("journal_machine", "machine", "id"),
    Index("journal_kind", "kind", "id"),
    Index("journal_at", "at"),
    Index("journal_use", "at", "machine", "seconds", sqlite_where=text("seconds IS NOT NULL")),
    Index("journal_long", "at", sqlite_where=text("seconds > 86400")),
    Index("journal_refused", "at", "machine", "kind", sqlite_where=text("kind = 'session_refused'")),
    Index(
        "journal_flags",
        "machine",
        "at",
        "kind",
        sqlite_where=text(IS_OF_FLAGS),
    ),
)
"""One row an outcome; ``data`` is the outcome as JSON, ``seconds`` the length of the session that it ended."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("opens", Text),
    Column("closes", Text),
    Column("journal_id", _ID),
    Column("within", Text),
    Column("asks", Text),
    Column("due", Text),
    Index("outbox_channel", "channel", "id"),
)
"""Notices that the chat has not taken yet, and events that webhooks have not: then ``journal_id`` says which. A row is
deleted when it was taken. ``closes`` and ``within``: a key a line. ``due``: it is held until then.
"""

waiting_member = Table(
    "waiting_member",
    metadata,
    Column("machine", Text, primary_key=True),
    Column("slack_id", Text, primary_key=True),
    Column("at", Text, nullable=False),
)
"""Slack users who want to be told when a machine is free."""

thread = Table(
    "thread",
    metadata,
    Column("key", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("post", Text, nullable=False),
    Column("unsettled", Integer, nullable=False, server_default=text("0")),
    Column("root", Text),
)
"""Posts that tell of an oops or a lock, so that its end is posted in their thread; ``unsettled``: and said in them.
``root`` is the post whose thread they are in.
"""

seen_event = Table(
    "seen_event",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Text, nullable=False),
)
"""Chat events that were carried out, so that a repeated delivery is not: for two hours."""

reader_key = Table(
    "reader_key",
    metadata,
    Column("machine", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("used_since", Text),
    Column("new_key", Text),
    Column("new_since", Text),
)
"""The keys of readers, as hexadecimal digits; ``new_key`` is there while one rotates."""

note = Table(
    "note",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""How far tasks are that go on over restarts: ``retention`` has the last row of the journal that it has seen to."""

addition = Table(
    "addition",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("counts", Integer, nullable=False),
    Column("data", Text, nullable=False),
)
"""What was changed of users at the server: one row a change, as JSON in ``data``; ``counts``: it is in force. Nobody
looks for an account in an index, where copies of its id would be left when it is forgotten.
"""

admin = Table(
    "admin",
    metadata,
    Column("name", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("by", Text),
)
"""Personal logins; ``token`` is the SHA-256 of it, in hexadecimal."""

board_session = Table(
    "board_session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("name", Text),
    Column("account_id", Text),
    Column("at", Text, nullable=False),
    Column("used_at", Text, nullable=False),
)
"""Who is logged in on the board; ``key`` is the SHA-256 of what the browser's cookie holds, in hexadecimal."""

slack_user = Table(
    "slack_user",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("switched_off", Text, nullable=False),
)
"""Which account a Slack user is (:class:`~mac_actors.storage.records.SlackLink`)."""

migration = Table(
    "migration",
    metadata,
    Column("name", Text, primary_key=True),
    Column("applied_at", Text, nullable=False),
)
