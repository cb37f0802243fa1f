"""A browser, pages in it that complain of what a person would not see, and a shop to look at."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.e2e.processes import ServerProcess
from tests.fakes import PATIENCE, user

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

TOKEN = "s3cret-admin"
MARKUP = '<img src=x onerror="document.title=1"> & "Mill"'
"""An alias that would do harm if it were not shown as text."""

MACHINES: dict[str, Any] = {
    "laser": {"authorizations_or": ["laser"], "alias": "Laser Cutter"},
    "mill": {"authorizations_or": ["mill"], "alias": MARKUP},
    "saw": {"authorizations_or": ["saw"], "alias": "Table Saw"},
    "vent": {"authorizations_or": [], "alias": "Dust Collector", "always_enabled": True},
    "kiln": {"authorizations_or": ["kiln"]},
}
ANN, OLGA = "0000000001", "0000000002"
USERS = [
    user("1", "Ann Able", [ANN], ["laser", "mill", "saw"]),
    user("2", "Olga Oppermann", [OLGA], [], oops_override=True),
]

NewPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the browser tests out, and have that said at the end, where there is no browser; never in CI."""
    if CHROMIUM is None and "CI" not in os.environ:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip("the browser tests need Chromium (Debian: apt install chromium)"))


# One browser for the package, not for the whole run: while Playwright's loop runs, no other test can run one.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "Chromium is missing, and in CI no test is left out: apt install chromium"
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Complaints:
    """What went wrong in a page without being seen: errors of scripts, refused or missing files, other hosts asked."""

    def __init__(self, context: BrowserContext) -> None:
        self.begin()
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"script: {error.error}"))
        context.on("request", lambda request: self._request(request.url))
        context.on("response", self._response)

    def begin(self) -> None:
        """Let only what comes from now on count."""
        self.found: list[str] = []
        self.asked: list[str] = []
        self._hosts: set[str] = set()

    def _console(self, message: ConsoleMessage) -> None:
        # An answer of 401 or no answer at all is what some tests are about, and the console says each of them.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.found.append(f"console: {message.text}")

    def _request(self, url: str) -> None:
        self.asked.append(url)
        self._hosts.add(urlsplit(url).hostname or url)
        if self._hosts - {"127.0.0.1"}:
            self.found.append(f"asked another host: {url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document" and "/static/" in response.url:
            self.found.append(f"{response.status}: {response.url}")


class Window:
    """One page for many tests: to make a new one takes the browser longer than most tests look at it."""

    SIZE = ViewportSize(width=1280, height=720)

    def __init__(self, browser: Browser) -> None:
        self._context = browser.new_context()
        self._context.set_default_timeout(PATIENCE * 1000)
        self.page = self._context.new_page()
        self.complaints = Complaints(self._context)

    def look(self, color_scheme: Any = "light", viewport: ViewportSize | None = None) -> Page:
        """The page as a new one would be."""
        self.complaints.begin()
        self.page.emulate_media(color_scheme=color_scheme)
        self.page.set_viewport_size(viewport or self.SIZE)
        return self.page

    def tidy(self) -> None:
        """Forget what a test left: other pages, cookies, what is stored, routes, and the last page itself."""
        for page in self._context.pages:
            if page is not self.page:
                page.close()
        self.page.unroute_all(behavior="ignoreErrors")
        self.page.goto("about:blank")
        self._context.clear_cookies()
        session = self._context.new_cdp_session(self.page)
        for origin in {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in self.complaints.asked}:
            session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        session.detach()


@pytest.fixture(scope="package")
def window(browser: Browser) -> Window:
    return Window(browser)


@pytest.fixture
def new_page(browser: Browser, window: Window) -> Iterator[NewPage]:
    """Open pages as in a context of their own each, with the given options; nothing may have gone wrong in any."""
    found: list[Complaints] = []
    opened: list[BrowserContext] = []

    def make(**options: Any) -> Page:
        if not found and options.keys() <= {"color_scheme", "viewport"}:
            found.append(window.complaints)
            return window.look(**options)
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE * 1000)
        opened.append(context)
        found.append(Complaints(context))
        return context.new_page()

    yield make
    for context in opened:
        context.close()
    if window.complaints in found:
        window.tidy()
    assert not [complaint for complaints in found for complaint in complaints.found]


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page in a window of 1280 × 720."""
    return new_page()


def start_shop(directory: Path, machines_of_shop: dict[str, Any] = MACHINES, **variables: str) -> ServerProcess:
    """Start a server of the sample shop, or of these machines; its readers have not reported yet.

    One that is to be started again on its port needs a given ``port``: while its old connections are not forgotten,
    one that the system has chosen can't be had again.
    """
    directory.mkdir(exist_ok=True)
    machines, users = directory / "machines.json", directory / "users.json"
    machines.write_text(json.dumps(machines_of_shop), encoding="utf-8")
    users.write_text(json.dumps(USERS), encoding="utf-8")
    return ServerProcess(
        directory,
        MACHINES_CONFIG=str(machines),
        USERS_CONFIG=str(users),
        MACHINE_STATE_DIR=str(directory / "state"),
        MAC_COMMIT_BUDGET="20",  # a page that follows a change has it, however busy the computer is
        **variables,
    )


# All ask for the browser, so that no server is started where there is none.
@pytest.fixture(scope="package")
def running_shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_shop(tmp_path_factory.mktemp("shop"), MAC_ADMIN_TOKEN=TOKEN) as server:
        yield server


@pytest.fixture
def shop(running_shop: ServerProcess) -> ServerProcess:
    """A server with an admin token, for all tests that leave it running. All machines are free; the kiln is offline."""
    for name in MACHINES:
        admin(running_shop, "POST", f"clear/{name}")
        if name != "kiln":
            running_shop.report(name)
    return running_shop


@pytest.fixture
def own_shop(browser: Browser, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server like that of ``shop``, for a test that stops it, or changes more than the state of its machines."""
    with start_shop(tmp_path / "shop", MAC_ADMIN_TOKEN=TOKEN) as server:
        for name in MACHINES:
            if name != "kiln":
                server.report(name)
        yield server


@pytest.fixture
def open_shop(browser: Browser, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server without an admin token."""
    with start_shop(tmp_path / "shop") as server:
        yield server


def admin(server: ServerProcess, method: str, path: str, **body: str) -> None:
    """Give an admin's command by the API."""
    status, answer = server.call(method, f"/api/machine/{path}", body, {"Authorization": f"Bearer {TOKEN}"})
    assert status == 200, answer


def log_in(page: Page, server: ServerProcess, name: str = "Frøya") -> None:
    """Log in on the board, and wait for it."""
    page.goto(f"{server.url}/login")
    page.get_by_label("Admin token").fill(TOKEN)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def violations(page: Page) -> str:
    """Return what axe-core finds wrong with the page for people with disabilities; empty if nothing."""
    from axe_playwright_python.sync_playwright import Axe

    results = Axe().run(page)
    return str(results.generate_report()) if results.violations_count else ""
