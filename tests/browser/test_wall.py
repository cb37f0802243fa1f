"""The wall: everything on it can be read from afar, whatever the screen, and pages turn where one does not hold all."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ANN, TOKEN, NewPage, admin, start_shop
from tests.e2e.processes import ServerProcess

REASON = "the blade is bent, and the fence does not lock any more; a new blade comes on Thursday: take the bandsaw"

CUT = """() => {
    const shown = Array.from(document.querySelectorAll('#tiles > li'))
        .filter(item => item.checkVisibility());
    const sticksOut = element => {
        const box = element.getBoundingClientRect(), tile = element.closest('.tile').getBoundingClientRect();
        return box.right > tile.right + 1 || box.bottom > tile.bottom + 1 || tile.bottom > innerHeight
            || (!element.matches('.why') && element.scrollWidth > element.clientWidth + 1);
    };
    return shown.flatMap(item => Array.from(item.querySelectorAll('h2, p')))
        .filter(sticksOut).map(element => element.textContent.trim());
}"""


def large_shop(count: int) -> dict[str, Any]:
    """Machines with long names, and from right to left, and emoji; in two areas."""
    aliases = {2: "An alias of sixty characters that somebody has typed in here", 3: "מכונת כביסה גדולה", 4: "🔥 Forge"}
    return {
        f"m{number}": {
            "authorizations_or": ["laser"],
            "alias": aliases.get(number, f"Machine {number}"),
            "area": "Metal shop" if number % 10 == 0 else "Woodshop",
        }
        for number in range(count)
    }


@pytest.fixture
def wall_shop(shop: ServerProcess) -> ServerProcess:
    """The sample shop, with a machine that is oopsed and locked out, both for long reasons."""
    shop.report("laser", ANN)
    admin(shop, "POST", "oops/saw", reason=REASON)
    admin(shop, "POST", "locked_out/saw", reason=REASON)
    admin(shop, "POST", "locked_out/mill", reason="new belt")
    return shop


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (1080, 1920), (3840, 2160), (390, 844), (320, 640)])
def test_nothing_on_the_wall_is_cut_off(new_page: NewPage, wall_shop: ServerProcess, size: tuple[int, int]) -> None:
    wall = new_page(viewport={"width": size[0], "height": size[1]})
    wall.goto(f"{wall_shop.url}/?kiosk=1")
    saw = wall.locator('li[data-name="saw"]')
    expect(saw.locator("strong")).to_have_text(["Oopsed", "Locked out"])
    expect(saw.locator("use")).to_have_count(2)
    for reason in saw.locator(".why").all():
        box = reason.bounding_box()
        assert box
        assert box["height"] > 10, "the reason is there"
    assert wall.evaluate(CUT) == []
    assert wall.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [*size]


def test_where_there_is_room_the_whole_reason_is_there(new_page: NewPage, wall_shop: ServerProcess) -> None:
    wall = new_page(viewport={"width": 1920, "height": 1080})
    wall.goto(f"{wall_shop.url}/?kiosk=1&q=saw")
    expect(wall.locator("#summary")).to_have_text("none free, 1 oopsed")
    whole = wall.locator(".why:visible").evaluate_all("all => all.map(why => why.scrollHeight <= why.clientHeight + 1)")
    assert whole == [True, True]


@pytest.fixture(scope="module")
def hall(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server with 120 machines in two areas."""
    directory = tmp_path_factory.mktemp("hall")
    with start_shop(directory / "shop", large_shop(120), MAC_ADMIN_TOKEN=TOKEN) as server:
        for number in range(120):
            server.report(f"m{number}")
        admin(server, "POST", "oops/m10", reason=REASON)
        yield server


def shown(page: Page) -> list[str]:
    found: list[str] = page.locator("#tiles > li:visible").evaluate_all("items => items.map(i => i.dataset.name)")
    return found


def test_pages_turn_where_one_does_not_hold_all(new_page: NewPage, hall: ServerProcess) -> None:
    wall = new_page(viewport={"width": 1920, "height": 1080})
    wall.clock.install()
    wall.goto(f"{hall.url}/?kiosk=1")
    expect(wall.locator("#turn")).to_have_text("1 / 2")
    first = shown(wall)
    assert first[0] == "m10", "what needs attention is on the first"
    assert wall.evaluate(CUT) == []
    wall.clock.run_for(10_000)
    expect(wall.locator("#turn")).to_have_text("2 / 2")
    second = shown(wall)
    assert wall.evaluate(CUT) == []
    assert not set(first) & set(second)
    assert len(first + second) == 120
    assert wall.evaluate("document.documentElement.scrollHeight") == 1080


def test_a_filtered_wall_fits_and_counts_what_it_shows(new_page: NewPage, hall: ServerProcess) -> None:
    wall = new_page(viewport={"width": 1920, "height": 1080})
    wall.goto(f"{hall.url}/?kiosk=1&area=metal+SHOP")
    expect(wall.get_by_role("heading", level=1)).to_have_text("metal SHOP")
    expect(wall.locator("#summary")).to_have_text("11 free, 1 oopsed")
    expect(wall.locator("#turn")).to_be_empty()
    assert len(shown(wall)) == 12
    assert float(wall.evaluate("parseFloat(getComputedStyle(document.querySelector('#tiles')).fontSize)")) > 24
    hall.report("m20", ANN)
    expect(wall.locator("#summary")).to_have_text("10 free, 1 in use, 1 oopsed")
    assert len(shown(wall)) == 12, "a change brings no others"
    hall.report("m20")


def test_areas_are_headings_and_a_filter_on_the_board(page: Page, hall: ServerProcess) -> None:
    page.goto(f"{hall.url}/?q=machine+1")
    headings = page.locator("#tiles > .area")
    expect(headings).to_have_text(["Metal shop", "Woodshop"])
    assert shown(page)[:2] == [None, "m10"]
    page.get_by_label("Area").select_option("Woodshop")
    expect(headings).to_have_text(["Woodshop"])
    expect(page).to_have_url(f"{hall.url}/?q=machine+1&area=Woodshop")
    page.reload()
    expect(headings).to_have_text(["Woodshop"])
