"""Pages: templates filled in, with the headers that keep a page to what is shipped with it."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bottle

from mac_actors.web.access import Viewer
from mac_actors.web.assets import address

TEMPLATES = Path(__file__).parent / "templates"

THEMES = ("light", "dark")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # not no-referrer: with that, forms are sent with "Origin: null", and could not be told from a stranger's
    "Referrer-Policy": "same-origin",
}


def render(name: str, viewer: Viewer, **values: Any) -> bytes:
    """Answer with a page made of the template ``name``, which has ``% rebase('layout.tpl', title=…, page=…)``.

    Beside ``values`` a template has ``viewer`` (who looks), ``asset(NAME)`` (the address of a static file),
    ``url(PART, …)`` and ``clock(TIME)``. What it prints with ``{{ }}`` is escaped.
    """
    response = bottle.response
    response.content_type = "text/html; charset=utf-8"
    response.set_header("Cache-Control", "no-store")
    for header, value in SECURITY_HEADERS.items():
        response.set_header(header, value)
    theme = bottle.request.get_cookie("theme")
    return fill(
        name, viewer=viewer, path=bottle.request.path, theme=theme if theme in THEMES else "", **values
    ).encode()


def fill(name: str, **values: Any) -> str:
    """Fill a template in, without any header."""
    return str(_template(name).render(asset=address, url=url, clock=clock, **values))


def url(*parts: str) -> str:
    """Join the parts of a path, each of them encoded whole."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def clock(at: datetime, *, ago: bool = False) -> str:
    """Return a ``<time>`` in the server's local time; ``ago``: the script makes it ``5 min``, and keeps it so."""
    local = at.astimezone()
    shown = f"{local.day} {local:%b %H:%M}"
    mark = " data-ago" if ago else ""
    return f'<time datetime="{at.isoformat(timespec="seconds")}" title="{local:%Y-%m-%d %H:%M:%S}"{mark}>{shown}</time>'


@cache
def _template(name: str) -> Any:
    return bottle.SimpleTemplate(name=name, lookup=[str(TEMPLATES)])
