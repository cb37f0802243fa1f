"""``/docs``: the page that shows the OpenAPI description, by Swagger UI; as a list, where there is no script."""

from __future__ import annotations

import bottle

from mac_actors.web.access import Access
from mac_actors.web.api.openapi import description
from mac_actors.web.limiter import JOURNAL
from mac_actors.web.pages.assets import IMAGES_IN_STYLES
from mac_actors.web.pages.html import render


def routes(app: bottle.Bottle, access: Access) -> None:
    """Add the page."""

    @app.get("/docs", limit=JOURNAL)
    def docs() -> bytes:
        page = render("docs.tpl", access.viewer(bottle.request.environ), paths=description(app.routes)["paths"])
        bottle.response.set_header("Content-Security-Policy", IMAGES_IN_STYLES)
        return page
