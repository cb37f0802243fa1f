"""The status board: what it shows, that it follows what happens, and that it says when it can't."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Locator, Page, expect

from mac_actors.core.text import search_key
from tests.browser.conftest import ANN, MACHINES, MARKUP, OLGA, TOKEN, NewPage, admin, log_in, start_shop
from tests.core.test_text import SEARCHED
from tests.e2e.processes import ServerProcess, free_port


def tile(page: Page, name: str) -> Locator:
    return page.locator(f'#tiles > li[data-name="{name}"] article')


def state(page: Page, name: str, state: str) -> None:
    expect(tile(page, name)).to_have_attribute("data-state", state)


def names(page: Page) -> list[str]:
    shown: list[str] = page.locator("#tiles > li:visible").evaluate_all("items => items.map(i => i.dataset.name)")
    return shown


def test_a_card_put_in_and_taken_out_is_seen_without_touching_the_page(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    state(page, "laser", "free")
    shop.report("laser", ANN)
    state(page, "laser", "in_use")
    expect(tile(page, "laser").locator("strong")).to_have_text("In use")
    expect(tile(page, "laser").locator("use")).to_have_attribute("href", "#shape-in_use")
    expect(tile(page, "laser").locator("time")).to_have_text("for under 1 min")
    expect(page.locator("#summary")).to_have_text("3 free, 1 in use, 1 offline")
    expect(page.locator("#news")).to_have_text("Laser Cutter: In use")
    shop.report("laser")
    state(page, "laser", "free")


def test_what_needs_attention_comes_first_and_the_order_follows(page: Page, shop: ServerProcess) -> None:
    shop.report("saw", ANN)
    page.goto(shop.url)
    state(page, "saw", "in_use")  # the page may be of a moment before
    assert names(page) == ["kiln", "saw", "laser", "mill", "vent"]
    admin(shop, "POST", "locked_out/vent", reason="new filter")
    admin(shop, "POST", "oops/mill")
    state(page, "vent", "locked")
    state(page, "mill", "oopsed")
    assert names(page) == ["mill", "vent", "kiln", "saw", "laser"]
    expect(tile(page, "vent")).to_contain_text("new filter")
    expect(tile(page, "kiln")).to_contain_text("never seen")


def test_script_in_a_reason_and_markup_in_an_alias_are_shown_as_text(page: Page, shop: ServerProcess) -> None:
    reason = "<script>document.title='owned'</script><b>broken</b>"
    page.goto(shop.url)
    expect(page.get_by_role("link", name=MARKUP, exact=True)).to_be_visible()
    for name in ("saw", "vent"):  # the page may be of a moment before, and what it learns then is news, too
        state(page, name, "free")
    admin(shop, "POST", "oops/mill", reason=reason)
    state(page, "mill", "oopsed")
    expect(tile(page, "mill").locator(".why")).to_have_text(reason)
    expect(page.locator("#news")).to_have_text(f"{MARKUP}: Oopsed")
    page.reload()
    expect(tile(page, "mill").locator(".why")).to_have_text(reason)
    expect(page.locator("#tiles img, #tiles script, #tiles b")).to_have_count(0)
    assert page.title() == "(1 oopsed) Machines"


def test_a_server_that_was_killed_is_said_to_be_lost_and_found_again_alone(page: Page, tmp_path: Path) -> None:
    with start_shop(tmp_path / "shop", MAC_ADMIN_TOKEN=TOKEN, port=str(free_port())) as first:
        first.report("laser")
        page.goto(f"{first.url}/?q=laser")
        state(page, "laser", "free")
        page.evaluate("window.sameDocument = true")
        first.kill()
    lost = page.locator("#lost")
    expect(lost).to_have_text(re.compile(r"^Not up to date: no answer since \d\d:\d\d.*, trying again$"))
    with start_shop(tmp_path / "shop", MAC_ADMIN_TOKEN=TOKEN, port=str(first.port)) as second:
        second.report("laser", ANN)
        expect(lost).to_be_empty()
        state(page, "laser", "in_use")
        assert names(page) == ["laser"]
        assert page.evaluate("window.sameDocument") is True, "the page was not loaded anew"


def test_a_server_that_hangs_is_said_to_be_lost_too(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    page.route("**/board/changes*", lambda route: None)  # never answered
    expect(page.locator("#lost")).to_contain_text("Not up to date")
    page.unroute("**/board/changes*")
    expect(page.locator("#lost")).to_be_empty()


def test_search_and_filter_outlive_an_update_and_are_in_the_address(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    page.get_by_role("searchbox").fill("CUTTER laser")
    expect(page.locator("#tiles > li:visible")).to_have_count(1)
    assert names(page) == ["laser"]
    expect(page).to_have_url(f"{shop.url}/?q=CUTTER+laser")
    shop.report("laser", ANN)
    shop.report("saw", ANN)
    state(page, "saw", "in_use")
    assert names(page) == ["laser"]
    page.get_by_role("searchbox").fill("")
    page.get_by_role("radio", name="In use").check()
    expect(page).to_have_url(f"{shop.url}/?state=in_use")
    expect(page.locator("#tiles > li:visible")).to_have_count(2)
    shop.report("saw")
    expect(page.locator("#tiles > li:visible")).to_have_count(1)
    page.reload()
    assert names(page) == ["laser"]
    shop.report("laser")
    expect(page.get_by_text("No machine matches.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("#tiles > li:visible")).to_have_count(len(MACHINES))
    expect(page).to_have_url(f"{shop.url}/")


def test_the_script_folds_what_is_searched_as_the_server_does(
    page: Page, own_shop: ServerProcess, tmp_path: Path
) -> None:
    aliases = {f"m{number}": text.replace("\u200b", "") for number, (text, _) in enumerate(SEARCHED)}
    machines: dict[str, Any] = {name: {"authorizations_or": [], "alias": alias} for name, alias in aliases.items()}
    machines["laser"] = {"authorizations_or": [], "second_relay": {"authorizations_or": ["x"], "alias": "Rotary Äxis"}}
    (tmp_path / "shop" / "machines.json").write_text(json.dumps(machines), encoding="utf-8")
    assert own_shop.call("POST", "/api/reload?force=1", {}, {"Authorization": f"Bearer {TOKEN}"})[0] == 200
    page.goto(own_shop.url)
    for name, alias in aliases.items():
        for typed in (alias, search_key(alias), alias.upper()):
            page.get_by_role("searchbox").fill(typed)
            assert name in names(page), typed
    page.get_by_role("searchbox").fill("rotary axis")
    assert names(page) == ["laser"]
    page.goto(f"{own_shop.url}/?q=ol-ubel")
    assert names(page) == ["m1"]


def test_focus_stays_where_it_is_while_its_tile_changes_and_moves(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    page.get_by_role("link", name="Dust Collector").focus()
    admin(shop, "POST", "oops/vent")
    state(page, "vent", "oopsed")
    assert names(page)[0] == "vent"
    expect(page.get_by_role("link", name="Dust Collector")).to_be_focused()


def test_the_news_for_screen_readers_are_few_when_much_happens_at_once(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    for name in MACHINES:
        admin(shop, "POST", f"oops/{name}")
    expect(page.locator("#summary")).to_have_text("none free, 5 oopsed")
    expect(page.locator("#news")).to_have_text("5 machines changed: none free, 5 oopsed")


def test_machines_come_and_go_with_the_configuration(page: Page, own_shop: ServerProcess, tmp_path: Path) -> None:
    page.goto(own_shop.url)
    file = tmp_path / "shop" / "machines.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"saw": {', '"new-saw": {').replace("Laser Cutter", "CO2 Laser"), encoding="utf-8")
    status, answer = own_shop.call("POST", "/api/reload", {}, {"Authorization": f"Bearer {TOKEN}"})
    assert status == 200, answer
    state(page, "new-saw", "offline")
    expect(tile(page, "saw")).to_have_count(0)
    expect(tile(page, "laser").get_by_role("heading")).to_have_text("CO2 Laser")
    expect(page.locator('[data-count=""]')).to_have_text("5")


def test_a_hidden_page_does_not_ask_and_asks_at_once_when_it_is_seen_again(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    with page.expect_request("**/board/changes*"):
        pass
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    page.evaluate(hide, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shop.report("laser", ANN)
    page.evaluate("() => new Promise(done => setTimeout(done, 1500))")  # what must not come can't be waited for
    assert len(asked) <= 1  # one may have been due
    state(page, "laser", "free")
    page.evaluate(hide, False)
    state(page, "laser", "in_use")
    expect(page.locator("#lost")).to_be_empty()


def test_names_are_shown_to_admins_alone(page: Page, new_page: NewPage, shop: ServerProcess) -> None:
    shop.report("laser", ANN)
    admin(shop, "POST", "oops/saw", by="Grace Hopper", reason="bent")
    shop.report("saw", OLGA)
    page.goto(shop.url)
    expect(tile(page, "saw")).to_contain_text("Someone runs it by override, for repair")
    assert not re.search("Ann|Olga|Grace", page.content())
    with_login = new_page()
    log_in(with_login, shop)
    expect(tile(with_login, "laser")).to_contain_text("Ann Able")
    expect(tile(with_login, "saw")).to_contain_text("Olga Oppermann runs it by override, for repair")
    expect(tile(with_login, "saw")).to_contain_text("by Grace Hopper, from HTTP")


def test_the_theme_is_chosen_and_remembered(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    button = page.get_by_role("button", name="Theme")
    expect(button).to_have_text("Theme: system")
    button.click()
    button.click()
    expect(button).to_have_text("Theme: dark")
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark
    expect(button).to_have_text("Theme: dark")


def test_the_wall_display_fills_the_screen_without_controls(new_page: NewPage, shop: ServerProcess) -> None:
    shop.report("laser", ANN)
    wall = new_page(viewport={"width": 1920, "height": 1080})
    log_in(wall, shop)
    wall.goto(f"{shop.url}/?kiosk=1")
    state(wall, "laser", "in_use")
    assert "Ann" not in wall.content(), "names are on no wall, whoever has set it up"
    expect(wall.locator("a, button, input")).to_have_count(0)
    size = wall.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
    assert size == [1080, 1920]
    lowest = wall.evaluate(
        "Math.max(...Array.from(document.querySelectorAll('.tile'), t => t.getBoundingClientRect().bottom))"
    )
    assert 1000 < lowest <= 1080
    shop.report("laser")
    state(wall, "laser", "free")
    wall.route("**/board/changes*", lambda route: route.abort())
    expect(wall.locator("#lost")).to_contain_text("Not up to date")
    assert wall.evaluate("document.documentElement.scrollHeight") == 1080
    expect(wall.locator("#tiles > li")).to_have_count(len(MACHINES))


def test_without_script_the_board_is_there_and_renews_itself(new_page: NewPage, shop: ServerProcess) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(f"{shop.url}/?q=laser")
    expect(page.locator("#tiles > li:visible")).to_have_count(1)
    expect(tile(page, "laser").locator("time")).to_have_text(re.compile(r"^since \d+ \w+ \d\d:\d\d$"))
    assert '<meta http-equiv="refresh" content="10">' in page.content()


def test_a_page_that_is_not_there_says_so_kindly(page: Page, shop: ServerProcess) -> None:
    page.goto(f"{shop.url}/nothing/<b>here</b>")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not here")
    page.get_by_role("link", name="To the board").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Machines")


def test_the_wall_shows_the_time_of_the_shop_and_whose_it_is_where_the_computer_has_another(
    new_page: NewPage, browser: Browser, tmp_path: Path
) -> None:
    with start_shop(tmp_path / "shop", MAC_TZ="Asia/Tokyo") as server:
        clocks = {}
        for zone in ("Asia/Tokyo", "Europe/London"):
            wall = new_page(timezone_id=zone, locale="en-GB")
            wall.goto(f"{server.url}/?kiosk=1")
            clocks[zone] = wall.locator("#clock")
        now = datetime.now(ZoneInfo("Asia/Tokyo"))
        about = "|".join(f"{now + timedelta(minutes=n):%H:%M}" for n in range(3))
        expect(clocks["Asia/Tokyo"]).to_have_text(re.compile(f"^({about})$"))
        expect(clocks["Europe/London"]).to_have_text(re.compile(f"^({about}) JST$"))
