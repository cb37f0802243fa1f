"""The removal of names and fobs from the journal: a person's, and old ones."""

from __future__ import annotations

import logging

import bottle

from mac_actors.errors import UnknownPerson
from mac_actors.fleet import erasure
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import Operation
from mac_actors.web.api.request_models import ForgetBody
from mac_actors.web.api.responses.common import SuccessBody, json_of
from mac_actors.web.api.responses.users import ForgottenBody
from mac_actors.web.errors import RequestRefused
from mac_actors.web.requests import parse_body, read_body

log = logging.getLogger(__name__)


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the routes."""

    @app.post(
        "/api/forget",
        api=Operation(
            "Remove a person's name and fobs from the journal",
            ForgottenBody,
            errors=(404, 409, 503),
            body=ForgetBody,
            security="admin",
        ),
    )
    def forget() -> bytes:
        access.check_admin_call(bottle.request.environ)
        body = parse_body(ForgetBody, read_body(bottle.request.environ) or b"{}")
        directory = fleet.configuration.directory
        try:
            who = erasure.find(body.user, directory, fleet.journal)
        except UnknownPerson as error:
            raise RequestRefused(409 if error.several else 404, str(error)) from None
        if body.only_look:
            return json_of(ForgottenBody(account_id=who.account_id, name=who.full_name, done=False))
        fleet.logins.forget(who.account_id)  # before the log is emptied: their names are in their sessions
        done = erasure.carry_out(who, directory, fleet.journal, fleet.users)
        log.warning("a person was forgotten: %d events were changed", done.events)
        return json_of(
            ForgottenBody(
                account_id=who.account_id,
                name=who.full_name,
                done=True,
                events=done.events,
                current_events=list(done.current),
                notices=done.notices,
                emptied=done.emptied,
                configured=done.configured,
            )
        )

    @app.post(
        "/api/confirm-clock",
        api=Operation(
            "Say that the computer's clock, which the server doubts, is right: names may be removed from old events",
            SuccessBody,
            errors=(409,),
            security="admin",
        ),
    )
    def confirm_clock() -> bytes:
        access.check_admin_call(bottle.request.environ)
        if fleet.retention is None or not fleet.retention.in_doubt:
            raise RequestRefused(409, "the clock is not in doubt: names are removed when MAC_RETENTION_DAYS says so")
        fleet.retention.confirm_clock()
        return json_of(SuccessBody(), exclude_none=True)
