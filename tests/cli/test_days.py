"""Days as people type them: understood when they can be one day alone, refused in plain words when not."""

from __future__ import annotations

from datetime import date, timedelta

import click
import pytest

from mac_actors.cli.days import Day


@pytest.mark.parametrize(
    "typed",
    [
        "2026-07-01",
        "2026-7-1",
        "2026/07/01",
        "2026.7.1",
        "01.07.2026",
        "1.7.2026",
        "1. 7. 2026",
        "1.7.26",
        " 2026-07-01 ",
    ],
)
def test_the_usual_forms_are_understood(typed: str) -> None:
    assert Day().convert(typed, None, None) == date(2026, 7, 1)


@pytest.mark.parametrize("typed", ["13/07/2026", "07/13/2026", "13-7-2026"])
def test_what_can_be_one_day_alone_is_that_day(typed: str) -> None:
    assert Day().convert(typed, None, None) == date(2026, 7, 13)


def test_yesterday_is_the_day_before_today() -> None:
    today = Day().convert("today", None, None)
    assert date.today() - today <= timedelta(1), "midnight may have passed"
    assert Day().convert("Yesterday", None, None) + timedelta(1) in {today, date.today()}


@pytest.mark.parametrize("typed", ["01/07/2026", "1/7/2026", "07-01-2026"])
def test_what_can_be_two_days_is_refused_with_both(typed: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        Day().convert(typed, None, None)
    assert caught.value.message == (f"{typed!r} can be 7 January or 1 July: write 2026-01-07 or 2026-07-01.")


@pytest.mark.parametrize(
    "typed", ["", "soon", "31.02.2026", "2026-13-01", "0000-01-01", "1.7.", "20260701", "01/07/26"]
)
def test_what_is_no_day_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        Day().convert(typed, None, None)
    assert caught.value.message == f"{typed!r} is no day: write one like 2026-07-01, 1.7.2026 or yesterday."
