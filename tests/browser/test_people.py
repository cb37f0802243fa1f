"""People on the board: a fob and an authorization at the machine, from a phone, by admins and trainers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import MACHINES, TOKEN, USERS, NewPage, log_in, start_shop, violations
from tests.e2e.processes import ServerProcess, free_port
from tests.fakes import user

SCRIPT = "<img src=x onerror=\"document.title='done'\"> Müller"
TRAINED = {**MACHINES, "laser": {**MACHINES["laser"], "trainers_or": ["laser"]}}
PEOPLE = [
    *USERS,
    user("3", "José Strauß", [], ["mill"]),
    user("4", SCRIPT, [], []),
    *(user(str(n), f"Member {n}", [], []) for n in range(100, 140)),
]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
NEW = "0007654321"


def shop_of(directory: Path, **variables: str) -> ServerProcess:
    server = start_shop(directory, TRAINED, MAC_ADMIN_TOKEN=TOKEN, **variables)
    write_users(directory)
    assert server.call("POST", "/api/reload?force=1", {}, BEARER)[0] == 200
    return server


def write_users(directory: Path) -> None:
    (directory / "users.json").write_text(json.dumps(PEOPLE), encoding="utf-8")


BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with 44 users. Whoever is authorized for the laser trains others for it."""
    with shop_of(tmp_path_factory.mktemp("people") / "shop") as server:
        yield server


def unknown_fob(server: ServerProcess, code: str, machine: str = "laser") -> None:
    server.report(machine, code)
    server.report(machine)


def runs_with(server: ServerProcess, machine: str, fob: str) -> bool:
    server.report(machine)
    runs = server.report(machine, fob)["relay"]
    server.report(machine)
    return bool(runs)


def test_a_fob_and_a_training_are_three_taps_and_a_few_letters(new_page: NewPage, tmp_path: Path) -> None:
    port, directory = str(free_port()), tmp_path / "shop"
    page = new_page(**PHONE)
    with shop_of(directory, port=port) as server:
        log_in(page, server)
        page.evaluate("sessionStorage.taps = 0")
        page.context.add_init_script(
            "addEventListener('click', () => { sessionStorage.taps = Number(sessionStorage.taps) + 1 }, true)"
        )
        page.goto(server.url)
        assert not runs_with(server, "laser", NEW)
        fobs = page.get_by_role("list", name="Unknown fobs")
        expect(fobs).to_contain_text(re.compile(r"Unknown fob at Laser Cutter, \d+ s ago"))
        fobs.get_by_role("link", name="Give it to…").tap()
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("jose s")
        page.get_by_role("button", name="José Strauß").tap()
        expect(page.locator("#said")).to_contain_text("José Strauß was given a fob")
        page.get_by_role("button", name="And authorize for Laser Cutter").tap()
        expect(page.locator("#said")).to_contain_text(
            "José Strauß is authorized for laser, by an admin (Frøya), from the board"
        )
        assert page.evaluate("Number(sessionStorage.taps)") == 3
        assert page.get_by_role("button", name="And authorize").count() == 0
        assert runs_with(server, "laser", NEW)
        write_users(directory)
        assert server.call("POST", "/api/reload", {}, BEARER)[0] == 200
        assert runs_with(server, "laser", NEW)
        server.terminate()
    with start_shop(directory, TRAINED, MAC_ADMIN_TOKEN=TOKEN, port=port) as server:
        write_users(directory)
        assert server.call("POST", "/api/reload?force=1", {}, BEARER)[0] == 200
        assert runs_with(server, "laser", NEW), "after a restart, and an import that knows nothing of it"
        page.goto(f"{server.url}/people/3")
        expect(page.get_by_role("region", name="Fobs")).to_contain_text(NEW)
        assert not [url for url in asked_of(page) if NEW in url]


def asked_of(page: Page) -> list[str]:
    """Return the addresses that the page has been at and loads."""
    return [page.url, *page.evaluate("performance.getEntries().map(entry => entry.name)")]


@pytest.mark.parametrize("look", [{"color_scheme": "dark", **PHONE}, {"color_scheme": "light"}])
def test_axe_finds_nothing_on_the_pages_of_people(new_page: NewPage, shop: ServerProcess, look: dict[str, Any]) -> None:
    page = new_page(**look)
    log_in(page, shop)
    unknown_fob(shop, "0000abcdef", "kiln")
    expect(page.get_by_role("list", name="Unknown fobs")).to_contain_text("Unknown fob at kiln")
    assert violations(page) == ""
    page.get_by_role("link", name="Give it to… (fob at kiln)").click()
    page.get_by_role("searchbox").fill("strauss")
    expect(page.get_by_role("button", name="José Strauß")).to_be_visible()
    page.get_by_text("Not in the list").click()
    assert violations(page) == ""
    page.goto(f"{shop.url}/people?q=member")
    expect(page.locator("#count")).to_have_text("40 people, the first 20 are shown: type more")
    assert violations(page) == ""
    page.goto(f"{shop.url}/people/1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ann Able")
    assert violations(page) == ""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"


def test_people_with_the_keyboard_alone(page: Page, shop: ServerProcess) -> None:
    log_in(page, shop)
    page.get_by_role("link", name="People").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("<img")
    expect(page.locator("#count")).to_have_text("1 person")
    expect(page.locator("#news")).to_have_text("1 person")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(SCRIPT)
    expect(page).to_have_title(SCRIPT)
    page.get_by_role("combobox", name="For").focus()
    page.keyboard.type("saw")
    page.get_by_role("button", name="Authorize", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text(f"{SCRIPT} is authorized for saw")
    page.get_by_role("button", name="Undo Authorized for saw").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text(f"{SCRIPT} is not authorized for saw any more")
    expect(page.get_by_role("region", name="Authorizations").get_by_role("listitem")).to_have_text("None")


def test_a_server_that_does_not_answer_a_search_is_said(page: Page, shop: ServerProcess) -> None:
    log_in(page, shop)
    page.goto(f"{shop.url}/people")
    page.route("**/board/people*", lambda route: route.abort())
    page.get_by_role("searchbox").fill("ann")
    expect(page.locator("#lost")).to_have_text("The server does not answer: try again.")
    page.unroute_all()
    page.get_by_role("searchbox").fill("ann a")
    expect(page.get_by_role("link", name="Ann Able")).to_be_visible()
    expect(page.locator("#lost")).to_be_empty()
    assert page.url == f"{shop.url}/people?q=ann+a"


def test_people_without_the_script(new_page: NewPage, shop: ServerProcess) -> None:
    page = new_page(java_script_enabled=False, **PHONE)
    page.goto(f"{shop.url}/people")
    expect(page.get_by_role("heading", level=1)).to_have_text("Admin login")
    page.get_by_label("Admin token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    unknown_fob(shop, "0000fedcba", "saw")
    page.reload()
    page.get_by_role("link", name="Give it to… (fob at Table Saw)").click()
    page.get_by_role("searchbox").fill("oppermann")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Olga Oppermann").click()
    expect(page.locator("#said")).to_contain_text("Olga Oppermann was given a fob")
    page.get_by_role("button", name="And authorize for Table Saw").click()
    assert runs_with(shop, "saw", "0000fedcba")
    page.get_by_role("button", name="Take away fob 0000FEDCBA").click()
    assert not runs_with(shop, "saw", "0000fedcba")
