"""Usage as a file for a spreadsheet."""

from __future__ import annotations

from typing import Any

import pytest

from mac_actors.core.usage_csv import cell, usage_csv

USE: dict[str, Any] = {"sessions": 2, "seconds": 5400.0, "refusals": 1}
USAGE: dict[str, Any] = {
    "from": "2026-10-01",
    "to": "2026-10-31",
    "machines": [{"machine": "mill", "display_name": "Fräse, groß", **USE}],
    "users": [{"account_id": None, "name": "unknown fobs", **USE}, {"account_id": "7", "name": "=Ann", **USE}],
    "months": [
        {"month": "2026-10", "account_id": "7", "name": "Ann", "machine": "mill", "display_name": "Mill", **USE},
    ],
}
HEAD = "from,to,what,id,name,sessions,hours,refusals"


def test_machines_and_members_stand_in_one_table() -> None:
    assert usage_csv(USAGE, "machines", "members").splitlines() == [
        HEAD,
        '2026-10-01,2026-10-31,machine,mill,"Fräse, groß",2,1.50,1',
        "2026-10-01,2026-10-31,user,,unknown fobs,2,1.50,1",
        "2026-10-01,2026-10-31,user,7,'=Ann,2,1.50,1",
    ]
    assert usage_csv(USAGE | {"users": None}, "members").splitlines() == [HEAD]


def test_excel_gets_a_mark_semicolons_and_decimal_commas() -> None:
    assert usage_csv(USAGE, "machines", excel=True).splitlines() == [
        "\ufeff" + HEAD.replace(",", ";"),
        "2026-10-01;2026-10-31;machine;mill;Fräse, groß;2;1,50;1",
    ]


def test_months_have_a_line_for_each_member_and_machine() -> None:
    assert usage_csv(USAGE, "months").splitlines() == [
        "month,id,name,machine,machine name,sessions,hours",
        "2026-10,7,Ann,mill,Mill,2,1.50",
    ]
    assert len(usage_csv(USAGE | {"months": None}, "months").splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "safe"), [("=1+1", "'=1+1"), (" -2", "' -2"), ("\tx", "'\tx"), ("a=b", "a=b"), ("", "")]
)
def test_what_begins_like_a_formula_is_text(text: str, safe: str) -> None:
    assert cell(text) == safe
