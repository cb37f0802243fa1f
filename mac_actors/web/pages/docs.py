"""``/docs``: the page that shows the OpenAPI description, by Swagger UI."""

from __future__ import annotations

import bottle

from mac_actors.web.pages import assets


def routes(app: bottle.Bottle) -> None:
    """Add the page."""

    @app.get("/docs")
    def docs() -> bytes:
        return assets.send("docs.html")
