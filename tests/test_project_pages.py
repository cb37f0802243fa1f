"""The pages at the root: their links lead somewhere, and the rooms that they name are those that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(ROOT.glob("*.md"))
ROOMS = re.findall(
    r"^\| `([a-z_/]+(?:\.py|/))` \|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_every_room_on_the_page_about_the_architecture_is_there() -> None:
    assert [room for room in ROOMS if not (ROOT / "mac_actors" / room).exists()] == []


def test_every_room_there_is_has_a_line_on_that_page() -> None:
    there = {path.name for path in (ROOT / "mac_actors").iterdir() if not path.name.startswith(("_", "py.typed"))}
    assert there == {room.split("/")[0] for room in ROOMS}
