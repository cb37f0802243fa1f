"""Usage, as the API tells it, as a file for a spreadsheet: by the command line and by the shop's page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

PARTS = ("machines", "members", "months")
"""What a file may hold: use by machine, by member, and by member, machine and month."""

EXCEL_MARK = "\ufeff"
"""By this mark Excel knows that a file is UTF-8."""


def usage_csv(usage: dict[str, Any], *parts: str, excel: bool = False) -> str:
    """Return these parts of :data:`PARTS` as CSV; months stand alone, for they have other columns.

    ``excel``: as a German or French Excel opens it: semicolons, decimal commas, and :data:`EXCEL_MARK`.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";" if excel else ",")
    for row in _months(usage) if "months" in parts else _totals(usage, parts):
        writer.writerow(_hours(cell, excel) if isinstance(cell, float) else cell for cell in row)
    return (EXCEL_MARK if excel else "") + text.getvalue()


def _totals(usage: dict[str, Any], parts: tuple[str, ...]) -> Iterator[list[Any]]:
    yield ["from", "to", "what", "id", "name", "sessions", "hours", "refusals"]
    for part, what, key, name in (
        ("machines", "machine", "machine", "display_name"),
        ("members", "user", "account_id", "name"),
    ):
        for one in (usage[f"{what}s"] or ()) if part in parts else ():
            labels = [what, cell(one[key] or ""), cell(one[name])]
            yield [usage["from"], usage["to"], *labels, one["sessions"], float(one["seconds"]), one["refusals"]]


def _months(usage: dict[str, Any]) -> Iterator[list[Any]]:
    yield ["month", "id", "name", "machine", "machine name", "sessions", "hours"]
    for one in usage.get("months") or ():
        labels = [cell(one[key] or "") for key in ("account_id", "name", "machine", "display_name")]
        yield [one["month"], *labels, one["sessions"], float(one["seconds"])]


def _hours(seconds: float, excel: bool) -> str:
    hours = f"{seconds / 3600:.2f}"
    return hours.replace(".", ",") if excel else hours


def cell(text: str) -> str:
    """Return text that a spreadsheet takes for text: what begins like a formula gets an apostrophe before it."""
    return f"'{text}" if text.lstrip()[:1] in {"=", "+", "-", "@"} or text[:1] in {"\t", "\r"} else text
