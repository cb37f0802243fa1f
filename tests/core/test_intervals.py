"""Time, split over local days and hours, also where the clocks change."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.core import intervals

BERLIN, CHICAGO, KOLKATA, NEPAL = map(ZoneInfo, ("Europe/Berlin", "America/Chicago", "Asia/Kolkata", "Asia/Kathmandu"))
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clocks change by half an hour
ZONES = (UTC, BERLIN, CHICAGO, KOLKATA, NEPAL, LORD_HOWE)

instants = st.floats(1.7e9, 1.8e9)
lists = st.lists(st.tuples(instants, st.floats(0, 3e5)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=8)


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-24", 24)])
def test_a_day_is_as_long_as_the_clocks_make_it(day: str, hours: int) -> None:
    (found,) = intervals.days(date.fromisoformat(day), date.fromisoformat(day), BERLIN)
    assert (found.end - found.start) / 3600 == hours


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)), st.integers(0, 400), st.sampled_from(ZONES))
def test_days_follow_each_other_without_a_gap(first: date, more: int, zone: ZoneInfo) -> None:
    found = intervals.days(first, first + timedelta(more), zone)
    assert [day.date for day in found] == [first + timedelta(n) for n in range(more + 1)]
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
    assert all(intervals.local(day.start, zone).date() == day.date for day in found)
    assert all(intervals.local(day.end - 1, zone).date() == day.date for day in found)


def test_a_day_that_no_clock_can_tell_is_an_error() -> None:
    with pytest.raises(ValueError):
        intervals.midnight(date(1, 1, 1), None)


@pytest.mark.parametrize(
    ("zone", "step"), [(UTC, 3600), (BERLIN, 3600), (KOLKATA, 900), (NEPAL, 900), (LORD_HOWE, 900)]
)
def test_the_step_is_an_hour_where_local_hours_are_whole_ones(zone: ZoneInfo, step: int) -> None:
    assert intervals.grain(at("2026-01-01"), at("2026-12-31"), zone) == step


@given(lists)
def test_merged_spans_hold_the_same_moments_and_do_not_overlap(given_: list[intervals.Interval]) -> None:
    merged = intervals.merged(given_)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(merged))
    for start, end in given_:
        assert start == end or any(m[0] <= start and end <= m[1] for m in merged)
    assert all(any(start == m[0] for start, _ in given_) for m in merged)
    assert intervals.total(merged, 0, 1e11) <= sum(end - start for start, end in given_) + 1e-3


@given(instants, st.floats(0, 3e6), st.sampled_from([900, 3600]))
def test_the_parts_of_a_span_are_the_span(start: float, length: float, step: int) -> None:
    parts = intervals.split((start, start + length), step)
    assert sum(parts.values()) == pytest.approx(length, abs=1e-4)
    assert all(0 < seconds <= step for seconds in parts.values())
    if parts:
        assert sorted(parts) == list(range(min(parts), max(parts) + 1))


@given(instants, st.floats(1, 3e6), st.sampled_from(ZONES))
def test_what_is_always_in_use_is_in_use_at_every_hour(start: float, length: float, zone: ZoneInfo) -> None:
    end = start + length
    step = intervals.grain(start, end, zone)
    week = intervals.by_weekday_and_hour(intervals.split((start, end), step), step, start, end, zone)
    seen = [[hour for hour in day if hour > 0] for day in week]
    assert all(hour == pytest.approx(1.0, abs=1e-3) for day in seen for hour in day if hour > 0.5)
    if length > 15 * 86400:  # every weekday twice: a clock that is put forward leaves out an hour of one
        assert [len(day) for day in seen] == [24] * 7


def test_an_hour_in_use_on_one_of_two_mondays_is_half_in_use() -> None:
    start, end = at("2026-11-09"), at("2026-11-23")
    used = intervals.split((at("2026-11-16T14:00"), at("2026-11-16T15:30")), 3600)
    week = intervals.by_weekday_and_hour(used, 3600, start, end, BERLIN)
    assert (week[0][13], week[0][14], week[0][15], week[0][16]) == (0, 0.5, 0.25, 0)
    assert sum(sum(day) for day in week) == 0.75


def test_the_hour_that_comes_twice_counts_twice() -> None:
    day = intervals.days(date(2026, 10, 25), date(2026, 10, 25), BERLIN)[0]
    first = at("2026-10-25T02:00")  # before the clocks go back
    week = intervals.by_weekday_and_hour(intervals.split((first, first + 3600), 3600), 3600, day.start, day.end, BERLIN)
    assert week[6][2] == 0.5


@pytest.mark.parametrize(
    ("changes", "before", "expected"),
    [
        ([], False, []),
        ([], None, []),
        ([], True, [(0, 100)]),
        ([(10, True), (30, False)], False, [(10, 30)]),
        ([(10, True)], False, [(10, 100)]),
        ([(30, False)], True, [(0, 30)]),
        ([(30, False)], None, [(0, 30)]),
        ([(10, True), (20, True), (30, False), (40, False), (50, True)], None, [(10, 30), (50, 100)]),
    ],
)
def test_a_flag_is_up_from_when_it_is_set_until_it_is_lifted(
    changes: list[tuple[float, bool]], before: bool | None, expected: list[intervals.Interval]
) -> None:
    assert intervals.active(changes, 0, 100, before=before) == expected
