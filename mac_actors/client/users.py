"""The users of a running server, by its HTTP API; answers as it gives them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote

from mac_actors.client.http import COMMAND_SECONDS, Client
from mac_actors.core.config import fold_name
from mac_actors.errors import ServerError, UnknownUser

AT_ONCE = 1000
"""Users in one answer."""


class UsersClient:
    """Every method raises :class:`ServerError`; ``who`` is an account id, an e-mail address or a full name, and who is
    nobody or more than one :class:`UnknownUser`.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, query: str) -> list[dict[str, Any]]:
        """Return all users who are found by this."""
        found: list[dict[str, Any]] = []
        parameters = {"q": query, "limit": str(AT_ONCE)}
        while True:
            page = self._client.get("users", "GET", "/api/users", parameters)
            found += page["users"]
            if page["next"] is None:
                return found
            parameters["cursor"] = page["next"]

    def show(self, who: str) -> dict[str, Any]:
        """Return one user."""
        if who:
            try:
                return self._client.get("account_id", "GET", _path(who))
            except ServerError as error:
                if error.status != 404:
                    raise
        folded = fold_name(who)
        found = self.find(who)
        exact = [one for one in found if folded in {one["email"].casefold(), fold_name(one["full_name"])} and folded]
        if len(exact) != 1:
            raise UnknownUser(who, [f"{one['account_id']} ({one['full_name']})" for one in (exact or found)[:5]])
        return exact[0]

    def unknown(self) -> list[dict[str, Any]]:
        """Return the unknown fobs."""
        found: list[dict[str, Any]] = self._client.get("fobs", "GET", "/api/fobs/unknown")["fobs"]
        return found

    def add(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Add a user."""
        return self._change("POST", "/api/users", body)

    def give_fob(self, who: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Give a fob: ``code`` or ``seen_at`` in ``body``."""
        return self._change("POST", self._of(who, "fobs"), body)

    def take_fob(self, who: str, code: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Have a fob count no more."""
        return self._change("DELETE", self._of(who, "fobs", code), body)

    def grant(self, who: str, name: str, until: date | None, body: Mapping[str, Any]) -> dict[str, Any]:
        """Authorize a user."""
        return self._change("PUT", self._of(who, "authorizations", name), _until(body, until))

    def withdraw(self, who: str, name: str, until: date | None, body: Mapping[str, Any]) -> dict[str, Any]:
        """Have an authorization count no more."""
        return self._change("DELETE", self._of(who, "authorizations", name), _until(body, until))

    def _of(self, who: str, *parts: str) -> str:
        return _path(self.show(who)["account_id"], *parts)

    def _change(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._client.get("account_id", method, path, {"details": "1"}, body, COMMAND_SECONDS)


def _path(*parts: str) -> str:
    return "/".join(("/api/users", *(quote(part, safe="") for part in parts)))


def _until(body: Mapping[str, Any], until: date | None) -> dict[str, Any]:
    return {**body, "until": None if until is None else until.isoformat()}
