"""Pages: templates filled in, with the headers that keep a page to what is shipped with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from string import punctuation
from typing import Any
from urllib.parse import quote

import bottle

from mac_actors.core.text import local_time
from mac_actors.core.text import zone as zone_at
from mac_actors.settings.space import Space
from mac_actors.web.access import Viewer, cookies
from mac_actors.web.pages.assets import SAFE_HEADERS, address
from mac_actors.web.pages.home_screen import DEFAULT_NAME, logo_address

TEMPLATES = Path(__file__).parent / "templates"

THEMES = ("light", "dark")

PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    **SAFE_HEADERS,
}


def render(name: str, viewer: Viewer, **values: Any) -> bytes:
    """Answer with a page made of the template ``name``, which has ``% rebase('layout.tpl', title=…, page=…)``.

    Beside ``values`` a template has ``viewer`` (who looks), ``asset(NAME)`` (the address of a static file),
    ``url(PART, …)``, ``clock(TIME)`` and ``zone()``. What it prints with ``{{ }}`` is escaped.
    """
    for header, value in PAGE_HEADERS.items():
        bottle.response.set_header(header, value)
    return _page(name, viewer, **values)


def error_page(
    status: int, message: str, viewer: Viewer, nearest: Sequence[tuple[str, str]] = ()
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a page that says what is wrong; ``nearest``: name and display name of machines."""
    return _page("error.tpl", viewer, status=status, message=message, nearest=nearest), dict(PAGE_HEADERS)


def see_other(path: str) -> bottle.HTTPResponse:
    """Answer a form by sending the browser on to a path of this server; keeps the cookies of the response."""
    answer = bottle.response.copy(cls=bottle.HTTPResponse)
    answer.status, answer.body = 303, b""
    # relative: a proxy before us may speak another scheme
    answer.set_header("Location", quote(path, safe=punctuation))
    answer.set_header("Cache-Control", "no-store")
    return answer


def _page(name: str, viewer: Viewer, **values: Any) -> bytes:
    theme = cookies(bottle.request.environ).get("theme", "")
    values |= {"viewer": viewer, "path": bottle.request.path, "theme": theme if theme in THEMES else ""}
    space = getattr(bottle.request.app, "space", None) or Space()
    values |= {"space_name": space.name or DEFAULT_NAME, "named": space.name, "logo": logo_address(space)}
    page = fill(name, now=datetime.now().astimezone(), **values)
    return page.encode("utf-8", "replace")


def fill(name: str, **values: Any) -> str:
    """Fill a template in, without any header."""
    return str(_template(name).render(asset=address, url=url, escape=escape, clock=clock, zone=zone, **values))


def url(*parts: str) -> str:
    """Join the parts of a path, each of them encoded whole."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def clock(at: datetime, text: str = "{}", ago: str = "") -> str:
    """Return a ``<time>`` in the server's local time, within ``text``.

    With ``ago`` (``for {}``, ``{} ago``) the script says how long it is since then instead, and keeps that right.
    """
    local = at.astimezone()
    label = escape(text.format(f"{local.day} {local:%b %H:%M}"))
    live = f' data-ago="{escape(ago)}"' if ago else ""
    title = local_time(at, seconds=True)
    return f'<time datetime="{at.isoformat(timespec="seconds")}" title="{title}"{live}>{label}</time>'


def zone() -> str:
    """Return the zone of the shop's clocks now: ``CET``; ``UTC+01:00`` where it has no such name."""
    return zone_at(datetime.now(UTC))


@cache
def _template(name: str) -> Any:
    return bottle.SimpleTemplate(name=name, lookup=[str(TEMPLATES)])
