"""The admins' endpoints: oops, lock, clear, and reloading the configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import bottle

from mac_actors import clock
from mac_actors.cluster.holding import HoldingFleet
from mac_actors.core.config import Configuration
from mac_actors.core.inputs import Clear, Command, Done, Lock, Oops, Unlock, Unoops
from mac_actors.core.outcomes import kind as kind_of
from mac_actors.core.redaction import without_fob, without_names
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.web.access import Access
from mac_actors.web.api.events import DETAILS, outcome_details
from mac_actors.web.api.openapi import Operation, query
from mac_actors.web.api.request_models import AdminBody, Body, LockBody
from mac_actors.web.api.responses.common import OutcomeBody, SuccessBody, json_of
from mac_actors.web.api.responses.readers import OutputsBody, PokedBody
from mac_actors.web.api.responses.server import ReloadBody, UsersChangeBody
from mac_actors.web.requests import is_set, parse_body, read_body

_CALLS: tuple[tuple[str, str, type[Command], str], ...] = (
    ("POST", "oops", Oops, "Oops a machine: relay off at once, session over"),
    ("DELETE", "oops", Unoops, "Lift an oops"),
    ("POST", "locked_out", Lock, "Lock a machine out for maintenance: relay off at once, session over"),
    ("DELETE", "locked_out", Unlock, "Lift a lock-out"),
    ("POST", "maintenance_done", Done, "Say that maintenance was done: `reason` is what"),
    ("POST", "clear", Clear, "Lift oops and lock-out, whichever are set"),
)

_WARNINGS = query("details", "`1`: `warnings` too", type="string")
_FORCE = query("force", "`1`: reload also where it was refused as unsafe (409)", type="string")


class Load(Protocol):
    """Reads the configuration files anew; ``machines=False``: the users file alone."""

    def __call__(self, *, machines: bool = True) -> Configuration:
        """Read, check and return; raises :class:`~mac_actors.errors.ConfigError`."""


def _dated(command: Command) -> Command:
    """Have a command lift nothing that was set while it was under way: whoever gave it may have given it up, and have
    locked the machine out instead.
    """
    now = clock.seconds()
    waited = now - (bottle.request.environ.get("mac.received") or now)
    return replace(command, given=command.at - timedelta(seconds=waited))


def command_routes(app: bottle.Bottle, fleet: MachineFleet | HoldingFleet, access: Access) -> None:
    """Add the routes of commands to machines."""

    def command(kind: type[Command], model: type[AdminBody]) -> Callable[[str], bytes]:
        def carry_out(name: str) -> bytes:
            caller = access.check_admin_call(bottle.request.environ)
            body = parse_body(model, read_body(bottle.request.environ) or b"{}")
            answer = fleet.ask(fleet.find(name), _dated(body.command(kind, caller.name)))
            if answer.already:
                bottle.response.set_header("Mac-Already", " ".join(answer.already))
            success = SuccessBody(durable=None if answer.durable else False)
            if is_set("details"):
                redact = without_fob if access.shows_names(bottle.request.environ) else without_names
                success.outcomes = [
                    OutcomeBody(kind=kind_of(outcome), outcome=outcome_details(redact(outcome)))
                    for outcome in answer.outcomes
                ]
                success.outputs = OutputsBody.model_validate(answer.outputs)
            return json_of(success, exclude_none=True)

        return carry_out

    for method, path, kind, summary in _CALLS:
        model = LockBody if kind is Lock else AdminBody
        operation = Operation(summary, SuccessBody, errors=(503,), body=model, query=(DETAILS,), security="admin")
        app.route(f"/api/machine/{path}/<name:path>", method, command(kind, model), api=operation)


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, load: Load) -> None:
    """Add the admins' routes."""
    command_routes(app, fleet, access)

    operation = Operation("Have a reader report now, and say how long that took", PokedBody, (503,), security="admin")

    @app.post("/api/machine/poke/<name:path>", api=operation)
    def poke(name: str) -> bytes:
        access.check_admin_call(bottle.request.environ)
        return json_of(PokedBody.model_validate(fleet.poke(name)))

    def reloading(summary: str, result: type[Body], *more: dict[str, Any]) -> Operation:
        return Operation(summary, result, errors=(409, 422), query=(_FORCE, *more), security="admin")

    @app.post("/api/reload-users", api=reloading("Read users.json again", UsersChangeBody))
    def reload_users() -> bytes:
        access.check_admin_call(bottle.request.environ)
        summary = fleet.reload(load(machines=False), machines=False, force=is_set("force"))
        return json_of(UsersChangeBody.model_validate(summary.users))

    @app.post("/api/reload", api=reloading("Read machines.json and users.json again", ReloadBody, _WARNINGS))
    def reload() -> bytes:
        access.check_admin_call(bottle.request.environ)
        summary = fleet.reload(load(), force=is_set("force"))
        changes = {"users": summary.users, "machines": summary, "powered_on": summary.powered_on}
        body = ReloadBody.model_validate(changes | ({"warnings": summary.warnings} if is_set("details") else {}))
        return json_of(body, exclude_none=True)
