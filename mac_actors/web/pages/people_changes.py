"""What is changed of a user on their page. Each change answers with that page, which says what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import bottle

from mac_actors.core import wording
from mac_actors.core.config import User
from mac_actors.core.people.changes import AlreadySo
from mac_actors.core.people.view import UserAnswer
from mac_actors.core.phrases import phrase
from mac_actors.errors import UserRefused
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.people.permissions import allow_any, allow_authorization, allow_fob, allow_take
from mac_actors.web.access import ANYBODY_WITH_THE_TOKEN, Access, Caller
from mac_actors.web.api.request_models import FobBody, NewUserBody, UntilBody
from mac_actors.web.api.users import future
from mac_actors.web.errors import RequestRefused, refusals_in_log
from mac_actors.web.pages.board import NOT_DURABLE
from mac_actors.web.pages.html import language, see_other, url
from mac_actors.web.pages.notes import Notes
from mac_actors.web.pages.person import author_of, held_lately, ref_of, undoing
from mac_actors.web.requests import parse_fields, read_form

ALREADY = {
    AlreadySo.USER_ADDED: phrase("{who} was added already: nothing was changed."),
    AlreadySo.FOB_GIVEN: phrase("{who} has this fob already: nothing was changed."),
    AlreadySo.FOB_TAKEN: phrase("{who} does not have this fob: nothing was changed."),
    AlreadySo.AUTHORIZED: phrase("{who} is authorized already: nothing was changed."),
    AlreadySo.NOT_AUTHORIZED: phrase("{who} is not authorized: nothing was changed."),
}

HOLD_AGAIN = phrase("this fob was held to a reader more than 10 minutes ago: hold it there again")


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, notes: Notes) -> None:
    """Add what the pages' forms call."""
    users = fleet.users

    @app.post("/board/people")
    def add() -> Any:
        form, caller = form_of_caller()
        seen = held_lately(users, form.get("fob", ""))
        if form.get("fob") and seen is None:
            raise UserRefused(HOLD_AGAIN)
        wanted = ("full_name", "email", "expiration_ymd")
        body = parse_fields(NewUserBody, {name: form.get(name) or None for name in wanted})
        allow_any(users, caller.account_id)
        answer = users.add(
            body.full_name,
            email=body.email or "",
            expires=body.expiration_ymd,
            fob=None if seen is None else seen.code,
            author=author_of(caller),
        )
        return done(answer, seen.machine if seen else "")

    @app.post("/board/people/<account:path>")
    def change(account: str) -> Any:
        form, caller = form_of_caller()
        user = users.of_account(account)
        if form.get("action") == "give" and not form.get("code"):
            seen = held_lately(users, form.get("fob", ""))
            if seen is None:
                raise UserRefused(HOLD_AGAIN)
            if users.people.directory.find(seen.code) is None:  # else it is said whose it is
                allow_fob(users, caller.account_id, seen.code)
            allow_any(users, caller.account_id)
            return done(users.give_fob(user, seen.code, author=author_of(caller)), seen.machine)
        return done(_carry_out(fleet, user, form, caller))

    def form_of_caller() -> tuple[dict[str, str], Caller]:
        form = read_form(bottle.request.environ)
        with refusals_in_log():
            viewer = access.check_people_form(bottle.request.environ, form.get("csrf", ""))
        return form, viewer.caller or ANYBODY_WITH_THE_TOKEN

    def done(answer: UserAnswer, machine: str = "") -> bottle.HTTPResponse:
        """Say on the user's page what came of a change; after a fob was given, also what ``machine`` asks for."""
        say = language().say
        texts = [say(wording.full_text(outcome)) for outcome in answer.outcomes]
        texts += [say(ALREADY[word].template, who=answer.user.full_name) for word in answer.already]
        texts += [] if answer.durable else [say(NOT_DURABLE)]
        at = f"&at={quote(machine, safe='')}" if machine else ""
        return see_other(f"{url('people', answer.user.account_id)}?said={notes.keep(' '.join(texts))}{at}")


def _carry_out(fleet: MachineFleet, user: User, form: Mapping[str, str], caller: Caller) -> UserAnswer:
    users, author, trainer, action = fleet.users, author_of(caller), caller.account_id, form.get("action", "")
    value, until = form.get("value", ""), None
    if action == "undo":
        action, value, until = undoing(fleet, user, form.get("addition", ""))
    elif action == "give":
        value = parse_fields(FobBody, {"code": form.get("code")}).code or ""
    elif action == "take":
        value = next((code for code in user.fob_codes if ref_of(code) == value), "")
    elif action == "authorize":
        until = future(parse_fields(UntilBody, {"until": form.get("until") or None}).until)
    match action:
        case "give":
            allow_fob(users, trainer, value)
            return users.give_fob(user, value, author=author)
        case "take":
            if not value:
                raise UserRefused(
                    phrase("{who} does not have this fob (any more): nothing was changed", who=user.full_name)
                )
            allow_take(users, trainer, author, users.show(user), value)
            return users.take_fob(user, value, author=author)
        case "authorize":
            allow_authorization(users, trainer, value)
            return users.authorize(user, value, until=until, author=author)
        case "withdraw":
            allow_authorization(users, trainer, value)
            return users.withdraw(user, value, author=author)
    raise RequestRefused(422, "action: expected one of give, take, authorize, withdraw, undo")
