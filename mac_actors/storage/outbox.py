"""What is in the outbox beside the notices that wait for their channel now: held ones, and direct messages.

All functions raise :class:`~mac_actors.errors.StorageError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select

from mac_actors.core.notices import Channel
from mac_actors.core.routing import FLAGS
from mac_actors.storage import codec
from mac_actors.storage.records import Waiting, read_waiting
from mac_actors.storage.schema import journal, outbox, thread, waiting_member
from mac_actors.storage.store import Store

STEP = timedelta(minutes=1)
"""By less than this clocks are set back every day: nothing is from the future then."""

_DIRECT = outbox.c.channel.startswith(f"{Channel.DIRECT}:", autoescape=True)


def is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition of held notices that are held no longer; one from the future is not: the clock was wrong."""
    return or_(outbox.c.due <= codec.timestamp(now), outbox.c.at > codec.timestamp(now + STEP))


def is_followed(now: datetime) -> ColumnElement[bool]:
    """Return the condition of held notices of an oops or a lock (:data:`FLAGS`) that are held no longer because the
    channel gets a later one of the same machine: what is read last is what is so.
    """
    later, line = outbox.alias(), journal.alias()
    its_matter = or_(line.c.kind.in_(FLAGS), later.c.within.is_not(None))
    at_once = or_(later.c.due.is_(None), later.c.due <= codec.timestamp(now))
    found = (
        select(later.c.id)
        .join(line, line.c.id == later.c.journal_id)
        .where(later.c.channel == outbox.c.channel, later.c.id > outbox.c.id, at_once)
        .where(line.c.machine == journal.c.machine, its_matter)
    )
    return and_(journal.c.kind.in_(FLAGS), found.correlate(outbox, journal).exists())


def due_notices(store: Store, address: str, now: datetime, limit: int) -> tuple[list[Waiting], list[Waiting]]:
    """Return the oldest notices of a channel that were held, and are so no longer: lines that may be posted together,
    and those of an oops or a lock, which have their turn among what is posted at once.
    """
    query = (
        select(outbox, journal.c.kind)
        .outerjoin(journal, journal.c.id == outbox.c.journal_id)
        .where(outbox.c.channel == address, outbox.c.due.is_not(None), or_(is_due(now), is_followed(now)))
    )
    lines: list[Waiting] = []
    flags: list[Waiting] = []
    with store.reading("read the outbox") as connection:
        for row in connection.execute(query.order_by(outbox.c.id).limit(limit)):
            (flags if row.kind in FLAGS else lines).append(read_waiting(row))
    return lines, flags


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
