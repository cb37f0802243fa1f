"""Words are longer in other languages: nothing sticks out of a phone's screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import TOKEN, NewPage, start_shop


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_nothing_sticks_out_of_a_phone(browser: Browser, new_page: NewPage, tmp_path: Path, language: str) -> None:
    with start_shop(tmp_path / "shop", MAC_ADMIN_TOKEN=TOKEN, MAC_LANGUAGE=language) as server:
        page = new_page(viewport={"width": 390, "height": 844})

        def look(*paths: str) -> None:
            for path in paths:
                page.goto(f"{server.url}{path}")
                for width in (390, 320) if path == "/" else (390,):
                    page.set_viewport_size({"width": width, "height": 844})
                    assert page.evaluate("document.documentElement.scrollWidth") == width, (path, width)

        look("/", "/machines/laser", "/shop", "/login")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.querySelector('.bar').offsetHeight") < 60, "visitors have one row"
        page.locator("[name=token]").fill(TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{server.url}/")
        look("/", "/machines/laser", "/shop", "/people")
