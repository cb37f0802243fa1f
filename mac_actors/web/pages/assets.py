"""The files that pages load: scripts, styles, pictures. An address that holds a file's hash is kept for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import bottle

from mac_actors.web.server.connection import Shared

STATIC_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png"}

FOR_EVER = "public, max-age=31536000, immutable"
"""For an address with the file's hash in it: other content has another address."""

SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # not no-referrer: with that, forms are sent with "Origin: null", and could not be told from a stranger's
    "Referrer-Policy": "same-origin",
}
"""What keeps a page, and a file that is opened as one, to what is shipped with it."""


IMAGES_IN_STYLES = f"{SAFE_HEADERS['Content-Security-Policy']}; img-src 'self' data:"
"""The policy for Swagger UI: its styles hold their pictures within them."""


def routes(app: bottle.Bottle) -> None:
    """Add ``/static/NAME``."""

    @app.get("/static/<name>")
    def static(name: str) -> bytes:
        return send(name)


def address(name: str) -> str:
    """Return the address of a file, with its hash."""
    return f"/static/{name}?v={fingerprint(name)}"


@cache
def fingerprint(name: str) -> str:
    """Return a short hash of a file's content."""
    return hashlib.sha256(_content(name)).hexdigest()[:12]


def send(name: str) -> bytes:
    """Answer with a file; one that the browser has already is not sent again."""
    suffix = name[name.rfind(".") :]
    if "/" in name or suffix not in STATIC_TYPES or not _exists(name):
        raise bottle.HTTPError(404)
    request, response = bottle.request, bottle.response
    known = fingerprint(name)
    response.set_header("ETag", f'"{known}"')
    response.set_header("Cache-Control", FOR_EVER if request.query.get("v") == known else "max-age=3600")
    for header, value in SAFE_HEADERS.items():
        response.set_header(header, value)
    if f'"{known}"' in request.environ.get("HTTP_IF_NONE_MATCH", ""):
        response.status = 304
        return b""
    response.content_type = STATIC_TYPES[suffix] + ("" if suffix == ".png" else "; charset=utf-8")
    return _content(name)


@cache
def _content(name: str) -> Shared:
    """Return a file, from memory: it is sent to many at once."""
    return Shared(_file(name).read_bytes())


def _exists(name: str) -> bool:
    try:
        return _file(name).is_file()
    except (OSError, ValueError):  # a name that no file can have: too long, or with a zero byte in it
        return False


def _file(name: str) -> Traversable:
    return files("mac_actors.web.pages") / "static" / name
