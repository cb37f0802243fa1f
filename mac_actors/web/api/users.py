"""The users for programs: found, and changed over what users.json says; and the unknown fobs."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

import bottle

from mac_actors.core.config import read_fob
from mac_actors.core.outcomes import kind
from mac_actors.core.people.additions import end_of
from mac_actors.core.people.view import UserAnswer, UserView
from mac_actors.core.redaction import without_fob
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.people.permissions import allow_any, allow_authorization, allow_fob, allow_take, for_trainers
from mac_actors.web.access import Access, Caller
from mac_actors.web.api.events import DEFAULT_LIMIT, DETAILS, HIGHEST_LIMIT, outcome_details
from mac_actors.web.api.openapi import Operation, query
from mac_actors.web.api.request_models import AdminBody, FobBody, NewUserBody, UntilBody
from mac_actors.web.api.responses.common import OutcomeBody, json_of
from mac_actors.web.api.responses.users import ChangedUserBody, UnknownFobBody, UnknownFobsBody, UserBody, UsersBody
from mac_actors.web.errors import RequestRefused, refusals_in_log
from mac_actors.web.limiter import JOURNAL
from mac_actors.web.requests import is_set, number, parse_body, read_body, read_query

_ACCOUNT = "(?:(?!/fobs$|/fobs/|/authorizations/).)+"
"""An account id in a path, which may have slashes in it, but not those of the paths below."""

_FINDING = (
    query(
        "q", "words, of which each is part of a name, the account id or, for admins, the e-mail address", type="string"
    ),
    query("cursor", "`next` of the page before", type="integer", minimum=1),
    query(
        "limit",
        f"users a page; more than {HIGHEST_LIMIT} counts as {HIGHEST_LIMIT}",
        type="integer",
        minimum=1,
        default=DEFAULT_LIMIT,
    ),
)


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the routes."""
    users = fleet.users
    app.router.add_filter("account", lambda _: (_ACCOUNT, None, None))

    def caller() -> Caller:
        with refusals_in_log():
            found = access.check_people(bottle.request.environ)
            allow_any(users, found.account_id)
            return found

    def changing(summary: str, body: Any, *errors: int) -> Operation:
        return Operation(summary, ChangedUserBody, errors=(*errors, 503), body=body, query=(DETAILS,), security="admin")

    @app.get(
        "/api/users",
        limit=JOURNAL,
        api=Operation("Users, by name", UsersBody, errors=(422, 503), query=_FINDING, security="admin"),
    )
    def find() -> bytes:
        who = caller()
        asked = read_query()
        found = users.search(asked.get("q", ""), addresses=who.admin)
        first = number("cursor", asked.get("cursor")) or 0
        last = first + min(number("limit", asked.get("limit")) or DEFAULT_LIMIT, HIGHEST_LIMIT)
        now = datetime.now(UTC)
        page = [body_of(UserView.of(users.people, user, now), who) for user in found[first:last]]
        return json_of(UsersBody(users=page, next=str(last) if len(found) > last else None))

    @app.post(
        "/api/users",
        api=Operation(
            "Add a user who is not in users.json",
            ChangedUserBody,
            errors=(409, 503),
            body=NewUserBody,
            query=(DETAILS,),
            security="admin",
            created=ChangedUserBody,
        ),
    )
    def add() -> bytes:
        who = caller()
        body = parse_body(NewUserBody, read_body(bottle.request.environ) or b"{}")
        allow_fob(users, who.account_id, body.fob)
        answer = users.add(
            body.full_name,
            preferred_name=body.preferred_name or "",
            email=body.email or "",
            expires=body.expiration_ymd,
            fob=body.fob,
            author=body.author(who),
        )
        bottle.response.status = 200 if answer.already else 201
        return changed(answer, who)

    @app.post("/api/users/<account:account>/fobs", api=changing("Give a user a fob", FobBody, 409))
    def give_fob(account: str) -> bytes:
        who = caller()
        body = parse_body(FobBody, read_body(bottle.request.environ) or b"{}")
        if (body.code is None) == (body.seen_at is None):
            raise RequestRefused(422, "expected either code, the number of a fob, or seen_at, a machine")
        allow_fob(users, who.account_id, body.code)
        user = users.of_account(account)
        return changed(users.give_fob(user, body.code, seen_at=body.seen_at, author=body.author(who)), who)

    @app.delete(
        "/api/users/<account:account>/fobs/<code:path>", api=changing("Have a user's fob count no more", AdminBody)
    )
    def take_fob(account: str, code: str) -> bytes:
        who = caller()
        body = parse_body(AdminBody, read_body(bottle.request.environ) or b"{}")
        user, author, number = users.of_account(account), body.author(who), fob(code)
        allow_take(users, who.account_id, author, users.show(user), number)
        return changed(users.take_fob(user, number, author=author), who)

    @app.put(
        "/api/users/<account:account>/authorizations/<authorization:path>", api=changing("Authorize a user", UntilBody)
    )
    def grant(account: str, authorization: str) -> bytes:
        who = caller()
        body = parse_body(UntilBody, read_body(bottle.request.environ) or b"{}")
        allow_authorization(users, who.account_id, authorization)
        user = users.of_account(account)
        return changed(users.authorize(user, authorization, until=future(body.until), author=body.author(who)), who)

    @app.delete(
        "/api/users/<account:account>/authorizations/<authorization:path>",
        api=changing("Have a user's authorization count no more", UntilBody),
    )
    def withdraw(account: str, authorization: str) -> bytes:
        who = caller()
        body = parse_body(UntilBody, read_body(bottle.request.environ) or b"{}")
        allow_authorization(users, who.account_id, authorization)
        user = users.of_account(account)
        return changed(users.withdraw(user, authorization, until=future(body.until), author=body.author(who)), who)

    @app.get("/api/users/<account:account>", api=Operation("One user", UserBody, errors=(503,), security="admin"))
    def show(account: str) -> bytes:
        who = caller()
        return json_of(body_of(users.show(users.of_account(account)), who))

    @app.get(
        "/api/fobs/unknown",
        api=Operation(
            "Unknown fobs that were held to readers lately", UnknownFobsBody, errors=(503,), security="admin"
        ),
    )
    def unknown() -> bytes:
        caller()
        return json_of(UnknownFobsBody(fobs=[UnknownFobBody.model_validate(one) for one in users.unknown()]))


