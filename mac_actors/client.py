"""A client of a running server, for the command line: it keeps the server the only writer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mac_actors.errors import ServerError

PATHS = {
    "oops": ("POST", "oops"),
    "unoops": ("DELETE", "oops"),
    "lock": ("POST", "locked_out"),
    "unlock": ("DELETE", "locked_out"),
    "clear": ("POST", "clear"),
}
"""Method and path of each command."""


def default_url(environ: Mapping[str, str] | None = None) -> str:
    """Return where the server is: MAC_URL, else this computer at MAC_PORT."""
    env = os.environ if environ is None else environ
    return env.get("MAC_URL", "").strip() or f"http://127.0.0.1:{env.get('MAC_PORT', '').strip() or 5000}"


class Client:
    """Calls the server's HTTP API. Every method raises :class:`ServerError` with what to do next."""

    def __init__(self, url: str, token: str | None = None) -> None:
        import httpx  # here, because the server imports the command line but never needs it

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._errors = (httpx.HTTPError, httpx.InvalidURL)
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=10.0, trust_env=False)
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise ServerError(f"{url!r} is not the address of a server: {error}") from error
        self._url = url

    def command(self, command: str, name: str, reason: str | None, by: str | None) -> dict[str, Any]:
        """Carry out ``oops``, ``unoops``, ``lock``, ``unlock`` or ``clear``."""
        method, path = PATHS[command]
        body = {"reason": reason, "by": by, "source": "cli"}
        return self._call(method, f"/api/machine/{path}/{quote(name, safe='')}", json=body)

    def machines(self) -> list[dict[str, Any]]:
        """Return all machines."""
        machines: list[dict[str, Any]] = self._call("GET", "/api/machines")["machines"]
        return machines

    def machine(self, name: str) -> dict[str, Any]:
        """Return one machine, by name or alias."""
        return self._call("GET", f"/api/machines/{quote(name, safe='')}")

    def events(self, machine: str | None = None, limit: int = 20, cursor: str | None = None) -> dict[str, Any]:
        """Return a page of the journal, newest first."""
        path = f"/api/machines/{quote(machine, safe='')}/events" if machine else "/api/events"
        parameters = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        return self._call("GET", path, params=parameters)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **arguments)
            body = response.json()
        except self._errors as error:
            raise ServerError(
                f"no answer from {self._url} ({error}): is the server running there? --url (MAC_URL) says where it is"
            ) from error
        except ValueError:
            raise ServerError(f"{self._url} is not a mac-actors server: its answer is not JSON") from None
        if response.is_error:
            hint = " Set MAC_ADMIN_TOKEN to the server's token." if response.status_code in {401, 403} else ""
            raise ServerError(f"{body.get('error', response.reason_phrase)}{hint}")
        result: dict[str, Any] = body
        return result
