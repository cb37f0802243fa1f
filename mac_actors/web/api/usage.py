"""How much was used, for programs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import bottle

from mac_actors import clock
from mac_actors.core.outcomes import FORGOTTEN
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage.history.history import History
from mac_actors.storage.history.values import MonthUsage, Running, Usage, UserUsage
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import Operation, query
from mac_actors.web.api.responses.common import json_of
from mac_actors.web.api.responses.usage import MachineUsageBody, MonthUsageBody, UsageBody, UserUsageBody
from mac_actors.web.errors import RequestRefused
from mac_actors.web.limiter import HISTORY
from mac_actors.web.requests import day, read_query

DEFAULT_DAYS = 30
"""Days of usage unless it is said which."""

_DAYS = tuple(
    query(name, f"the {which} day, in the server's local time", type="string", format="date")
    for name, which in (("from", "first"), ("to", "last"))
)

UNKNOWN = "unknown fobs"
REMOVED = "names removed"


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, history: History) -> None:
    """Add the route."""

    def is_admin() -> bool:
        try:
            access.check_admin(bottle.request.environ)
        except RequestRefused:
            return False
        return access.shows_names(bottle.request.environ)

    @app.get(
        "/api/usage",
        limit=HISTORY,
        api=Operation(
            "Sessions, hours and refusals by machine, and for admins by user",
            UsageBody,
            errors=(422, 503),
            query=(*_DAYS, query("by", "`month`: for admins each user's sessions at each machine by month too")),
        ),
    )
    def usage() -> bytes:
        first, last = asked_days(DEFAULT_DAYS)
        by_month = read_query().get("by") == "month"
        return json_of(usage_body(fleet, history, first, last, users=is_admin(), by_month=by_month), by_alias=True)


def asked_days(default: int) -> tuple[date, date]:
    """Return the days that the query asks for, the last ``default`` ones unless it says which.

    Raises :class:`RequestRefused` (422).
    """
    query = read_query()
    last = day("to", query.get("to") or None) or datetime.now().astimezone().date()
    first = day("from", query.get("from") or None) or last - timedelta(default - 1)
    if first > last:
        raise RequestRefused(422, f"from: expected a day that is not after to ({last})")
    return first, last


def usage_body(
    fleet: MachineFleet, history: History, first: date, last: date, *, users: bool, by_month: bool = False
) -> UsageBody:
    """Return the usage of these days, with ``users`` that of each user, then also ``by_month``."""
    running = running_sessions(fleet)
    machines, people = history.usage(first, last, running, users=users)
    titles = {name: machine.display_name for name, machine in fleet.configuration.machines.items()}
    return UsageBody(
        first=first,
        last=last,
        machines=[
            MachineUsageBody(machine=name, display_name=titles.get(name, name), **_use(machines.get(name, Usage())))
            for name in [*titles, *sorted(machines.keys() - titles.keys())]
        ],
        users=None if people is None else _users(people, fleet),
        months=_months(history.months(first, last, running), titles, fleet) if users and by_month else None,
    )


def _months(found: list[MonthUsage], titles: dict[str, str], fleet: MachineFleet) -> list[MonthUsageBody]:
    """By month, then name, then machine."""
    rows = [
        MonthUsageBody(
            month=f"{one.month:%Y-%m}",
            machine=one.machine,
            display_name=titles.get(one.machine, one.machine),
            sessions=one.user.usage.sessions,
            seconds=one.user.usage.seconds,
            **_who(one.user, fleet),
        )
        for one in found
    ]
    return sorted(rows, key=lambda row: (row.month, row.name.casefold(), row.display_name.casefold()))


def _who(user: UserUsage, fleet: MachineFleet) -> dict[str, Any]:
    if user.account_id is None or user.account_id == FORGOTTEN.account_id:
        return {"account_id": None, "name": UNKNOWN if user.account_id is None else REMOVED}
    known = fleet.configuration.directory.by_account.get(user.account_id)
    return {"account_id": user.account_id, "name": known.full_name if known else user.full_name}


def running_sessions(fleet: MachineFleet) -> list[Running]:
    """Return the sessions that run now, as the history wants them: as long as they were counted, until now."""
    now, seconds = datetime.now(UTC), clock.seconds()
    return [
        Running(config.name, session.account_id, session.full_name, now - timedelta(seconds=session.seconds(seconds)))
        for config, state in fleet.published()
        if (session := state.session)
    ]


def _users(users: list[UserUsage], fleet: MachineFleet) -> list[UserUsageBody]:
    """Those with the most hours first; then the fobs that nobody knows, and those whose names were removed."""
    found = [UserUsageBody(**_who(one, fleet), **_use(one.usage)) for one in users]
    return sorted(found, key=lambda user: (user.account_id is None, -user.seconds if user.account_id else 0, user.name))


def _use(usage: Usage) -> dict[str, Any]:
    return {"sessions": usage.sessions, "seconds": round(usage.seconds, 3), "refusals": usage.refusals}
