"""What monitors ask: which service this is, whether it lives and whether it can serve."""

from __future__ import annotations

from collections.abc import Callable

import bottle

from mac_actors.fleet.fleet import MachineFleet
from mac_actors.version import VERSION
from mac_actors.web.api.openapi import Operation, query, response
from mac_actors.web.api.responses.common import json_of
from mac_actors.web.api.responses.server import HealthBody, ReadyBody, ServiceBody


def routes(app: bottle.Bottle, fleet: MachineFleet, notes: Callable[[], dict[str, str]]) -> None:
    """Add the routes; ``notes`` says what is wrong beside the fleet (Slack's troubles)."""

    @app.get("/api/", api=Operation("Name and version of the service", ServiceBody))
    @app.get("/api")
    def service() -> bytes:
        return json_of(ServiceBody(name="mac-actors", version=VERSION))

    serves = {200: response("It is", HealthBody), 503: response("It serves nobody now, with `serving`", HealthBody)}
    serving = query("serving", "there, with any value or none: whether the server serves too", type="string")

    @app.get("/healthz", api=Operation("Whether the process is alive", HealthBody, responses=serves, query=(serving,)))
    def healthz() -> bytes:
        if "serving" in bottle.request.query and not fleet.owns:
            bottle.response.status = 503
            return json_of(HealthBody(status="another server is taking over"))
        return json_of(HealthBody(status="ok"))

    ready = {200: response("It can", ReadyBody), 503: response("It can't; `problems` says why", ReadyBody)}

    @app.get("/readyz", api=Operation("Whether the server can serve", ReadyBody, responses=ready))
    def readyz() -> bytes:
        problems = fleet.health()
        if problems:
            bottle.response.status = 503
        return json_of(ReadyBody(ready=not problems, problems=problems, notes=notes()))
