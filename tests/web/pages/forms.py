"""A browser that is logged in, as the board sees it."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from tests.web.client import Reply, Running

TOKEN = "s3cret-admin"


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def post_form(server: Running, path: str, headers: dict[str, str] | None = None, **fields: str) -> Reply:
    form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
    return server.post(path, urlencode(fields).encode(), headers=form)


class Admin:
    """A browser that is logged in."""

    def __init__(self, server: Running, by: str = "") -> None:
        self.server = server
        reply = post_form(server, "/login", BROWSER, token=TOKEN, by=by)
        assert (reply.status, reply.headers["Location"]) == (303, "/"), reply
        self.cookie = reply.headers["Set-Cookie"]
        self.headers = {"Cookie": self.cookie.partition(";")[0]}
        self.csrf = csrf(self.page())

    def page(self) -> str:
        return self.server.get("/", headers={**self.headers, **BROWSER}).body.decode()

    def command(self, name: str, action: str, headers: dict[str, str] | None = None, **fields: str) -> Reply:
        given = {"csrf": self.csrf, "action": action, "reason": "", **fields}
        return post_form(self.server, f"/board/machines/{name}", {**self.headers, **(headers or {})}, **given)


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]
