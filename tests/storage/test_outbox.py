"""Notices that are held: until they are due, whatever becomes of the clock."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from mac_actors.core.notices import Channel, Notice
from mac_actors.storage.outbox import due_notices
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store
from tests.places import Place

AT = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
HELD = Notice(Channel.OOPS, "The mill is oopsed.", due=AT + timedelta(hours=7))


@pytest.mark.parametrize(
    ("after", "due"),
    [
        (timedelta(hours=6, minutes=59), False),
        (timedelta(hours=7), True),
        # the computer's clock was set back: by a moment, as happens every day; by a day, so that it had been wrong
        (timedelta(seconds=-3), False),
        (timedelta(days=-1), True),
    ],
)
def test_a_notice_is_held_until_it_is_due_and_not_where_the_clock_was_wrong(
    place: Place, after: timedelta, due: bool
) -> None:
    with closing(place.open(Store)) as store:
        store.commit([Record(notices=((AT, HELD),))])
        found = due_notices(store, Channel.OOPS, AT + after, limit=10)
        assert [notice.text for notice in found] == ["The mill is oopsed."] * due
