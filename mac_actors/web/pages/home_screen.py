"""What makes the board an app on a phone's home screen: the space's logo, and a manifest with icons."""

from __future__ import annotations

import hashlib
import json

import bottle

from mac_actors.settings.language import Language
from mac_actors.settings.space import Space
from mac_actors.web.pages.assets import FOR_EVER, SAFE_HEADERS, address
from mac_actors.web.server.connection import Shared

DEFAULT_NAME = "Makerspace"

ICONS = {"icon-192.png": "192x192", "icon-512.png": "512x512"}

_NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""For a logo that is opened as a page: an SVG may have scripts in it."""


def logo_address(space: Space) -> str:
    """Return the address of the logo; empty: there is none."""
    return f"/logo?v={hashlib.sha256(space.logo.content).hexdigest()[:12]}" if space.logo else ""


def routes(app: bottle.Bottle, space: Space, language: Language) -> None:
    """Add the routes."""
    logo = space.logo
    content = Shared(logo.content) if logo else None

    @app.get("/logo")
    def picture() -> bytes:
        if logo is None or content is None:
            raise bottle.HTTPError(404)
        response = bottle.response
        for header, value in SAFE_HEADERS.items():
            response.set_header(header, value)
        response.set_header("Content-Security-Policy", _NO_SCRIPT)
        response.set_header("Cache-Control", FOR_EVER if bottle.request.query.get("v") else "max-age=3600")
        response.content_type = logo.type
        return content

    @app.get("/app.webmanifest")
    def manifest() -> str:
        icons = [{"src": address(name), "sizes": size, "type": "image/png"} for name, size in ICONS.items()]
        if logo and logo.sizes:
            icons = [{"src": logo_address(space), "sizes": logo.sizes, "type": logo.type}, *icons]
        bottle.response.content_type = "application/manifest+json"
        bottle.response.set_header("Cache-Control", "max-age=3600")
        name = space.name or DEFAULT_NAME
        described = {"name": name, "short_name": name[:30], "start_url": "/", "scope": "/", "display": "standalone"}
        colours = {"background_color": "#f3f4f2", "theme_color": "#1b58b5"}
        if language.code != "en":
            described["lang"] = language.code
        return json.dumps(described | colours | {"icons": icons}, ensure_ascii=False)
