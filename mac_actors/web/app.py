"""The Bottle application: who answers which path."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import bottle

from mac_actors.core.phrases import phrase
from mac_actors.errors import UnknownMachine, UnknownUser
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.language import Language
from mac_actors.settings.space import Space
from mac_actors.storage.history.history import History
from mac_actors.web.access import Access, TooMany
from mac_actors.web.api import (
    admin,
    erasure,
    events,
    health,
    logins,
    machines,
    openapi,
    reader_keys,
    readers,
    spaceapi,
    usage,
    users,
)
from mac_actors.web.cors import Cors
from mac_actors.web.counts import Counts
from mac_actors.web.errors import Errors, error_body, message_of, refusals_in_log, wants_page
from mac_actors.web.limiter import Limiter
from mac_actors.web.metrics import metrics
from mac_actors.web.pages import (
    assets,
    board,
    docs,
    embed,
    history,
    home_screen,
    labels,
    login,
    manual,
    people,
    people_changes,
    report,
    shop,
)
from mac_actors.web.pages.html import error_page
from mac_actors.web.pages.notes import Notes

log = logging.getLogger(__name__)


class Application(bottle.Bottle):
    """Bottle, with errors that are JSON, or a page where a person looks; ``refusals`` counts them by status."""

    def __init__(self, fleet: MachineFleet, access: Access, space: Space, language: Language) -> None:
        super().__init__()
        self.space, self.language = space, language
        self.refusals = Counts()
        self.metrics = metrics.Metrics(fleet, self.refusals)
        self.reports = readers.ReportCalls(fleet, access, self.metrics.observe_report)
        self._access = access
        self._fleet = fleet
        self.install(Errors(self.answer_error))
        self.install(_WrongTokens(access, self.refusals))
        self.install(Limiter())
        self.install(Cors(space.embed_origins or ()))

    def answer_error(self, status: int, message: str, error: Exception | None = None) -> bottle.HTTPResponse:
        """Return the answer that says what is wrong; ``error`` is what was raised."""
        body, headers = self._explain(status, message, error)
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, TooMany):
            headers["Retry-After"] = str(error.seconds)
        return bottle.HTTPResponse(body, status, **headers)

    def default_error_handler(self, res: bottle.HTTPError) -> bytes:
        """Answer Bottle's own errors; their headers stay."""
        body, headers = self._explain(res.status_code, message_of(res, for_page=wants_page(bottle.request.environ)))
        for header, value in headers.items():
            bottle.response.set_header(header, value)
        return body

    def _explain(self, status: int, message: str, error: Exception | None = None) -> tuple[bytes, dict[str, str]]:
        """Return body and headers: JSON, or a page where a person looks."""
        self.refusals.add(str(status))
        environ = bottle.request.environ
        if not wants_page(environ):
            return error_body(message), {"Content-Type": "application/json"}
        viewer = self._access.viewer(environ)
        if isinstance(error, UnknownMachine):  # its suggestions become links
            machines, named = self._fleet.configuration.machines, map(self._fleet.find, error.suggestions)
            nearest = [(name, machines[name].display_name) for name in named]
            name = str(UnknownMachine(error.name)).partition(": ")[2]
            return error_page(status, phrase("No such machine: {name}", name=name), viewer, nearest)
        if isinstance(error, UnknownUser):
            message = phrase("No such user: {name}", name=message.partition(": ")[2])
        return error_page(status, message, viewer)


class _WrongTokens:
    """A Bottle plugin: wrong tokens where none is needed are limited, counted and logged. Somebody may be guessing."""

    name = "wrong tokens"
    api = 2

    def __init__(self, access: Access, refusals: Counts) -> None:
        self._access = access
        self._refusals = refusals

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        """Wrap a route, unless it asks for a token: then it looks itself."""
        operation = route.config.get("api")
        if operation and operation.security:
            return callback

        def looked_at(*args: Any, **kwargs: Any) -> Any:
            request = bottle.request
            with refusals_in_log():
                right = self._access.token_is_right(request.environ)
            if not right:
                self._refusals.add("401")
                log.warning("a wrong token with %s %s from %s", request.method, request.path, request.remote_addr)
            return callback(*args, **kwargs)

        return looked_at


def create_app(
    fleet: MachineFleet,
    access: Access,
    load: admin.Load,
    notes: Callable[[], dict[str, str]] = dict,
    space: Space | None = None,
    language: Language | None = None,
) -> Application:
    """Put the application together.

    ``load`` reads the configuration files anew (for the reloads); ``notes`` returns what ``/readyz``
    mentions without being unready for it. ``space`` is what the space calls itself and shows to others,
    ``language`` that of the pages.
    """
    space = space or Space()
    app = Application(fleet, access, space, language or Language())
    readers.routes(app, fleet, access, app.reports)
    admin.routes(app, fleet, access, load)
    erasure.routes(app, fleet, access)
    users.routes(app, fleet, access)
    logins.routes(app, fleet, access)
    reader_keys.routes(app, fleet, access)
    health.routes(app, fleet, notes)
    events.routes(app, fleet, access)
    machines.routes(app, fleet, access)
    past = History(fleet.store)
    usage.routes(app, fleet, access, past)
    metrics.routes(app, app.metrics)
    openapi.routes(app)
    live, said = board.live_board(fleet), Notes()
    board.routes(app, fleet, access, live, said)
    history.routes(app, fleet, access, past, live, said)
    shop.routes(app, fleet, access, past)
    report.routes(app, fleet, access, said)
    people.routes(app, fleet, access, said)
    people_changes.routes(app, fleet, access, said)
    login.routes(app, access, app.refusals.add)
    docs.routes(app, access)
    manual.routes(app)
    assets.routes(app)
    home_screen.routes(app, space, app.language)
    labels.routes(app, fleet, access)
    embed.routes(app, fleet, live, access, space)
    spaceapi.routes(app, fleet, space)
    return app
