"""A client of a running server, for the command line: it keeps the server the only writer."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from mac_actors.errors import ConfigError, NoServer, ServerError

if TYPE_CHECKING:
    import httpx

PATHS = {
    "oops": ("POST", "oops"),
    "unoops": ("DELETE", "oops"),
    "lock": ("POST", "locked_out"),
    "unlock": ("DELETE", "locked_out"),
    "clear": ("POST", "clear"),
}
"""Method and path of each command."""


PATIENT_SECONDS = 600.0
"""How long an answer may take for which a small computer has to look at the whole journal."""


def default_url() -> str:
    """Return where the server is: MAC_URL, else this computer at MAC_PORT, with HTTPS if MAC_TLS_CERT is set.

    Raises :class:`ConfigError`.
    """
    env = os.environ
    url = env.get("MAC_URL", "").strip()
    if url:
        return check_url(url, "MAC_URL")
    port = env.get("MAC_PORT", "").strip() or "5000"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError([f"MAC_PORT is {port!r}: allowed is a whole number from 1 to 65535"])
    return f"{'https' if env.get('MAC_TLS_CERT', '').strip() else 'http'}://127.0.0.1:{port}"


def own_certificate() -> str | None:
    """Return the file of this computer's own certificate, if the server that is meant is the one that has it."""
    env = os.environ
    return None if env.get("MAC_URL", "").strip() else env.get("MAC_TLS_CERT", "").strip() or None


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

    def __init__(self, url: str, token: str | None = None, certificate: str | None = None) -> None:
        import httpx  # here, because the server imports the command line but never needs it

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._errors = (httpx.HTTPError, httpx.InvalidURL)
        # No proxy of the environment's; the system's certificates, those of SSL_CERT_FILE, or just this one.
        trust = _trust(certificate) if url.startswith("https") else True
        self._http = httpx.Client(base_url=url, headers=headers, timeout=10.0, trust_env=False, verify=trust)
        self.url = url
        self._patience = httpx.Timeout(70.0, connect=10.0)  # a commit budget may be a minute

    @classmethod
    def at(cls, url: str | None, called: str, token: str | None = None) -> Client:
        """Return a client of the server at ``url`` (``None``: where the environment says it is).

        ``token`` is MAC_ADMIN_TOKEN unless given. Raises :class:`ConfigError`, which calls ``url`` as ``called``.
        """
        token = token or os.environ.get("MAC_ADMIN_TOKEN", "").strip() or None
        return cls(check_url(url, called), token) if url else cls(default_url(), token, own_certificate())

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

    def healthy(self) -> bool:
        """Whether the server answers; that it could serve is not said by this."""
        return self._call("GET", "/healthz")[0].get("status") == "ok"

    def ready(self) -> tuple[bool, dict[str, str]]:
        """Return whether the server can serve, and all that is wrong, also what does not keep it from that, by part."""
        body = self._send("GET", "/readyz")[1]
        if not isinstance(body.get("ready"), bool):
            raise self._foreign()
        return body["ready"], {**body.get("problems", {}), **body.get("notes", {})}

    def reload_users(self, *, force: bool = False) -> dict[str, Any]:
        """Have the server read its users file again; returns how many were ``removed``, ``updated`` and ``added``."""
        answer = self._call("POST", "/api/reload-users", params={"force": "1"} if force else {})[0]
        if not {"removed", "updated", "added"} <= answer.keys():
            raise self._foreign()
        return answer

    def usage(self, first: str | None, last: str | None) -> dict[str, Any]:
        """Return the usage from one day to another (``YYYY-MM-DD``), both included."""
        parameters = {name: day for name, day in (("from", first), ("to", last)) if day}
        usage = self._call("GET", "/api/usage", params=parameters, timeout=PATIENT_SECONDS)[0]
        if not isinstance(usage.get("machines"), list):
            raise self._foreign()
        return usage

    def forget(self, user: str, *, only_look: bool = False) -> dict[str, Any]:
        """Remove a person's name and fobs from the journal; ``only_look``: say who it would be."""
        body = {"user": user, "only_look": only_look}
        done = self._call("POST", "/api/forget", json=body, timeout=PATIENT_SECONDS)[0]
        if "done" not in done:
            raise self._foreign()
        return done

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _call(self, method: str, path: str, **arguments: Any) -> tuple[dict[str, Any], Mapping[str, str]]:
        response, body = self._send(method, path, **arguments)
        if response.is_error:
            message = str(body.get("error", response.reason_phrase)).rstrip(".")
            raise ServerError(message + self._token_hint(response.status_code), response.status_code)
        return body, response.headers

    def _token_hint(self, status: int) -> str:
        if status == 401 and "Authorization" in self._http.headers:
            return ". The MAC_ADMIN_TOKEN that is set here is not the server's."
        return ". Set MAC_ADMIN_TOKEN to the server's token." if status in {401, 403} else ""

    def _send(self, method: str, path: str, **arguments: Any) -> tuple[httpx.Response, dict[str, Any]]:
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
            raise NoServer(f"no answer from {self.url} ({error}): {hint}") from error
        except ValueError:
            raise self._foreign() from None
        if not isinstance(body, dict):
            raise self._foreign()
        return response, body

    def _foreign(self) -> ServerError:
        return ServerError(f"{self.url} is not a mac-actors server: its answer is not one. Look at --url (MAC_URL)")


_END = "-----END CERTIFICATE-----"


def _trust(certificate: str | None) -> ssl.SSLContext:
    if certificate is None:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it is made out to the server's name, not to 127.0.0.1; and no other is trusted
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        text = Path(certificate).read_text(encoding="ascii")
        context.load_verify_locations(cadata=text[: text.index(_END) + len(_END)])  # without those that signed it
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError([f"MAC_TLS_CERT is {certificate!r}: allowed is a PEM certificate ({error})"]) from error
    return context
