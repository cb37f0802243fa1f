"""Pages: templates filled in, with the headers that keep a page to what is shipped with it."""

from __future__ import annotations

import gzip
import json
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
from mac_actors.settings.language import Language
from mac_actors.settings.space import Space
from mac_actors.web.access import Viewer, cookies
from mac_actors.web.pages import manual
from mac_actors.web.pages.assets import SAFE_HEADERS, address, takes_gzip
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
    ``url(PART, …)``, ``clock(TIME)`` and ``zone()``. What it prints with ``{{ }}`` is escaped. Its texts are in the
    language of the server by ``_(TEXT, NAME=value)``, ``n_(ONE, MANY, number)`` and, with markup, ``rich(TEXT)``; so
    are ``date(DAY, FORM)`` and ``num(VALUE, FORM)``.
    """
    for header, value in PAGE_HEADERS.items():
        bottle.response.set_header(header, value)
    page = _page(name, viewer, **values)
    return gzip.compress(page, 5, mtime=0) if takes_gzip() else page


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
    values |= {
        "space_name": space.name or DEFAULT_NAME,
        "named": space.name,
        "logo": logo_address(space),
        "help": manual.is_here(),
        "texts": json.dumps(language().scripts, ensure_ascii=False).replace("<", "\\u003c"),
    }
    page = fill(name, now=datetime.now().astimezone(), **values)
    return page.encode("utf-8", "replace")


def fill(name: str, **values: Any) -> str:
    """Fill a template in, without any header."""
    spoken = language()
    texts = {"language": spoken, "_": spoken.say, "n_": spoken.count, "rich": rich}
    tools = {"date": spoken.date, "num": spoken.number, "clock": clock, "zone": zone, "asset": address, "url": url}
    return str(_template(name).render(escape=escape, **texts, **tools, **values))


def language() -> Language:
    """Return the language of the server that answers this request; English where there is none."""
    try:
        found: Language = bottle.request.app.language
    except (RuntimeError, AttributeError):
        return Language()
    return found


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def rich(template: str, **values: object) -> str:
    """Fill in a text that has markup in it, in the language of the server; values that are no HTML are escaped."""
    say = language().say
    return say(template, **{name: v if isinstance(v, Html) else escape(say(str(v))) for name, v in values.items()})


def url(*parts: str) -> str:
    """Join the parts of a path, each of them encoded whole."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def clock(at: datetime, text: str = "{}", ago: str = "") -> Html:
    """Return a ``<time>`` in the server's local time, within ``text``.

    With ``ago`` (``for {}``, ``{} ago``) the script says how long it is since then instead, and keeps that right.
    """
    local = at.astimezone()
    label = escape(text.format(f"{language().date(local, 'MMMd')} {local:%H:%M}"))
    live = f' data-ago="{escape(ago)}"' if ago else ""
    title = local_time(at, seconds=True)
    return Html(f'<time datetime="{at.isoformat(timespec="seconds")}" title="{title}"{live}>{label}</time>')


def zone() -> str:
    """Return the zone of the shop's clocks now: ``CET``; ``UTC+01:00`` where it has no such name."""
    return zone_at(datetime.now(UTC))


@cache
def _template(name: str) -> Any:
    return bottle.SimpleTemplate(name=name, lookup=[str(TEMPLATES)])
