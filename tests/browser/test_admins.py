"""Admins on the board: logging in and out, oops, lock and clear; by keyboard, with and without the script."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import ANN, TOKEN, NewPage, admin, log_in, start_shop
from tests.browser.test_board import state, tile
from tests.e2e.processes import ServerProcess, free_port


def test_visitors_see_no_buttons(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    expect(page.locator("#tiles button, form#commands, dialog")).to_have_count(0)


def test_a_wrong_token_is_said_and_the_sixth_has_to_wait(page: Page, own_shop: ServerProcess) -> None:
    page.goto(own_shop.url)
    page.get_by_role("link", name="Admin login").click()
    for _ in range(5):
        page.get_by_label("Admin token").fill("wr0ng")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("This is not the admin token")
        expect(page.get_by_label("Admin token")).to_be_focused()
    page.get_by_label("Admin token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("Too many wrong tokens: try again in")
    assert page.context.cookies() == []
    status, answer = own_shop.call("POST", "/api/machine/oops/laser", {}, {"Authorization": "Bearer wr0ng"})
    assert (status, "error" in answer) == (401, True), "the API goes on saying what is wrong"


def test_lock_and_clear_with_the_keyboard_alone(page: Page, shop: ServerProcess) -> None:
    page.goto(f"{shop.url}/login")
    expect(page.get_by_label("Admin token")).to_be_focused()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Tab")
    page.keyboard.type("Frøya")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Machines")
    shop.report("laser", ANN)
    state(page, "laser", "in_use")
    lock = page.get_by_role("button", name="Lock out Laser Cutter")
    for _ in range(60):
        page.keyboard.press("Tab")
        if lock.evaluate("button => button === document.activeElement"):
            break
    expect(lock).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Lock out Laser Cutter?")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(lock).to_be_focused()
    assert shop.machine("laser")["status"] == "in_use"
    page.keyboard.press("Space")
    page.keyboard.type("new <i>lens</i>")
    page.keyboard.press("Enter")
    state(page, "laser", "locked")
    expect(dialog).to_be_hidden()
    expect(tile(page, "laser")).to_contain_text("new <i>lens</i>")
    expect(tile(page, "laser")).to_contain_text("by Frøya, from the board")
    expect(page.locator("#said")).to_contain_text(
        "Laser Cutter is locked out for maintenance, by Frøya, from the board"
    )
    expect(page.get_by_role("button", name="Oops Laser Cutter")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Clear Laser Cutter")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    state(page, "laser", "free")
    assert shop.machine("laser")["lock"] is None


def test_what_was_so_already_is_said(page: Page, new_page: NewPage, shop: ServerProcess) -> None:
    log_in(page, shop)
    page.get_by_role("button", name="Oops Table Saw").click()
    other = new_page()
    log_in(other, shop, "Grace")
    other.get_by_role("button", name="Oops Table Saw").click()
    other.get_by_role("dialog").get_by_role("button", name="Oops").click()
    state(page, "saw", "oopsed")
    page.get_by_role("dialog").get_by_role("button", name="Oops").click()
    expect(page.locator("#said")).to_have_text("Table Saw was oopsed already: nothing was changed.")


def test_an_order_that_does_not_reach_the_server_is_said_in_the_dialog(page: Page, shop: ServerProcess) -> None:
    log_in(page, shop)
    page.get_by_role("button", name="Oops Table Saw").click()
    page.route("**/board/machines/*", lambda route: route.abort())
    page.get_by_role("dialog").get_by_role("button", name="Oops").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")


def test_a_login_survives_a_restart_and_its_end_is_said(page: Page, tmp_path: Path) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with start_shop(tmp_path / "shop", MAC_ADMIN_TOKEN=TOKEN, port=str(free_port())) as first:
        log_in(page, first)
        first.terminate()
    with start_shop(tmp_path / "shop", MAC_ADMIN_TOKEN=TOKEN, port=str(first.port)) as again:
        page.goto(again.url)
        expect(page.get_by_role("button", name="Oops Table Saw")).to_be_visible()
        _, answer = again.call("GET", "/api/sessions", headers=bearer)
        assert again.call("DELETE", f"/api/sessions/{answer['sessions'][0]['id']}", {}, bearer)[0] == 200
        expect(page.get_by_text("You are logged out")).to_be_visible()
        expect(page.locator("#tiles button")).to_have_count(0)
        page.get_by_role("link", name="Log in again").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Admin login")


def test_logging_out_takes_the_buttons_away(page: Page, shop: ServerProcess) -> None:
    log_in(page, shop)
    expect(page.get_by_role("button", name="Oops Table Saw")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Admin login")).to_be_visible()
    expect(page.locator("#tiles button")).to_have_count(0)
    assert page.context.cookies() == []


def test_another_window_of_the_same_browser_follows_the_login(page: Page, shop: ServerProcess) -> None:
    page.goto(shop.url)
    second = page.context.new_page()
    log_in(second, shop)
    expect(page.get_by_role("button", name="Oops Table Saw")).to_be_visible()


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(page: Page, shop: ServerProcess) -> None:
    log_in(page, shop)
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert TOKEN not in cookie["value"]
    assert page.evaluate("document.cookie") == ""


def test_orders_without_the_script(new_page: NewPage, shop: ServerProcess) -> None:
    page = new_page(java_script_enabled=False)
    log_in(page, shop)
    page.get_by_role("button", name="Lock out Table Saw").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lock out: Table Saw")
    assert shop.machine("saw")["status"] != "locked_out"
    page.get_by_label("Reason").fill("new blade")
    page.get_by_role("main").get_by_role("button", name="Lock out").click()
    expect(page.locator("#said")).to_contain_text("Table Saw is locked out for maintenance, by Frøya")
    state(page, "saw", "locked")
    page.reload()
    expect(page.locator("#said")).to_be_empty()


def test_without_a_token_the_servers_own_computer_has_the_buttons(page: Page, open_shop: ServerProcess) -> None:
    page.goto(open_shop.url)
    expect(page.get_by_text("Admin: this computer")).to_be_visible()
    page.get_by_role("button", name="Oops Table Saw").click()
    page.get_by_role("dialog").get_by_role("button", name="Oops").click()
    state(page, "saw", "oopsed")
    expect(tile(page, "saw")).not_to_contain_text("from HTTP")


def test_a_command_that_is_still_under_way_leaves_the_next_dialog_alone(page: Page, shop: ServerProcess) -> None:
    admin(shop, "POST", "locked_out/laser")
    log_in(page, shop)
    held: list[Route] = []
    page.route("**/board/machines/saw", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Lock out Table Saw").click()
    dialog.get_by_role("button", name="Lock out").click()
    expect(dialog.get_by_role("button", name="Waiting for the server")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear Laser Cutter").click()
    clear = dialog.get_by_role("button", name="Clear", exact=True)
    expect(clear).to_be_enabled()
    held[0].continue_()
    expect(page.locator("#said")).to_contain_text("Table Saw is locked out")
    expect(clear).to_be_enabled()
    clear.click()
    expect(page.locator("#said")).to_contain_text("Laser Cutter is no longer locked out")
    state(page, "laser", "free")
    state(page, "saw", "locked")
