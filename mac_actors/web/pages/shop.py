"""The page of the whole shop: use in any days, and the same as files for a spreadsheet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import bottle

from mac_actors.core.phrases import phrase
from mac_actors.core.usage_csv import PARTS, usage_csv
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage.history.history import History
from mac_actors.storage.history.values import DAYS, WEEKS, Usage
from mac_actors.web.access import Access, Viewer
from mac_actors.web.api.usage import asked_days, running_sessions, usage_body
from mac_actors.web.errors import RequestRefused
from mac_actors.web.limiter import HISTORY
from mac_actors.web.pages.history import share
from mac_actors.web.pages.html import render
from mac_actors.web.requests import is_set, read_query


@dataclass(frozen=True, slots=True)
class Preset:
    """Days that are often asked for."""

    name: str
    first: date
    last: date


def presets(today: date) -> list[Preset]:
    """Return the days that the page offers."""
    month = today.replace(day=1)
    quarter = month.replace(month=(month.month - 1) // 3 * 3 + 1)
    last_month, last_quarter = (start - timedelta(1) for start in (month, quarter))
    return [
        Preset(phrase("This month"), month, today),
        Preset(phrase("Last month"), last_month.replace(day=1), last_month),
        Preset(phrase("Last quarter"), last_quarter.replace(month=last_quarter.month - 2, day=1), last_quarter),
        Preset(phrase("This year"), today.replace(month=1, day=1), today),
    ]


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, history: History) -> None:
    """Add the page and its files."""

    @app.get("/shop", limit=HISTORY)
    def shop() -> bytes:
        viewer = access.viewer(bottle.request.environ)
        today = datetime.now().astimezone().date()
        first, last = asked_days(DAYS)
        members = None
        past = history.shop(running_sessions(fleet))
        if (first, last) == (today - timedelta(DAYS - 1), today) and not _sees_members(viewer):
            machines, unavailable = past.machines, past.unavailable  # of the last minute, for all who look
            length = datetime.now().timestamp() - past.since.timestamp()
        else:
            machines, _ = history.usage(first, last, running_sessions(fleet), users=False)
            unavailable, length = history.unavailable(first, last)
            if _sees_members(viewer):
                members = usage_body(fleet, history, first, last, users=True).users
        titles = {one.name: one.display_name for one in fleet.configuration.machines.values()}
        rows = [
            (name, titles.get(name), use, share(unavailable.get(name, 0.0), length))
            for name, use in ((n, machines.get(n, Usage())) for n in {**titles, **machines})
        ]
        rows.sort(key=lambda row: (-row[2].seconds, (row[1] or row[0]).casefold()))
        return render(
            "shop.tpl",
            viewer,
            rows=rows,
            members=members,
            total=sum(machines.values(), Usage()),
            weeks=past.weeks,
            first=first,
            last=last,
            today=today,
            days=(last - first).days + 1,
            presets=presets(today),
            number_of_weeks=WEEKS,
        )

    @app.get("/shop/usage.csv", limit=HISTORY)
    def usage() -> bytes:
        viewer = access.viewer(bottle.request.environ)
        part = read_query().get("part", PARTS[0])
        if part not in PARTS:
            raise RequestRefused(422, f"part: expected one of {', '.join(PARTS)}")
        if part != "machines" and not _sees_members(viewer):
            raise RequestRefused(401, phrase("members are shown to admins alone: log in, then try again"))
        first, last = asked_days(DAYS)
        body = usage_body(fleet, history, first, last, users=part != "machines", by_month=part == "months")
        text = usage_csv(json.loads(body.model_dump_json(by_alias=True)), part, excel=is_set("excel"))
        response = bottle.response
        response.content_type = "text/csv; charset=utf-8"
        response.set_header("Content-Disposition", f'attachment; filename="{part}-{first}-{last}.csv"')
        response.set_header("Cache-Control", "no-store")
        return text.encode("utf-8", "replace")


def _sees_members(viewer: Viewer) -> bool:
    return viewer.admin and viewer.names
