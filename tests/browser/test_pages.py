"""The pages of a machine and of the shop in a browser: charts, themes, text of people, and what axe-core says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from mac_actors.core import outcomes as o
from mac_actors.core.outcomes import Outcome, Person
from mac_actors.core.state import Flag, MachineState, SessionKind, Source
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record, record_state
from mac_actors.storage.store import Store
from tests.browser.conftest import ANN, MARKUP, TOKEN, NewPage, admin, log_in, start_shop, violations
from tests.e2e.processes import ServerProcess
from tests.fakes import wait_until

REASON = '</script><script>document.title = "owned"</script>'
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def past_shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose machines have been used for three months."""
    directory = tmp_path_factory.mktemp("past")
    _fill(directory / "shop" / "state")
    with start_shop(directory / "shop", MAC_ADMIN_TOKEN=TOKEN) as server:
        server.report("laser", ANN)
        admin(server, "POST", "oops/mill", reason=REASON, by="Grace")
        yield server


def _fill(state: Path) -> None:
    now = datetime.now(UTC)
    records = [Record(record_state("laser", MachineState(now)))]
    for day in range(100, 0, -1):
        end = (now - timedelta(days=day)).replace(hour=15, minute=30)
        common: dict[str, Any] = {"machine": "laser", "display_name": "Laser Cutter"}
        ended = o.Ended(
            Person("1", "Ann Able"), SessionKind.AUTHORIZED, end - timedelta(hours=2), 7200.0, o.EndReason.CARD_REMOVED
        )
        lines: list[Outcome] = [o.SessionEnded(ended=ended, at=end, **common)]
        if day == 50:
            flag = Flag(end + timedelta(hours=1), Source.BUTTON)
            lines.append(o.OopsSet(flag=flag, ended=None, at=flag.since, **common))
            lines.append(
                o.Cleared(
                    oops=flag, lock=None, source=Source.CLI, by=None, reason=None, still_oopsed=False,
                    still_locked=False, power_on=False, at=flag.since + timedelta(hours=5), **common,
                )
            )  # fmt: skip
        records.append(Record(rows=tuple((journal_row(line), ()) for line in lines)))
    store = Store.open(state)
    store.commit(records)
    store.close()


def painted(page: Page) -> list[int]:
    """How many colours each chart has: an empty one has one."""
    return [
        int(number)
        for number in page.evaluate(
            """() => [...document.querySelectorAll("figure.chart canvas")].map((canvas) => {
                 const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
                 return new Set(new Uint32Array(data.buffer)).size;
               })"""
        )
    ]


def colour(page: Page, figure: int = 0) -> str:
    """The colour of the first series of a chart."""
    return str(
        page.evaluate(
            f"Chart.getChart(document.querySelectorAll('figure.chart canvas')[{figure}]).data.datasets[0]"
            ".backgroundColor"
        )
    )


def test_the_pictures_show_what_the_tables_say(page: Page, past_shop: ServerProcess) -> None:
    page.goto(f"{past_shop.url}/machines/laser")
    assert all(colours > 3 for colours in painted(page))
    drawn = page.evaluate("Chart.getChart(document.querySelector('figure.chart canvas')).data.datasets[0].data")
    page.get_by_text("Both as a table").click()
    cells = page.locator("#days tbody tr td:nth-child(3)").all_inner_texts()
    assert drawn == [float(cell) for cell in cells]
    assert len(drawn) == 90
    assert drawn.count(2.0) >= 85
    expect(page.locator("figure.chart canvas").first).to_have_attribute("role", "img")
    expect(page.get_by_text("Most of all on")).to_be_visible()


def test_a_member_sees_when_it_is_free_and_comes_back_from_the_board(page: Page, past_shop: ServerProcess) -> None:
    page.goto(past_shop.url)
    page.get_by_role("link", name="Laser Cutter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Laser Cutter")
    expect(page.locator(".now")).to_contain_text("In use")
    week = page.get_by_role("table").first
    expect(week.get_by_role("columnheader")).to_have_count(8)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    page.get_by_role("link", name="Shop").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The shop")


def test_names_are_for_those_who_are_logged_in(page: Page, past_shop: ServerProcess) -> None:
    page.goto(f"{past_shop.url}/machines/laser")
    assert "Ann Able" not in page.content()
    log_in(page, past_shop)
    page.goto(f"{past_shop.url}/machines/laser")
    expect(page.locator(".now")).to_contain_text("Ann Able runs it")
    expect(page.locator(".timeline")).to_contain_text("Ann Able's session ended after 2 h 00 min.")


def test_a_script_in_an_alias_or_a_reason_is_text(page: Page, past_shop: ServerProcess) -> None:
    page.goto(f"{past_shop.url}/machines/mill")
    expect(page).to_have_title(MARKUP)
    expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)
    expect(page.locator(".now")).to_contain_text(REASON)
    page.goto(f"{past_shop.url}/shop")
    expect(page.get_by_role("link", name=MARKUP)).to_be_visible()
    labels = page.evaluate("Chart.getChart(document.querySelector('figure.lying canvas')).data.labels")
    assert MARKUP in labels
    expect(page).to_have_title("Shop")


def test_the_pictures_follow_the_theme(new_page: NewPage, past_shop: ServerProcess) -> None:
    page = new_page(color_scheme="light")
    page.goto(f"{past_shop.url}/shop")
    assert colour(page) == "#1b58b5"
    page.emulate_media(color_scheme="dark")
    wait_until(lambda: colour(page) == "#86b4ff")
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    wait_until(lambda: colour(page) == "#1b58b5")


def test_without_script_the_tables_are_there(new_page: NewPage, past_shop: ServerProcess) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(f"{past_shop.url}/machines/laser")
    expect(page.locator("canvas")).to_have_count(0)
    page.get_by_text("Both as a table").click()
    expect(page.locator("#days")).to_be_visible()
    page.goto(f"{past_shop.url}/shop")
    expect(page.locator("#by-machine")).to_be_visible()


def test_a_machine_that_does_not_exist_leads_to_the_nearest(page: Page, past_shop: ServerProcess) -> None:
    page.goto(f"{past_shop.url}/machines/lasr")
    page.get_by_role("link", name="laser").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Laser Cutter")


@pytest.mark.parametrize("path", ["machines/laser", "machines/mill", "machines/kiln", "shop", "machines/lasr"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(new_page: NewPage, past_shop: ServerProcess, path: str, scheme: Any) -> None:
    page = new_page(color_scheme=scheme, viewport=PHONE if path == "shop" else None)
    page.goto(f"{past_shop.url}/{path}")
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == ""


@pytest.mark.parametrize("path", ["machines/laser", "machines/mill", "shop"])
def test_a_phone_need_not_be_scrolled_sideways(new_page: NewPage, past_shop: ServerProcess, path: str) -> None:
    page = new_page(viewport=PHONE)
    page.goto(f"{past_shop.url}/{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
