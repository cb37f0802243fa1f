"""The machines as they are now. Names only where :mod:`mac_actors.web.access` allows."""

from __future__ import annotations

import bottle

from mac_actors.core.snapshot import Snapshot
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import Operation
from mac_actors.web.api.responses.common import json_of
from mac_actors.web.api.responses.machines import MachineBody, MachinesBody


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the routes."""

    @app.get("/api/machines", api=Operation("All machines as they are now", MachinesBody))
    def machines() -> bytes:
        names = access.shows_names(bottle.request.environ)
        return json_of(MachinesBody(machines=[machine_body(machine, names=names) for machine in fleet.snapshots()]))

    @app.get("/api/machines/<name:path>", api=Operation("One machine as it is now", MachineBody))
    def machine(name: str) -> bytes:
        return json_of(machine_body(fleet.snapshot(name), names=access.shows_names(bottle.request.environ)))


def machine_body(machine: Snapshot, *, names: bool) -> MachineBody:
    """Return a machine as the API shows it."""
    return MachineBody.model_validate(machine if names else machine.without_names())
