"""``users`` of the fleet of a running server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from mac_actors.client.follow import read_outcome
from mac_actors.client.http import Client
from mac_actors.client.users import UsersClient
from mac_actors.core.people.changes import AlreadySo
from mac_actors.core.people.view import UserAnswer, UserView
from mac_actors.errors import MachineUnavailable, ServerError, UnknownAuthorization, UnknownMachine, UserRefused
from mac_actors.fleet.people.protocol import AnyUsers
from mac_actors.fleet.people.unknown_fobs import UnknownFob

_VIEW = TypeAdapter(UserView)
_FOBS = TypeAdapter(list[UnknownFob])


class RemoteUsers(AnyUsers):
    """As :class:`mac_actors.fleet.people.users.Users`; ``check_open`` raises when the fleet is closed."""

    def __init__(self, client: Client, check_open: Callable[[], None]) -> None:
        self._users = UsersClient(client)
        self._check_open = check_open

    def find(self, query: str = "") -> list[UserView]:
        with self._errors():
            return [_view(body) for body in self._users.find(query)]

    def show(self, who: str) -> UserView:
        with self._errors():
            return _view(self._users.show(who))

    def unknown(self) -> list[UnknownFob]:
        with self._errors():
            return _FOBS.validate_python(self._users.unknown())

    def add(
        self,
        full_name: str,
        *,
        preferred_name: str = "",
        email: str = "",
        expires: date | None = None,
        fob: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> UserAnswer:
        body = {"full_name": full_name, "preferred_name": preferred_name, "email": email, "fob": fob}
        body["expiration_ymd"] = None if expires is None else expires.isoformat()
        with self._errors():
            return _answer(self._users.add(_body(by, reason) | body))

    def give_fob(
        self,
        who: str,
        code: str | None = None,
        *,
        seen_at: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> UserAnswer:
        with self._errors(machine=seen_at):
            return _answer(self._users.give_fob(who, _body(by, reason) | {"code": code, "seen_at": seen_at}))

    def take_fob(self, who: str, code: str, *, by: str | None = None, reason: str | None = None) -> UserAnswer:
        with self._errors():
            return _answer(self._users.take_fob(who, code, _body(by, reason)))

    def authorize(
        self,
        who: str,
        authorization: str,
        *,
        until: date | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> UserAnswer:
        with self._errors(authorization=authorization):
            return _answer(self._users.grant(who, authorization, until, _body(by, reason)))

    def withdraw(
        self,
        who: str,
        authorization: str,
        *,
        until: date | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> UserAnswer:
        with self._errors(authorization=authorization):
            return _answer(self._users.withdraw(who, authorization, until, _body(by, reason)))

    @contextlib.contextmanager
    def _errors(self, *, machine: str | None = None, authorization: str | None = None) -> Iterator[None]:
        """Raise what a fleet in this process would raise."""
        self._check_open()
        try:
            yield
        except ServerError as error:
            if error.status == 404 and machine is not None:
                raise UnknownMachine(machine) from error
            if error.status == 409:
                raise UserRefused(str(error)) from error
            if error.status == 422 and authorization is not None and "no machine asks" in str(error):
                _, _, near = str(error).partition("did you mean '")
                raise UnknownAuthorization(authorization, near.removesuffix("'?") or None) from error
            if error.status == 422:
                raise ValueError(str(error)) from error
            if error.status == 503:
                raise MachineUnavailable(str(error)) from error
            raise


def _body(by: str | None, reason: str | None) -> dict[str, Any]:
    return {"by": by, "reason": reason, "source": "repl"}


def _answer(body: dict[str, Any]) -> UserAnswer:
    outcomes = tuple(read_outcome(one["kind"], one["outcome"]) for one in body.get("outcomes") or ())
    return UserAnswer(_view(body), outcomes, tuple(map(AlreadySo, body["already"])), bool(body.get("durable", True)))


def _view(body: dict[str, Any]) -> UserView:
    lists = {
        name: [{**item, "value": item.get("code") or item.get("name")} for item in body[name]]
        for name in ("fobs", "authorizations", "fobs_taken", "withdrawn")
    }
    return _VIEW.validate_python({**body, **lists, "expires": body["expiration_ymd"]})
