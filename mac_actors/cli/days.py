"""Days, as people type them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import click

_UNAMBIGUOUS = (
    r"(?P<year>\d{4})([-/.])(?P<month>\d\d?)\2(?P<day>\d\d?)",
    r"(?P<day>\d\d?)\. ?(?P<month>\d\d?)\. ?(?P<year>\d{4}|\d\d)",
)


class Day(click.ParamType[date]):
    """``2026-07-01``, ``1.7.2026``, ``today`` and the like. What can be two days is refused."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Understand what was typed."""
        text = str(value).strip().lower()
        if text in {"today", "yesterday"}:
            return date.today() - timedelta(text == "yesterday")
        days: list[date] = []
        for form in _UNAMBIGUOUS:
            if match := re.fullmatch(form, text, re.ASCII):
                days += _day(match["year"], match["month"], match["day"])
        if match := re.fullmatch(r"(\d\d?)([-/])(\d\d?)\2(\d{4})", text, re.ASCII):
            one, other, year = match[1], match[3], match[4]
            days += sorted({*_day(year, other, one), *_day(year, one, other)})
        if not days:
            self.fail(f"{value!r} is no day: write one like 2026-07-01, 1.7.2026 or yesterday.", param, ctx)
        if len(days) > 1:
            either = " or ".join(f"{day.day} {day:%B}" for day in days)
            self.fail(f"{value!r} can be {either}: write {' or '.join(map(str, days))}.", param, ctx)
        return days[0]


def _day(year: str, month: str, day: str) -> list[date]:
    with suppress(ValueError):
        return [date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day))]
    return []
