"""Sheets of labels: a name and a QR code for each machine."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mac_actors.web.pages.labels import SHEETS, is_here_alone, label
from tests.fakes import ODD_ALIAS
from tests.web.client import Running
from tests.web.pages.test_history import page


def test_every_machine_has_a_label_that_leads_to_its_page(shared_server: Running) -> None:
    html = page(shared_server, "/labels?base=https://mac.example.org/")
    assert html.count("<svg viewBox") == 5
    assert html.count('class="label"') == 5
    machine = shared_server.fleet.snapshot("laser")
    made = label(machine, "https://mac.example.org")
    assert (made.machine.display_name, made.address) == (ODD_ALIAS, "https://mac.example.org/machines/laser")
    assert made.code in html
    assert "Phones can't follow these codes" not in html
    assert "Phones can't follow these codes" in page(shared_server, "/labels")


def test_a_sheet_holds_as_many_as_it_has_labels(server: Running) -> None:
    machines: dict[str, Any] = {
        f"m{n}": {"authorizations_or": [], "area": "Attic" if n < 9 else "Cellar"} for n in range(50)
    }
    server.machines.write_text(json.dumps(machines), encoding="utf-8")
    assert server.post("/api/reload?force=1").status == 200
    for name, sheet in SHEETS.items():
        sheets = re.findall(r'<section class="sheet.*?</section>', page(server, f"/labels?sheet={name}"), re.DOTALL)
        assert sheets[0].count('class="label"') == sheet.labels
        assert sum(part.count('class="label"') for part in sheets) == 50
    assert page(server, "/labels?area=attic").count('class="label"') == 9
    assert "No machine matches." in page(server, "/labels?q=nothing")


@pytest.mark.parametrize(
    "query", ["sheet=a5", "base=javascript:alert(1)", "base=ftp://x", "base=http://", "base=http://" + "x" * 3000]
)
def test_a_wrong_sheet_or_address_is_said(shared_server: Running, query: str) -> None:
    reply = shared_server.get(f"/labels?{query}")
    assert (reply.status, bool(reply.error)) == (422, True)


@pytest.mark.parametrize(
    ("base", "alone"),
    [("http://localhost:5000", True), ("http://127.0.0.1", True), ("http://[::1]:5", True), ("http://10.0.0.5", False)],
)
def test_an_address_of_this_computer_alone_is_known(base: str, alone: bool) -> None:
    assert is_here_alone(base) is alone
