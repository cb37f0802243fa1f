"""The page of the whole shop: days, members, files for a spreadsheet."""

from __future__ import annotations

import csv
from datetime import date, datetime

import pytest

from mac_actors.web.pages.shop import Preset, presets
from tests.web.client import Running
from tests.web.pages.forms import post_form
from tests.web.pages.test_history import page


def test_the_days_that_are_often_asked_for() -> None:
    def days(today: date) -> dict[str, tuple[str, str]]:
        return {one.name: (str(one.first), str(one.last)) for one in presets(today)}

    assert days(date(2026, 2, 14)) == {
        "This month": ("2026-02-01", "2026-02-14"),
        "Last month": ("2026-01-01", "2026-01-31"),
        "Last quarter": ("2025-10-01", "2025-12-31"),
        "This year": ("2026-01-01", "2026-02-14"),
    }
    assert presets(date(2026, 12, 31))[2] == Preset("Last quarter", date(2026, 7, 1), date(2026, 9, 30))
    assert presets(date(2024, 3, 1))[1].last == date(2024, 2, 29)


def test_members_are_for_admins_and_the_days_are_those_asked_for(shop: Running) -> None:
    today = datetime.now().astimezone().date()
    assert "By member" not in page(shop, f"/shop?from={today}&to={today}")
    html = page(shop, "/shop?from=2020-02-01&to=2020-02-29")
    assert "1 Feb 2020 to 29 Feb 2020, 29 days" in html
    assert "<td>1</td>" not in html


def rows(shop: Running, query: str, **options: str) -> list[dict[str, str]]:
    reply = shop.get(f"/shop/usage.csv?{query}", headers=options)
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="')
    return list(csv.DictReader(reply.body.decode().splitlines()))


def test_machines_are_a_file_for_everybody_and_members_for_admins(shop: Running) -> None:
    machines = {row["id"]: (row["sessions"], row["refusals"]) for row in rows(shop, "part=machines")}
    assert machines["metal-mill"] == ("1", "2")
    for part in ("members", "months"):
        assert shop.get(f"/shop/usage.csv?part={part}").status == 401
    cookie = post_form(shop, "/login", token="secret").headers["Set-Cookie"].partition(";")[0]
    members = {row["name"]: row["sessions"] for row in rows(shop, "part=members", Cookie=cookie)}
    assert members == {"Ann Able": "1", "Bob Baker": "1", "unknown fobs": "0"}
    month = f"{datetime.now().astimezone():%Y-%m}"
    months = [(row["month"], row["name"], row["machine"]) for row in rows(shop, "part=months", Cookie=cookie)]
    assert months == [(month, "Ann Able", "metal-mill"), (month, "Bob Baker", "laser")]
    html = shop.get("/shop", headers={"Cookie": cookie, "Accept": "text/html"}).body.decode()
    assert '<th scope="row"><bdi>Ann Able</bdi></th><td>1</td>' in html
    excel = shop.get("/shop/usage.csv?excel=1").body.decode()
    assert excel.startswith("\ufefffrom;to;what")


@pytest.mark.parametrize(
    ("query", "status"), [("part=secrets", 422), ("from=x", 422), ("from=2026-02-02&to=2026-02-01", 422)]
)
def test_what_is_wrong_is_said(shop: Running, query: str, status: int) -> None:
    reply = shop.get(f"/shop/usage.csv?{query}")
    assert (reply.status, bool(reply.error)) == (status, True)


def test_the_api_has_the_months_for_admins(shop: Running) -> None:
    assert "months" not in shop.get("/api/usage?by=month").json
    months = shop.get("/api/usage?by=month&from=2026-01-01", token="secret").json["months"]
    assert [(row["name"], row["machine"], row["sessions"]) for row in months] == [
        ("Ann Able", "metal-mill", 1),
        ("Bob Baker", "laser", 1),
    ]
