"""Headers that are no text."""

from __future__ import annotations

import pytest

from tests.web.client import Running, described

HEADERS = ("Accept", "If-None-Match", "Authorization", "Cookie", "Host", "Origin", "Content-Type", "Referer", "Range")
PATHS = sorted(path for path, calls in described()["paths"].items() if "get" in calls and "{" not in path)


@pytest.mark.parametrize("path", [*PATHS, "/", "/docs", "/static/board.js", "/login", "/history", "/nothing"])
def test_headers_that_are_not_utf_8_are_no_mistake_of_the_server(shared_server: Running, path: str) -> None:
    for header in HEADERS:
        for value in ("\xff", "text/html, \xff\xfe", 'W/"\xe4"'):
            reply = shared_server.get(path, headers={header: value})
            assert reply.status < 500, (header, value, reply)
