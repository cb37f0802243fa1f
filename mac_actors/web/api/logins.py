"""Personal logins of admins, and the sessions of the board: listed, made and ended."""

from __future__ import annotations

import bottle

from mac_actors.actors.replies import Latch
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.web.access import Access, Caller
from mac_actors.web.api.openapi import Operation
from mac_actors.web.api.request_models import AdminBody, NewAdminBody
from mac_actors.web.api.responses.common import SuccessBody, json_of
from mac_actors.web.api.responses.logins import (
    AdminsBody,
    LoginSessionBody,
    NewTokenBody,
    PersonalLoginBody,
    SessionsBody,
)
from mac_actors.web.errors import RequestRefused
from mac_actors.web.requests import parse_body, read_body


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the routes."""
    logins = fleet.logins

    def caller() -> Caller:
        return access.check_admin_call(bottle.request.environ)

    def body_of_admin() -> AdminBody:
        return parse_body(AdminBody, read_body(bottle.request.environ) or b"{}")

    def durable(written: Latch) -> bool | None:
        return None if written.wait(fleet.commit_budget) and written.durable else False

    @app.get("/api/admins", api=Operation("Personal logins of admins", AdminsBody, security="admin"))
    def admins() -> bytes:
        caller()
        return json_of(AdminsBody(admins=[PersonalLoginBody.model_validate(one) for one in logins.admins]))

    @app.post(
        "/api/admins",
        api=Operation(
            "Make a personal login; its token is told this once",
            created=NewTokenBody,
            errors=(409, 503),
            body=NewAdminBody,
            security="admin",
        ),
    )
    def add() -> bytes:
        who = caller()
        body = parse_body(NewAdminBody, read_body(bottle.request.environ) or b"{}")
        token, written = logins.add_admin(body.name, who.name or body.by)
        fleet.notify(f"{body.name} has a personal login as admin now{_by(who, body)}.")
        bottle.response.status = 201
        return json_of(NewTokenBody(name=body.name, token=token, durable=durable(written)), exclude_none=True)

    @app.delete(
        "/api/admins/<login:path>",
        api=Operation("Revoke a personal login", SuccessBody, errors=(503,), body=AdminBody, security="admin"),
    )
    def revoke(login: str) -> bytes:
        who = caller()
        body = body_of_admin()
        written = logins.revoke_admin(login)
        if written is None:
            raise RequestRefused(
                404, f"nobody has a personal login as {login[:80]}: 'mac-actors admins list' shows who has"
            )
        fleet.notify(f"{login} has no personal login as admin any more{_by(who, body)}.")
        return json_of(SuccessBody(durable=durable(written)), exclude_none=True)

    @app.get("/api/sessions", api=Operation("Who is logged in on the board", SessionsBody, security="admin"))
    def sessions() -> bytes:
        caller()
        return json_of(SessionsBody(sessions=[LoginSessionBody.model_validate(one) for one in logins.sessions()]))

    @app.delete(
        "/api/sessions/<session:path>",
        api=Operation("End a session of the board", SuccessBody, errors=(503,), security="admin"),
    )
    def end(session: str) -> bytes:
        caller()
        written = logins.end(session)
        if written is None:
            raise RequestRefused(404, "there is no such session (any more): 'mac-actors admins sessions' shows them")
        return json_of(SuccessBody(durable=durable(written)), exclude_none=True)


def _by(who: Caller, body: AdminBody) -> str:
    name = who.name or (f"an admin ({body.by})" if body.by else "an admin")
    return f", by {name}"
