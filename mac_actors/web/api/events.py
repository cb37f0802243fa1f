"""The journal for programs: what happened, newest first."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import bottle

from mac_actors.core import outcomes
from mac_actors.core.events import event_fields
from mac_actors.core.outcomes import Outcome
from mac_actors.core.redaction import without_fob, without_names
from mac_actors.core.state import Refusal
from mac_actors.errors import UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage import codec
from mac_actors.storage.records import Entry
from mac_actors.web.access import Access
from mac_actors.web.api.machines import machine_body
from mac_actors.web.api.openapi import Operation, query
from mac_actors.web.api.responses.common import json_of
from mac_actors.web.api.responses.events import EventBody, EventsBody
from mac_actors.web.errors import RequestRefused
from mac_actors.web.limiter import JOURNAL
from mac_actors.web.requests import is_set, number, read_query, time

DEFAULT_LIMIT, HIGHEST_LIMIT = 100, 1000
"""Lines of the journal in one answer."""

DETAILS = query("details", "`1`: tell outcomes field by field too", type="string")

_PAGING = (
    DETAILS,
    query("cursor", "`next` of the page before", type="integer", minimum=1),
    query(
        "limit",
        f"lines a page; more than {HIGHEST_LIMIT} counts as {HIGHEST_LIMIT}",
        type="integer",
        minimum=1,
        default=DEFAULT_LIMIT,
    ),
    query("since", "only what happened at or after this time", type="string", format="date-time"),
    query("kind", type="string", enum=sorted(outcomes.KINDS)),
)


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the routes. They come before those of the machines, whose paths begin alike."""

    @app.get(
        "/api/machines/<name:path>/events",
        limit=JOURNAL,
        api=Operation("The journal of one machine, newest first", EventsBody, errors=(422, 503), query=_PAGING),
    )
    def machine_events(name: str) -> bytes:
        with suppress(UnknownMachine):  # an alias may end like this path
            names = access.shows_names(bottle.request.environ)
            return json_of(machine_body(fleet.snapshot(f"{name}/events"), names=names))
        return page_of_events(fleet.find(name))

    @app.get(
        "/api/events",
        limit=JOURNAL,
        api=Operation("The journal of all machines, newest first", EventsBody, errors=(422, 503), query=_PAGING),
    )
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
        names, details = access.shows_names(bottle.request.environ), is_set("details")
        fobs = machine is None and access.is_admin(bottle.request.environ)
        lines = [event_body(entry, names=names, details=details, fobs=fobs) for entry in page.entries]
        hidden = {field for field, shown in (("outcome", details), ("fob", fobs)) if not shown}
        body = EventsBody(events=lines, next=None if page.next is None else str(page.next))
        return json_of(body, exclude={"events": {"__all__": hidden}})


def event_body(entry: Entry, *, names: bool, details: bool = False, fobs: bool = False) -> EventBody:
    """Return a line of the journal as the API shows it; ``details``: field by field too; ``fobs``: an unknown one's
    whole code, so that it can be given to somebody.
    """
    outcome, redact = entry.outcome, without_fob if names else without_names
    return EventBody(
        **event_fields(entry.id, outcome, names=names),
        fob=_unknown_fob(outcome) if fobs else None,
        outcome=outcome_details(redact(outcome)) if details else None,
    )


def _unknown_fob(outcome: Outcome) -> str | None:
    unknown = isinstance(outcome, outcomes.SessionRefused) and outcome.refusal is Refusal.UNKNOWN
    return outcome.fob or None if unknown else None


def outcome_details(outcome: Outcome) -> dict[str, Any]:
    """Return the fields of an outcome, which is redacted as its reader demands, as JSON."""
    fields: dict[str, Any] = json.loads(codec.dump_outcome(outcome))
    return fields


def _kind(value: str | None) -> str | None:
    if value is not None and value not in outcomes.KINDS:
        raise RequestRefused(422, f"kind: expected one of {', '.join(sorted(outcomes.KINDS))}")
    return value
