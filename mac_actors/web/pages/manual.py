"""``/help``: this project's documentation, as it was built into the wheel (``make package``)."""

from __future__ import annotations

import mimetypes
from importlib.resources import files
from pathlib import Path

import bottle

from mac_actors.web.errors import RequestRefused
from mac_actors.web.pages.assets import SAFE_HEADERS

HELP = Path(str(files("mac_actors.web.pages"))) / "help"

ELSEWHERE = "https://github.com/mac-actors/mac-actors/tree/main/docs"

_POLICY = (
    SAFE_HEADERS["Content-Security-Policy"] + "; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:"
)
"""Sphinx's pages have small scripts and styles within them. Nothing that people write is on them."""


def is_here() -> bool:
    """Whether the documentation is part of this installation."""
    return (HELP / "index.html").is_file()


def routes(app: bottle.Bottle) -> None:
    """Add the pages."""

    @app.get("/help")
    def begin() -> bottle.HTTPResponse:
        return bottle.HTTPResponse(b"", 303, Location="help/")

    @app.get("/help/")
    @app.get("/help/<path:path>")
    def page(path: str = "index.html") -> bytes:
        if not is_here():
            raise RequestRefused(404, f"the documentation is not part of this installation: it is at {ELSEWHERE}")
        try:
            file = (HELP / path).resolve()
            there = file.is_relative_to(HELP.resolve()) and file.is_file()
        except (OSError, ValueError):  # a name that no file can have
            there = False
        if not there:
            raise bottle.HTTPError(404)
        response = bottle.response
        for header, value in SAFE_HEADERS.items():
            response.set_header(header, value)
        response.set_header("Content-Security-Policy", _POLICY)
        response.set_header("Cache-Control", "max-age=3600")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        response.content_type = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
        return file.read_bytes()
