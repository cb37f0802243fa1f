"""Notices that are held: until they are due, whatever becomes of the clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from mac_actors.core.notices import Channel, Notice, ThreadKey
from mac_actors.core.outcomes import Cleared, OopsSet, Outcome, Rebooted
from mac_actors.core.outcomes import kind as kind_of
from mac_actors.core.state import Flag, Source
from mac_actors.storage.codec import journal_row
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
        lines, flags = due_notices(store, Channel.OOPS, AT + after, limit=10)
        assert [notice.text for notice in lines] == ["The mill is oopsed."] * due
        assert flags == []


FLAG = Flag(AT, Source.BUTTON)
REBOOTED = partial(Rebooted, ended=None, card_blocked=False)
OOPSED = partial(OopsSet, flag=FLAG, ended=None, card=None)
CLEARED = partial(
    Cleared,
    oops=FLAG,
    lock=None,
    source=Source.SLACK,
    by=None,
    reason=None,
    still_oopsed=False,
    still_locked=False,
    power_on=False,
)


def notice(
    kind: Callable[..., Outcome], machine: str, channel: Channel, *, due: float | None = None, **more: Any
) -> Record:
    """An outcome at a machine with its notice, held until so many hours later."""
    outcome = kind(machine=machine, display_name=machine, at=AT)
    until = None if due is None else AT + timedelta(hours=due)
    return Record(
        rows=((journal_row(outcome), (Notice(channel, f"{machine} {kind_of(outcome)}", due=until, **more),)),)
    )


def test_what_is_held_of_an_oops_or_a_lock_goes_out_when_more_of_that_machine_follows(place: Place) -> None:
    inside = (ThreadKey("mill", "oops", AT),)
    with closing(place.open(Store)) as store:

        def found() -> tuple[list[str], list[str]]:
            lines, flags = due_notices(store, Channel.CONTROL, AT, limit=10)
            return [one.text for one in lines], [one.text for one in flags]

        held = [notice(kind, name, Channel.CONTROL, due=7) for name in ("mill", "saw") for kind in (REBOOTED, OOPSED)]
        store.commit([*held, notice(CLEARED, "kiln", Channel.CONTROL, due=7)])
        assert found() == ([], [])
        store.commit([notice(CLEARED, "mill", Channel.OOPS), notice(REBOOTED, "mill", Channel.CONTROL)])
        assert found() == ([], []), "in another channel, and a line that is no part of it"
        store.commit([notice(REBOOTED, "mill", Channel.CONTROL, within=inside)])
        assert found() == ([], ["mill oops_set"])
        store.commit([notice(CLEARED, "mill", Channel.CONTROL, due=7), notice(CLEARED, "saw", Channel.CONTROL, due=-1)])
        assert found() == ([], ["mill oops_set", "saw oops_set", "saw oops_cleared"])
        store.commit([notice(OOPSED, "mill", Channel.CONTROL)])
        assert found() == ([], ["mill oops_set", "saw oops_set", "mill oops_cleared", "saw oops_cleared"])
    with closing(place.open(Store)) as store:
        lines, flags = due_notices(store, Channel.CONTROL, AT + timedelta(hours=7), limit=10)
        assert [one.text for one in lines] == ["mill rebooted", "saw rebooted"]
        assert [one.text.split()[0] for one in flags] == ["mill", "saw", "kiln", "mill", "saw"]
