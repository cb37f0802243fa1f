"""How much was used, for programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import bottle

from mac_actors import clock
from mac_actors.core.outcomes import FORGOTTEN
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage.history.history import History
from mac_actors.storage.history.values import Running, Usage, UserUsage
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import Operation, query
from mac_actors.web.api.response_models import MachineUsageBody, UsageBody, UserUsageBody, json_of
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
            query=_DAYS,
        ),
    )
    def usage() -> bytes:
        query = read_query()
        today = datetime.now().astimezone().date()
        last = day("to", query.get("to")) or today
        first = day("from", query.get("from")) or last - timedelta(DEFAULT_DAYS - 1)
        if first > last:
            raise RequestRefused(422, f"from: expected a day that is not after to ({last})")
        running = running_sessions(fleet)
        machines, users = history.usage(first, last, running, users=is_admin())
        titles = {name: machine.display_name for name, machine in fleet.configuration.machines.items()}
        return json_of(
            UsageBody(
                first=first,
                last=last,
                machines=[
                    MachineUsageBody(
                        machine=name, display_name=titles.get(name, name), **_use(machines.get(name, Usage()))
                    )
                    for name in [*titles, *sorted(machines.keys() - titles.keys())]
                ],
                users=None if users is None else _users(users, fleet),
            ),
            by_alias=True,
        )


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
    known = {user.account_id: user.full_name for user in fleet.configuration.directory.users}
    people, others = [], []
    for one in users:
        if one.account_id is None or one.account_id == FORGOTTEN.account_id:
            name = UNKNOWN if one.account_id is None else REMOVED
            others.append(UserUsageBody(account_id=None, name=name, **_use(one.usage)))
        else:
            name = known.get(one.account_id, one.full_name)
            people.append(UserUsageBody(account_id=one.account_id, name=name, **_use(one.usage)))
    return sorted(people, key=lambda user: (-user.seconds, user.name)) + sorted(others, key=lambda user: user.name)


def _use(usage: Usage) -> dict[str, Any]:
    return {"sessions": usage.sessions, "seconds": round(usage.seconds, 3), "refusals": usage.refusals}
