"""The page that shows the description of the API."""

from __future__ import annotations

import re

from tests.web.client import Running


def test_the_page_of_the_description_and_all_that_it_loads_come_from_here(shared_server: Running) -> None:
    page = shared_server.get("/docs")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    loaded = [p for p in re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()) if not p.startswith("data:")]
    assert loaded
    for path in loaded:
        assert path.startswith("/static/"), "nothing is loaded from elsewhere"
        reply = shared_server.get(path)
        assert reply.status == 200
        assert reply.headers["Content-Type"].split(";")[0] in {"text/javascript", "text/css"}
        assert reply.body


def test_opened_by_its_file_it_has_the_same_policy(shared_server: Running) -> None:
    page, file = shared_server.get("/docs"), shared_server.get("/static/docs.html")
    for header in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert page.headers[header]
        assert file.headers[header] == page.headers[header]