def body_of(view: UserView, who: Caller) -> UserBody:
    """Return a user as this caller is to see them."""
    return UserBody.model_validate(view if who.admin else for_trainers(view))


def changed(answer: UserAnswer, who: Caller) -> bytes:
    """Answer with what came of a change."""
    if answer.already:
        bottle.response.set_header("Mac-Already", " ".join(answer.already))
    view = answer.user if who.admin else for_trainers(answer.user)
    values = {field.name: getattr(view, field.name) for field in fields(view)}
    values |= {"already": answer.already, "durable": answer.durable}
    if is_set("details"):
        values["outcomes"] = [
            OutcomeBody(kind=kind(outcome), outcome=outcome_details(without_fob(outcome)))
            for outcome in answer.outcomes
        ]
    return json_of(ChangedUserBody.model_validate(values))


def fob(code: str) -> str:
    """Understand the number of a fob in a path; raises :class:`RequestRefused` (422)."""
    try:
        if found := read_fob(code):
            return found
    except ValueError:
        pass
    raise RequestRefused(422, "expected the number of a fob in the path")


def future(until: date | None) -> date | None:
    """Let a last day pass that is not over; raises :class:`RequestRefused` (422)."""
    if until is not None and end_of(until) <= datetime.now(UTC):
        raise RequestRefused(422, f"until: expected a day from today on, not {until}")
    return until
