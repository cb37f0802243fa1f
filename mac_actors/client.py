"""A client of a running server, for the command line: it keeps the server the only writer."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from mac_actors.errors import ConfigError, ServerError

PATHS = {
    "oops": ("POST", "oops"),
    "unoops": ("DELETE", "oops"),
    "lock": ("POST", "locked_out"),
    "unlock": ("DELETE", "locked_out"),
    "clear": ("POST", "clear"),
}
"""Method and path of each command."""


def default_url(environ: Mapping[str, str] | None = None) -> str:
    """Return where the server is: MAC_URL, else this computer at MAC_PORT. Raises :class:`ConfigError`."""
    env = os.environ if environ is None else environ
    url = env.get("MAC_URL", "").strip()
    if url:
        return check_url(url, "MAC_URL")
    port = env.get("MAC_PORT", "").strip() or "5000"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError([f"MAC_PORT is {port!r}: allowed is a whole number from 1 to 65535"])
    return f"http://127.0.0.1:{port}"


def check_url(url: str, called: str) -> str:
    """Return ``url`` if it can be a server's; raises :class:`ConfigError` that calls it ``called``."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise ConfigError([f"{called} is {url!r}: allowed is an address like http://workshop.local:5000"])
    return url


class Client:
    """Calls the server's HTTP API. Every method raises :class:`ServerError` with what to do next."""

    def __init__(self, url: str, token: str | None = None) -> None:
        import httpx  # here, because the server imports the command line but never needs it

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._errors = (httpx.HTTPError, httpx.InvalidURL)
        # No proxy of the environment's; the system's certificates, or those of SSL_CERT_FILE.
        trust = ssl.create_default_context() if url.startswith("https") else True
        self._http = httpx.Client(base_url=url, headers=headers, timeout=10.0, trust_env=False, verify=trust)
        self._url = url
        self._patience = httpx.Timeout(70.0, connect=10.0)  # a commit budget may be a minute

    def command(self, command: str, name: str, reason: str | None, by: str | None) -> tuple[bool, list[str]]:
        """Carry out ``oops``, ``unoops``, ``lock``, ``unlock`` or ``clear``.

        Returns whether it is on disk, and what was so already.
        """
        answer, already = self.order(command, name, {"reason": reason, "by": by, "source": "cli"})
        return bool(answer.get("durable", True)), already

    def order(
        self, command: str, name: str, body: Mapping[str, str | None], *, details: bool = False
    ) -> tuple[dict[str, Any], list[str]]:
        """Carry out a command; returns the answer, and what was so already.

        With ``details`` the answer has the outcomes and the outputs too.
        """
        method, path = PATHS[command]
        parameters = {"details": "1"} if details else {}
        url = f"/api/machine/{path}/{quote(name, safe='')}"
        answer, headers = self._call(method, url, json=body, params=parameters, timeout=self._patience)
        return answer, headers.get("Mac-Already", "").split()

    def machines(self) -> list[dict[str, Any]]:
        """Return all machines."""
        machines = self._call("GET", "/api/machines")[0].get("machines")
        if not isinstance(machines, list):
            raise self._foreign()
        return machines

    def machine(self, name: str) -> dict[str, Any]:
        """Return one machine, by name or alias."""
        machine = self._call("GET", f"/api/machines/{quote(name, safe='')}")[0]
        if "display_name" not in machine:
            raise self._foreign()
        return machine

    def events(
        self, machine: str | None = None, limit: int = 20, cursor: str | None = None, **more: str
    ) -> dict[str, Any]:
        """Return a page of the journal, newest first; ``more`` are other parameters of the call."""
        path = f"/api/machines/{quote(machine, safe='')}/events" if machine else "/api/events"
        parameters = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {}) | more
        page = self._call("GET", path, params=parameters)[0]
        if not isinstance(page.get("events"), list):
            raise self._foreign()
        return page

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _call(self, method: str, path: str, **arguments: Any) -> tuple[dict[str, Any], Mapping[str, str]]:
        try:
            response = self._http.request(method, path, **arguments)
            body = response.json()
        except self._errors as error:
            certificate = "certificate" in str(error).lower()
            hint = (
                "SSL_CERT_FILE can name the certificate that is to be trusted"
                if certificate
                else "is the server running there? --url (MAC_URL) says where it is"
            )
            raise ServerError(f"no answer from {self._url} ({error}): {hint}") from error
        except ValueError:
            raise self._foreign() from None
        if not isinstance(body, dict):
            raise self._foreign()
        if response.is_error:
            message = str(body.get("error", response.reason_phrase)).rstrip(".")
            hint = ". Set MAC_ADMIN_TOKEN to the server's token." if response.status_code in {401, 403} else ""
            raise ServerError(message + hint, response.status_code)
        return body, response.headers

    def _foreign(self) -> ServerError:
        return ServerError(f"{self._url} is not a mac-actors server: its answer is not one. Look at --url (MAC_URL)")
