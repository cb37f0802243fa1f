"""The Bottle application: who answers which path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import bottle

from mac_actors.actors.fleet import MachineFleet
from mac_actors.web import admin, assets, openapi, readers, reading
from mac_actors.web.access import Access
from mac_actors.web.errors import JsonErrors, handle_bottle_error


class Application(bottle.Bottle):
    """A Bottle application whose own errors are JSON; ``refusals`` counts error replies by status."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals: Counter[str] = Counter()
        self.install(JsonErrors(self.count_refusal))

    def count_refusal(self, status: str) -> None:
        """Count an error reply."""
        self.refusals[status] += 1

    def default_error_handler(self, res: bottle.HTTPError) -> bytes:
        """Answer Bottle's own errors."""
        self.count_refusal(str(res.status_code))
        return handle_bottle_error(res)


def create_app(
    fleet: MachineFleet,
    access: Access,
    load: admin.Load,
    notes: Callable[[], dict[str, str]] = dict,
) -> Application:
    """Put the application together.

    ``load`` reads the configuration files anew (for the reloads); ``notes`` returns what ``/readyz``
    mentions without being unready for it.
    """
    app = Application()
    readers.routes(app, fleet, access)
    admin.routes(app, fleet, access, load)
    reading.routes(app, fleet, access, notes)
    openapi.routes(app)
    assets.routes(app)
    return app
