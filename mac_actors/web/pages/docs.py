"""``/docs``: the page that shows the OpenAPI description, by Swagger UI."""

from __future__ import annotations

import bottle

from mac_actors.web.pages import assets
from mac_actors.web.pages.html import PAGE_HEADERS


def routes(app: bottle.Bottle) -> None:
    """Add the page."""

    @app.get("/docs")
    def docs() -> bytes:
        bottle.response.set_header("Referrer-Policy", PAGE_HEADERS["Referrer-Policy"])
        # Swagger UI's styles hold their pictures within them
        policy = f"{PAGE_HEADERS['Content-Security-Policy']}; img-src 'self' data:"
        bottle.response.set_header("Content-Security-Policy", policy)
        return assets.send("docs.html")
