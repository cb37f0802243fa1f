"""The pages for people who see, hear or point otherwise: axe-core finds nothing, targets are large enough."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ANN, OLGA, NewPage, admin, log_in, violations
from tests.browser.test_board import state
from tests.e2e.processes import ServerProcess

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


@pytest.fixture
def busy_shop(shop: ServerProcess) -> ServerProcess:
    """A shop with a machine in each state."""
    shop.report("laser", ANN)
    admin(shop, "POST", "oops/saw", reason="the blade is bent", by="Grace")
    admin(shop, "POST", "locked_out/saw", reason="waiting for a new one")
    shop.report("saw", OLGA)
    admin(shop, "POST", "locked_out/mill", reason="new belt")
    return shop


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_any_look(new_page: NewPage, busy_shop: ServerProcess, look: str) -> None:
    page = new_page(**LOOKS[look])
    page.goto(busy_shop.url)
    state(page, "saw", "oopsed")
    assert violations(page) == ""
    page.goto(f"{busy_shop.url}/?kiosk=1")
    state(page, "saw", "oopsed")
    assert violations(page) == ""
    page.goto(f"{busy_shop.url}/login")
    page.get_by_label("Admin token").fill("wr0ng")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == ""
    page.goto(f"{busy_shop.url}/nothing")
    assert violations(page) == ""
    log_in(page, busy_shop)
    state(page, "saw", "oopsed")
    assert violations(page) == ""
    page.get_by_role("button", name="Clear Table Saw").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == ""
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("zzz")
    expect(page.get_by_text("No machine matches.")).to_be_visible()
    assert violations(page) == ""


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_nothing_while_the_server_is_lost(new_page: NewPage, busy_shop: ServerProcess, look: str) -> None:
    page = new_page(**LOOKS[look])
    page.goto(busy_shop.url)
    page.route("**/board/changes*", lambda route: route.abort())
    expect(page.locator("#lost")).to_contain_text("Not up to date")
    assert violations(page) == ""


def test_axe_would_find_something(page: Page) -> None:
    page.set_content("<button></button>")
    assert "button-name" in violations(page)


def test_nothing_is_too_small_to_be_hit_and_nothing_sticks_out(new_page: NewPage, busy_shop: ServerProcess) -> None:
    page = new_page(**LOOKS["phone"])
    log_in(page, busy_shop)
    too_small = page.evaluate(
        """Array.from(document.querySelectorAll('a, button, input, select'))
            .filter(e => e.checkVisibility() && !e.classList.contains('skip') && e.type !== 'hidden')
            .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
            .filter(([_, box]) => box.width < 24 || box.height < 24).map(([html]) => html)"""
    )
    assert too_small == []
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_page_is_heard_in_order(page: Page, busy_shop: ServerProcess) -> None:
    page.goto(busy_shop.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    expect(page.get_by_role("search", name="Machines")).to_be_visible()
    expect(page.get_by_role("article", name="Table Saw")).to_be_visible()
    expect(page.get_by_role("heading", level=2)).to_have_count(5)
    for live in ("#lost", "#said", "#news"):
        expect(page.locator(live)).to_have_attribute("role", "status")
