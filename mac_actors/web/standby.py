"""The application of a server that owns no machines, while it reaches none that does: readers get the hold answer."""

from __future__ import annotations

from collections.abc import Callable

import bottle
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, exposition

from mac_actors.cluster.holding import HoldingFleet
from mac_actors.cluster.telling import NOBODY
from mac_actors.web.access import Access
from mac_actors.web.api import admin, readers
from mac_actors.web.api.responses.common import json_of
from mac_actors.web.api.responses.server import HealthBody, ReadyBody
from mac_actors.web.errors import Errors, RequestRefused, error_body
from mac_actors.web.metrics.metrics import CellCollector, CellNumbers


def create_standby_app(
    fleet: HoldingFleet,
    access: Access,
    serves: Callable[[], bool],
    problems: Callable[[], dict[str, str]] = dict,
    notes: Callable[[], dict[str, str]] = dict,
    numbers: CellNumbers | None = None,
) -> bottle.Bottle:
    """Put it together. ``serves`` says whether an owner is reached after all; ``problems`` keep this server from taking
    over, by part, ``notes`` do not; ``numbers`` are for its metrics.
    """
    app = bottle.Bottle()
    app.install(Errors(_answer))
    readers.routes(app, fleet, access, readers.ReportCalls(fleet, access, lambda seconds: None))
    admin.command_routes(app, fleet, access)
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    if numbers:
        registry.register(CellCollector(numbers))

    @app.get("/healthz")
    def healthz() -> bytes:
        if "serving" in bottle.request.query and not serves():
            bottle.response.status = 503
            return json_of(HealthBody(status="no server owns the machines, or it is not reached"))
        return json_of(HealthBody(status="ok"))

    @app.get("/readyz")
    def readyz() -> bytes:
        found = problems()
        bottle.response.status = 503 if found else 200
        return json_of(ReadyBody(ready=not found, problems=found, notes=notes()))

    @app.get("/metrics")
    def metrics() -> bytes:
        bottle.response.content_type = exposition.CONTENT_TYPE_PLAIN_0_0_4
        text: bytes = exposition.generate_latest(registry)
        return text

    @app.route("<path:path>", "ANY")
    def other(path: str) -> bytes:
        raise RequestRefused(503, NOBODY)

    return app


def _answer(status: int, message: str, error: Exception | None = None) -> bottle.HTTPResponse:
    headers = {"Content-Type": "application/json"} | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
    return bottle.HTTPResponse(error_body(message), status, **headers)
