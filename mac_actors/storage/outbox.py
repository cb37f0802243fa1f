"""What is in the outbox beside the notices that wait for their channel now: held ones, and direct messages.

All functions raise :class:`~mac_actors.errors.StorageError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select

from mac_actors.core.notices import Channel
from mac_actors.storage import codec
from mac_actors.storage.records import Waiting, read_waiting
from mac_actors.storage.schema import outbox, thread, waiting_member
from mac_actors.storage.store import Store

STEP = timedelta(minutes=1)
"""By less than this clocks are set back every day: nothing is from the future then."""

_DIRECT = outbox.c.channel.startswith(f"{Channel.DIRECT}:", autoescape=True)


def is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition of held notices that are held no longer; one from the future is not: the clock was wrong."""
    return or_(outbox.c.due <= codec.timestamp(now), outbox.c.at > codec.timestamp(now + STEP))


def due_notices(store: Store, address: str, now: datetime, limit: int) -> list[Waiting]:
    """Return the oldest notices of a channel that were held, and are due."""
    query = select(outbox).where(outbox.c.channel == address, outbox.c.due.is_not(None), is_due(now))
    with store.reading("read the outbox") as connection:
        return [read_waiting(row) for row in connection.execute(query.order_by(outbox.c.id).limit(limit))]


def next_due(store: Store, address: str) -> datetime | None:
    """Return when the next held notice of a channel is due; ``None``: none is held."""
    query = select(outbox.c.due).where(outbox.c.channel == address, outbox.c.due.is_not(None))
    with store.reading("read the outbox") as connection:
        due = connection.scalar(query.order_by(outbox.c.due).limit(1))
    return None if due is None else datetime.fromisoformat(due)


def direct_messages(store: Store, after: int, limit: int) -> list[Waiting]:
    """Return the oldest direct messages that wait, with ids above ``after``."""
    query = select(outbox).where(_DIRECT, outbox.c.id > after)
    with store.reading("read the outbox") as connection:
        return [read_waiting(row) for row in connection.execute(query.order_by(outbox.c.id).limit(limit))]


def addressed_to(store: Store, addresses: Iterable[str]) -> tuple[int, ...]:
    """Return the ids of the notices that wait for these addresses."""
    query = select(outbox.c.id).where(outbox.c.channel.in_(list(addresses)))
    with store.reading("read the outbox") as connection:
        return tuple(connection.scalars(query))


def addresses(store: Store) -> set[str]:
    """Return the channels with notices that wait, or with posts that are still to say how their matter ended."""
    with store.reading("read the outbox") as connection:
        waiting = connection.scalars(select(outbox.c.channel).distinct()).all()
        unsettled = connection.scalars(select(thread.c.channel).where(thread.c.unsettled != 0).distinct()).all()
    return {*waiting, *unsettled}


def waiting_members(store: Store) -> dict[str, list[str]]:
    """Return the Slack users who want to be told when a machine is free, by machine, the first who asked first."""
    found: dict[str, list[str]] = {}
    with store.reading("read who waits for a machine") as connection:
        for row in connection.execute(select(waiting_member).order_by(waiting_member.c.at)):
            found.setdefault(row.machine, []).append(row.slack_id)
    return found
