"""A machine's own page: live like a tile, by the server's clock, with the admins' buttons; and commands that hang."""

from __future__ import annotations

import re
import signal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ANN, TOKEN, NewPage, admin, log_in
from tests.e2e.processes import ServerProcess

NOW = ".now strong"


def test_the_page_of_a_machine_follows_what_happens(page: Page, shop: ServerProcess) -> None:
    page.goto(f"{shop.url}/machines/laser")
    page.evaluate("window.sameDocument = true")
    expect(page.locator(NOW)).to_have_text("Free")
    shop.report("laser", ANN)
    expect(page.locator(NOW)).to_have_text("In use")
    admin(shop, "POST", "oops/laser", reason="<b>smoke</b>")
    expect(page.locator(NOW)).to_have_text("Oopsed")
    expect(page.locator(".now .why")).to_have_text("<b>smoke</b>")
    expect(page.locator("#news")).to_contain_text("Laser Cutter: Oopsed")
    expect(page.locator(".timeline li").first).to_contain_text("Laser Cutter is oopsed: <b>smoke</b>")
    assert page.evaluate("window.sameDocument") is True
    shop.report("saw", ANN)
    expect(page.locator("#tiles > *")).to_have_count(1)


def test_the_page_of_a_machine_says_when_it_is_not_up_to_date(page: Page, shop: ServerProcess) -> None:
    page.goto(f"{shop.url}/machines/laser")
    page.route("**/board/changes*", lambda route: route.abort())
    expect(page.locator("#lost")).to_contain_text("Not up to date: no answer since")
    page.unroute("**/board/changes*")
    expect(page.locator("#lost")).to_be_empty()


def test_a_page_that_is_looked_at_again_says_since_when_it_knows_nothing(page: Page, shop: ServerProcess) -> None:
    with page.expect_response("**/board/changes*"):
        page.goto(f"{shop.url}/machines/laser")
    now = "window.shopClock.text(new Date(window.shopClock.now()))"
    first = page.evaluate(now)
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true})")
    with page.expect_response("**/board/changes*"):
        pass
    page.evaluate("window.away = true")
    page.route("**/board/changes*", lambda route: route.abort())
    last = page.evaluate(now)
    page.evaluate("const now = Date.now; Date.now = () => now() + 3600 * 1000; window.away = false")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#lost")).to_contain_text(
        re.compile(f"no answer since ({re.escape(first)}|{re.escape(last)}),")
    )


@pytest.mark.parametrize("path", ["", "machines/laser", "?kiosk=1"])
def test_a_browser_whose_clock_is_wrong_tells_the_right_times(page: Page, shop: ServerProcess, path: str) -> None:
    shop.report("laser", ANN)
    page.add_init_script("const now = Date.now; Date.now = () => now() + 2 * 3600 * 1000;")
    page.goto(f"{shop.url}/{path}")
    laser = page.locator('[data-name="laser"]')
    expect(laser.locator("strong")).to_have_text("In use")
    expect(laser.locator("time").first).to_have_text(re.compile("^for (under 1|[12]) min$"))


def test_an_admin_has_the_same_dialog_on_the_page_of_a_machine(page: Page, shop: ServerProcess) -> None:
    page.goto(f"{shop.url}/machines/laser")
    expect(page.locator(".commands")).to_have_count(0)
    page.get_by_role("link", name="Admin login").click()
    page.get_by_label("Admin token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{shop.url}/machines/laser")
    page.get_by_role("button", name="Lock out Laser Cutter").click()
    dialog = page.get_by_role("dialog", name="Lock out Laser Cutter?")
    dialog.get_by_label("Reason").fill("new lens")
    dialog.get_by_role("button", name="Lock out").click()
    expect(page.locator(NOW)).to_have_text("Locked out")
    expect(page.locator("#said")).to_contain_text(
        "Laser Cutter is locked out for maintenance, from the board: new lens."
    )
    page.get_by_role("button", name="Clear Laser Cutter").click()
    page.get_by_role("dialog").get_by_role("button", name="Clear").click()
    expect(page.locator(NOW)).to_have_text("Free")


def test_a_lock_may_wait_for_the_session_that_runs(page: Page, shop: ServerProcess) -> None:
    log_in(page, shop)
    shop.report("laser", ANN)
    page.goto(f"{shop.url}/machines/laser")
    dialog = page.get_by_role("dialog")
    later = dialog.get_by_label("Only once it is free")
    page.get_by_role("button", name="Oops Laser Cutter").click()
    expect(later).to_be_hidden()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Lock out Laser Cutter").click()
    dialog.get_by_label("Reason").fill("new lens")
    later.check()
    dialog.get_by_role("button", name="Lock out").click()
    expect(page.locator("#said")).to_contain_text("will be locked out for maintenance once it is free")
    expect(page.locator(NOW)).to_have_text("In use")
    expect(page.get_by_text("To be locked out once it is free: new lens")).to_be_visible()
    shop.report("laser")
    expect(page.locator(NOW)).to_have_text("Locked out")
    page.get_by_role("button", name="Clear Laser Cutter").click()
    dialog.get_by_role("button", name="Clear").click()
    expect(page.locator(NOW)).to_have_text("Free")


def test_without_the_script_a_command_leads_back_to_the_page_of_the_machine(
    new_page: NewPage, shop: ServerProcess
) -> None:
    page = new_page(java_script_enabled=False)
    log_in(page, shop)
    page.goto(f"{shop.url}/machines/saw")
    page.get_by_role("button", name="Lock out Table Saw").click()
    page.get_by_role("main").get_by_role("button", name="Lock out").click()
    expect(page).to_have_url(re.compile(f"^{shop.url}/machines/saw\\?said="))
    expect(page.locator("#said")).to_contain_text("Table Saw is locked out")


def test_a_command_that_hangs_is_said_and_not_carried_out_later(page: Page, own_shop: ServerProcess) -> None:
    log_in(page, own_shop)
    page.get_by_role("button", name="Oops Table Saw").click()
    dialog = page.get_by_role("dialog")
    page.clock.install()
    own_shop.process.send_signal(signal.SIGSTOP)
    try:
        dialog.get_by_role("button", name="Oops").click()
        page.clock.run_for(1100)
        expect(dialog.get_by_role("button", name="Waiting for the server")).to_be_visible()
        # AbortSignal.timeout runs by the browser's own clock
        expect(page.get_by_role("alert")).to_contain_text("No answer for 10 seconds. It is not carried out any more")
    finally:
        own_shop.process.send_signal(signal.SIGCONT)
    dialog.get_by_role("button", name="Cancel").click()
    page.clock.resume()
    own_shop.report("saw", ANN)
    expect(page.locator('[data-name="saw"] strong')).to_have_text("In use")
    assert own_shop.machine("saw")["oops"] is None


def test_a_vain_command_is_no_success(page: Page, new_page: NewPage, shop: ServerProcess) -> None:
    admin(shop, "POST", "oops/saw")
    log_in(page, shop)
    page.get_by_role("button", name="Clear Table Saw").click()
    admin(shop, "POST", "clear/saw")
    page.get_by_role("dialog").get_by_role("button", name="Clear").click()
    expect(page.locator("#said")).to_have_text("Table Saw was neither oopsed nor locked out: nothing was changed.")
    expect(page.locator("#said")).to_have_class("say note")
