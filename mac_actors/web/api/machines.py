"""The machines as they are now. Names only where :mod:`mac_actors.web.access` allows."""

from __future__ import annotations

import bottle

from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Flag, Session
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import Operation
from mac_actors.web.api.response_models import (
    FlagBody,
    MachineBody,
    MachinesBody,
    SessionBody,
    TelemetryBody,
    json_of,
)


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the routes."""

    def names() -> bool:
        return access.shows_names(bottle.request.environ)

    @app.get("/api/machines", api=Operation("All machines as they are now", MachinesBody))
    def machines() -> bytes:
        shown = names()
        return json_of(MachinesBody(machines=[machine_body(s, names=shown) for s in fleet.snapshots()]))

    @app.get("/api/machines/<name:path>", api=Operation("One machine as it is now", MachineBody))
    def machine(name: str) -> bytes:
        return json_of(machine_body(fleet.snapshot(name), names=names()))


def machine_body(snapshot: Snapshot, *, names: bool) -> MachineBody:
    """Return a machine as the API shows it."""
    return MachineBody(
        name=snapshot.name,
        alias=snapshot.alias,
        display_name=snapshot.display_name,
        status=snapshot.status,
        status_since=snapshot.status_since,
        online=snapshot.online,
        relay=snapshot.relay,
        second_relay=snapshot.second_relay,
        oops=_flag(snapshot.oops, names),
        lock=_flag(snapshot.lock, names),
        session=_session(snapshot.session, names),
        telemetry=TelemetryBody.model_validate(snapshot.telemetry),
        last_checkin=snapshot.last_checkin,
        last_update=snapshot.last_update,
    )


def _flag(flag: Flag | None, names: bool) -> FlagBody | None:
    if flag is None:
        return None
    return FlagBody(since=flag.since, source=flag.source, by=flag.by if names else None, reason=flag.reason)


def _session(session: Session | None, names: bool) -> SessionBody | None:
    if session is None:
        return None
    return SessionBody(since=session.since, kind=session.kind, user=session.full_name if names else None)
