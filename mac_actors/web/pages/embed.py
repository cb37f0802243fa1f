"""``/embed``: tiles within the pages of other sites, for those of MAC_EMBED_ORIGINS. As on a wall: without names."""

from __future__ import annotations

import bottle

from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.space import Space
from mac_actors.web.access import Access
from mac_actors.web.pages.assets import SAFE_HEADERS
from mac_actors.web.pages.board import stamp
from mac_actors.web.pages.html import render
from mac_actors.web.pages.tiles import Board, Filter
from mac_actors.web.requests import looked_for, read_query


def routes(app: bottle.Bottle, fleet: MachineFleet, live: Board, access: Access, space: Space) -> None:
    """Add the page."""
    ancestors = " ".join(["'self'", *(space.embed_origins or ())])
    policy = SAFE_HEADERS["Content-Security-Policy"].replace("frame-ancestors 'self'", f"frame-ancestors {ancestors}")

    @app.get("/embed")
    def embed() -> bytes:
        query = read_query()
        machine = query.get("machine")
        wanted = Filter(area=looked_for("area"), machine=fleet.find(machine) if machine else "")
        viewer, view = access.on_the_wall(), live.view()
        page = render(
            "embed.tpl", viewer, view=view, shown=view.shown(wanted), wanted=wanted, stamp=stamp(viewer, "kiosk")
        )
        bottle.response.set_header("Content-Security-Policy", policy)
        return page
