"""What everybody may read: machines, the journal, health. Names only where :mod:`mac_actors.web.access` allows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import bottle

from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Flag, Session
from mac_actors.errors import UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.version import VERSION
from mac_actors.web.access import Access
from mac_actors.web.api.details import outcome_details, wants_details
from mac_actors.web.api.events import DEFAULT_LIMIT, HIGHEST_LIMIT, _kind, event_body
from mac_actors.web.api.response_models import (
    EventsBody,
    FlagBody,
    HealthBody,
    MachineBody,
    MachinesBody,
    ReadyBody,
    ServiceBody,
    SessionBody,
    TelemetryBody,
    json_of,
)
from mac_actors.web.requests import number, read_query, time


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, notes: Callable[[], dict[str, str]]) -> None:
    """Add the reading routes; ``notes`` says what is wrong beside the fleet (Slack's troubles)."""

    def names() -> bool:
        return access.shows_names(bottle.request.environ)

    @app.get("/api/")
    @app.get("/api")
    def service() -> bytes:
        return json_of(ServiceBody(name="mac-actors", version=VERSION))

    @app.get("/api/machines")
    def machines() -> bytes:
        shown = names()
        return json_of(MachinesBody(machines=[machine_body(s, names=shown) for s in fleet.snapshots()]))

    @app.get("/api/machines/<name:path>/events", limited=True)
    def machine_events(name: str) -> bytes:
        with suppress(UnknownMachine):
            return show(f"{name}/events")  # an alias may end like this path
        return page_of_events(fleet.find(name))

    @app.get("/api/machines/<name:path>")
    def machine(name: str) -> bytes:
        return show(name)

    def show(name: str) -> bytes:
        return json_of(machine_body(fleet.snapshot(name), names=names()))

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
        shown = names()
        lines = [event_body(entry, names=shown) for entry in page.entries]
        hidden: Any = None
        if wants_details():
            for line, entry in zip(lines, page.entries, strict=True):
                line.outcome = outcome_details(entry.outcome, names=shown)
        else:
            hidden = {"events": {"__all__": {"outcome"}}}
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
