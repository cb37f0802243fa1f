"""What everybody may read: machines, the journal, health. Names only where :mod:`mac_actors.web.access` allows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import bottle

from mac_actors.core.snapshot import Snapshot
from mac_actors.errors import UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.version import VERSION
from mac_actors.web.access import Access
from mac_actors.web.api.details import wants_details
from mac_actors.web.api.events import DEFAULT_LIMIT, HIGHEST_LIMIT, _kind, event_body
from mac_actors.web.api.response_models import (
    EventsBody,
    HealthBody,
    MachineBody,
    MachinesBody,
    ReadyBody,
    ServiceBody,
    json_of,
)
from mac_actors.web.requests import number, read_query, time


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, notes: Callable[[], dict[str, str]]) -> None:
    """Add the reading routes; ``notes`` says what is wrong beside the fleet (Slack's troubles)."""

    def body_of(machine: Snapshot) -> MachineBody:
        names = access.shows_names(bottle.request.environ)
        return MachineBody.model_validate(machine if names else machine.without_names())

    @app.get("/api/")
    @app.get("/api")
    def service() -> bytes:
        return json_of(ServiceBody(name="mac-actors", version=VERSION))

    @app.get("/api/machines")
    def machines() -> bytes:
        return json_of(MachinesBody(machines=[body_of(machine) for machine in fleet.snapshots()]))

    @app.get("/api/machines/<name:path>/events", limited=True)
    def machine_events(name: str) -> bytes:
        with suppress(UnknownMachine):
            return show(f"{name}/events")  # an alias may end like this path
        return page_of_events(fleet.find(name))

    @app.get("/api/machines/<name:path>")
    def machine(name: str) -> bytes:
        return show(name)

    def show(name: str) -> bytes:
        return json_of(body_of(fleet.snapshot(name)))

    @app.get("/api/events", limited=True)
    def events() -> bytes:
        return page_of_events(None)

    def page_of_events(machine: str | None) -> bytes:
        query = read_query()
        page = fleet.store.page(
            machine=machine,
            kind=_kind(query.get("kind")),
            since=time("since", query.get("since")),
            before=number("cursor", query.get("cursor")),
            limit=min(number("limit", query.get("limit")) or DEFAULT_LIMIT, HIGHEST_LIMIT),
        )
        names, details = access.shows_names(bottle.request.environ), wants_details()
        lines = [event_body(entry, names=names, details=details) for entry in page.entries]
        hidden: Any = None if details else {"events": {"__all__": {"outcome"}}}
        body = EventsBody(events=lines, next=None if page.next is None else str(page.next))
        return json_of(body, exclude=hidden)

    @app.get("/healthz")
    def healthz() -> bytes:
        return json_of(HealthBody(status="ok"))

    @app.get("/readyz")
    def readyz() -> bytes:
        problems = fleet.health()
        if problems:
            bottle.response.status = 503
        return json_of(ReadyBody(ready=not problems, problems=problems, notes=notes()))
