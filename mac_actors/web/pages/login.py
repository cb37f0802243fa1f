"""Logging in on the board, with the admin token, a personal one or a link, and out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import bottle

from mac_actors.fleet.people.logins import UNUSED
from mac_actors.web.access import COOKIE, Access, TooMany
from mac_actors.web.api.request_models import AdminBody
from mac_actors.web.errors import RequestRefused, refusals_in_log
from mac_actors.web.pages.html import render, see_other
from mac_actors.web.requests import parse_fields, read_form, read_query

log = logging.getLogger(__name__)

COOKIE_SECONDS = 400 * 24 * 3600
"""How long the browser is to keep the cookie: as long as any does. The server says when the session is over."""

PREVIEWS = re.compile("bot|preview|facebookexternalhit|whatsapp", re.IGNORECASE)
"""Who looks at links in messages before people do: such a look must not use a link up."""

_HERE = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
"""A path of this server: what a login may lead to."""


def routes(app: bottle.Bottle, access: Access, count: Callable[[str], None]) -> None:
    """Add the routes; ``count`` counts refused logins by status."""

    def form_page(after: str, error: str = "", by: str = "") -> bytes:
        viewer = access.viewer(bottle.request.environ)
        return render("login.tpl", viewer, after=after, error=error, by=by, days=UNUSED.days)

    @app.get("/login")
    def show() -> Any:
        after = own_path(read_query().get("next", "/"))
        if access.viewer(bottle.request.environ).login == "in":
            return see_other(after)
        return form_page(after)

    @app.post("/login")
    def log_in() -> Any:
        environ = bottle.request.environ
        form = read_form(environ)
        after = own_path(form.get("next", "/"))
        try:
            key = access.log_in(
                environ, form.get("token", "").strip(), parse_fields(AdminBody, {"by": form.get("by", "")}).by
            )
        except RequestRefused as refused:
            log.warning("refused a login from %s: %s", bottle.request.remote_addr, refused.status)
            count(str(refused.status))
            bottle.response.status = refused.status
            if isinstance(refused, TooMany):
                bottle.response.set_header("Retry-After", str(refused.seconds))
            return form_page(after, refused.message, form.get("by", ""))
        set_login_cookie(key)
        log.info("an admin logged in on the board from %s", bottle.request.remote_addr)
        return see_other(after)

    @app.get("/login/<link>")
    def follow_link(link: str) -> Any:
        environ = bottle.request.environ
        if environ["REQUEST_METHOD"] != "GET" or PREVIEWS.search(environ.get("HTTP_USER_AGENT", "")):
            return render("followed.tpl", access.viewer(environ), who=None)
        with refusals_in_log():
            key, session = access.follow_link(environ, link)
        set_login_cookie(key)
        log.info("%s logged in on the board by a link from %s", session.name, bottle.request.remote_addr)
        # No redirection: a browser that comes from another site would leave out the cookie, which is for this one.
        bottle.response.set_header("Refresh", "0; url=/")
        return render("followed.tpl", access.viewer(environ), who=session.name)

    @app.post("/logout")
    def log_out() -> Any:
        environ = bottle.request.environ
        form = read_form(environ)
        access.log_out(environ, form.get("csrf", ""))
        drop_login_cookie()
        return see_other("/")


def set_login_cookie(key: str) -> None:
    """Have the browser keep the key of its session."""
    environ = bottle.request.environ
    bottle.response.set_cookie(
        COOKIE,
        key,
        path="/",
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure="https" in {environ["wsgi.url_scheme"], environ.get("HTTP_X_FORWARDED_PROTO")},
    )


def drop_login_cookie() -> None:
    """Have the browser forget its login."""
    bottle.response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def own_path(path: str) -> str:
    """Return a path of this server, to which a form may lead; the board's instead of anything else."""
    return path if _HERE.fullmatch(path) else "/"
