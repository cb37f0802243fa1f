"""The page that shows the description of the API."""

from __future__ import annotations

import re
from html import unescape

from tests.web.client import Running


def test_the_page_of_the_description_and_all_that_it_loads_come_from_here(shared_server: Running) -> None:
    page = shared_server.get("/docs")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'<(?:script|link) [^>]*(?:src|href)="([^"]+)"', page.body.decode())
    assert loaded
    for path in loaded:
        assert path.startswith(("/static/", "/app.webmanifest")), "nothing is loaded from elsewhere"
        reply = shared_server.get(path)
        assert reply.status == 200
        assert reply.headers["Content-Type"].split(";")[0] in {
            *("text/javascript", "text/css", "image/svg+xml", "image/png"),
            "application/manifest+json",
        }
        assert reply.body


def test_it_has_the_policy_of_all_pages_and_may_show_the_pictures_in_its_styles(shared_server: Running) -> None:
    page, board = shared_server.get("/docs"), shared_server.get("/")
    for header in ("X-Content-Type-Options", "Referrer-Policy"):
        assert page.headers[header] == board.headers[header]
    policy = page.headers["Content-Security-Policy"]
    assert policy == board.headers["Content-Security-Policy"] + "; img-src 'self' data:"


def test_without_a_script_every_call_is_listed_with_what_it_does(shared_server: Running) -> None:
    page = unescape(shared_server.get("/docs").body.decode())
    for path, calls in shared_server.get("/openapi.json").json["paths"].items():
        for method, call in calls.items():
            assert f"<code>{method.upper()} {path}</code></td><td>{call['summary']}" in page
