"""The Bottle application: who answers which path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import bottle

from mac_actors.actors.fleet import MachineFleet
from mac_actors.errors import UnknownMachine
from mac_actors.storage.history import History
from mac_actors.web import admin, assets, board, history, login, openapi, pages, readers, reading
from mac_actors.web.access import Access
from mac_actors.web.errors import Errors, error_body, message_of, wants_page
from mac_actors.web.html import error_page


class Application(bottle.Bottle):
    """Bottle, with errors that are JSON, or a page where a person looks; ``refusals`` counts them by status."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self.refusals: Counter[str] = Counter()
        self._access = access
        self.install(Errors(self.answer_error))

    def count_refusal(self, status: str) -> None:
        """Count an error reply."""
        self.refusals[status] += 1

    def answer_error(self, status: int, message: str, error: Exception | None = None) -> bottle.HTTPResponse:
        """Return the answer that says what is wrong; ``error`` is what was raised."""
        self.count_refusal(str(status))
        environ = bottle.request.environ
        if wants_page(environ):
            nearest = error.suggestions if isinstance(error, UnknownMachine) else ()
            return bottle.HTTPResponse(*error_page(status, message, self._access.viewer(environ), nearest))
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        return bottle.HTTPResponse(error_body(message), status, Content_Type="application/json", **headers)

    def default_error_handler(self, res: bottle.HTTPError) -> Any:
        """Answer Bottle's own errors."""
        answer = self.answer_error(res.status_code, message_of(res))
        answer.apply(bottle.response)
        return answer.body


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
    app = Application(access)
    readers.routes(app, fleet, access)
    admin.routes(app, fleet, access, load)
    reading.routes(app, fleet, access, notes)
    board.routes(app, fleet, access)
    past = History(fleet.store)
    history.routes(app, fleet, access, past)
    pages.routes(app, fleet, access, past)
    login.routes(app, access, app.count_refusal)
    openapi.routes(app)
    assets.routes(app)
    return app
