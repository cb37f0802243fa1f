"""A client of a running server, for the command line: it keeps the server the only writer."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from email.message import Message
from functools import partial
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from mac_actors.errors import ConfigError, NoServer, ServerError
from mac_actors.settings.environment import MAC_ADMIN_TOKEN, MAC_PORT, MAC_TLS_CERT, MAC_URL
from mac_actors.settings.variables import server_address, whole

PATHS = {
    "oops": ("POST", "oops"),
    "unoops": ("DELETE", "oops"),
    "lock": ("POST", "locked_out"),
    "unlock": ("DELETE", "locked_out"),
    "clear": ("POST", "clear"),
    "done": ("POST", "maintenance_done"),
}
"""Method and path of each command."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 10.0

COMMAND_SECONDS = 70.0
"""How long a command's answer may take: the commit budget may be a minute."""

PATIENT_SECONDS = 600.0
"""How long an answer may take for which a small computer has to look at the whole journal."""

_LOAD = "In the directory of mac-actors.env: set -a; . ./mac-actors.env; set +a"

_KINDS = {
    "users": list,
    "account_id": str,
    "fobs": list,
    "admins": list,
    "sessions": list,
    "token": str,
    "success": bool,
    "machines": list,
    "display_name": str,
    "events": list,
    "ready": bool,
    "updated": int,
    "done": bool,
    "powered_on": list,
    "readers": list,
    "key": str,
    "native_api": bool,
}
"""Keys by which an answer is known as a mac-actors server's, and what they are."""


def default_url() -> str:
    """Return where the server is: MAC_URL, else this computer at MAC_PORT, with HTTPS if MAC_TLS_CERT is set.

    Raises :class:`ConfigError`.
    """
    url: str | None = MAC_URL.read()
    if url:
        return url
    port = replace(MAC_PORT, parse=partial(whole, low=1, high=65535)).read()  # a server that runs is not at 0
    return f"{'https' if MAC_TLS_CERT.given() else 'http'}://127.0.0.1:{port}"


class Client:
    """Calls the server's HTTP API. Every method raises :class:`ServerError` with what to do next.

    Each call has a connection of its own, so any thread may call. No proxy of the environment's is used.
    """

    def __init__(self, url: str, token: str | None = None, certificate: str | None = None) -> None:
        self.url = url
        self._address = urlsplit(url)
        self._token = token
        # The system's certificates, those of SSL_CERT_FILE, or just this one.
        self._trust = _trust(certificate) if self._address.scheme == "https" else None

    @classmethod
    def at(cls, url: str | None, parameter: str, token: str | None = None) -> Client:
        """Return a client of the server at ``url`` (``None``: where the environment says it is).

        ``token`` is MAC_ADMIN_TOKEN unless given. Raises :class:`ConfigError`, with the name of the ``parameter`` that
        ``url`` was.
        """
        token = MAC_ADMIN_TOKEN.read({MAC_ADMIN_TOKEN.name: token} if token else None)
        if not url:
            # the server that has this computer's own certificate, unless another one is meant
            return cls(default_url(), token, None if MAC_URL.given() else MAC_TLS_CERT.given())
        try:
            return cls(server_address(url), token)
        except ValueError as error:
            raise ConfigError([f"{parameter} {error}"]) from None

    def command(
        self,
        command: str,
        name: str,
        reason: str | None,
        by: str | None,
        source: str = "cli",
        *,
        details: bool = False,
        when_free: bool = False,
    ) -> tuple[dict[str, Any], list[str]]:
        """Carry out ``oops``, ``unoops``, ``lock`` (``when_free``: after the running session), ``unlock`` or ``clear``.

        Returns the answer (with ``details`` the outcomes and the outputs too), and what was so already.
        """
        method, path = PATHS[command]
        body = {"reason": reason, "by": by, "source": source} | ({"when": "free"} if when_free else {})
        parameters = {"details": "1"} if details else {}
        url = f"/api/machine/{path}/{quote(name, safe='')}"
        answer, headers = self._call(method, url, parameters, body, COMMAND_SECONDS)
        return answer, headers.get("Mac-Already", "").split()

    def machines(self) -> list[dict[str, Any]]:
        """Return all machines."""
        machines: list[dict[str, Any]] = self.get("machines", "GET", "/api/machines")["machines"]
        return machines

    def machine(self, name: str) -> dict[str, Any]:
        """Return one machine, by name or alias."""
        return self.get("display_name", "GET", f"/api/machines/{quote(name, safe='')}")

    def events(
        self, machine: str | None = None, limit: int = 20, cursor: str | None = None, **more: str
    ) -> dict[str, Any]:
        """Return a page of the journal, newest first; ``more`` are other parameters of the call."""
        path = f"/api/machines/{quote(machine, safe='')}/events" if machine else "/api/events"
        parameters = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {}) | more
        return self.get("events", "GET", path, parameters)

    def healthy(self) -> bool:
        """Whether the server answers; that it could serve is not said by this."""
        return self._call("GET", "/healthz")[0].get("status") == "ok"

    def ready(self) -> dict[str, Any]:
        """Return whether the server is ``ready`` to serve, ``problems``, and ``notes`` on what is wrong beside that."""
        return self._ours(self._send("GET", "/readyz")[1], "ready")

    def poke(self, machine: str) -> dict[str, Any]:
        """Have a reader report now; returns how many ``seconds`` that took."""
        return self.get("native_api", "POST", f"/api/machine/poke/{quote(machine, safe='')}")

    def readers(self) -> list[dict[str, Any]]:
        """Return all readers: whether they have keys, and their firmware."""
        readers: list[dict[str, Any]] = self.get("readers", "GET", "/api/readers")["readers"]
        return readers

    def reader_key(self, method: str, machine: str, by: str | None) -> dict[str, Any]:
        """Give a machine's reader a key (``POST``) or a new one (``PUT``); returns ``machine`` and ``key``."""
        return self.get("key", method, *self._key(machine, by))

    def revoke_key(self, machine: str, by: str | None) -> None:
        """Take a machine's reader its keys."""
        self._call("DELETE", *self._key(machine, by))

    def _key(self, machine: str, by: str | None) -> tuple[str, dict[str, str], dict[str, Any]]:
        return f"/api/reader/{quote(machine, safe='')}/key", {}, {"by": by, "source": "cli"}

    def reload(self, *, force: bool = False) -> dict[str, Any]:
        """Have the server read both files again; returns what changed, with ``warnings``."""
        return self.get("powered_on", "POST", "/api/reload", {"details": "1"} | ({"force": "1"} if force else {}))

    def reload_users(self, *, force: bool = False) -> dict[str, Any]:
        """Have the server read its users file again; returns how many were ``removed``, ``updated`` and ``added``."""
        return self.get("updated", "POST", "/api/reload-users", {"force": "1"} if force else {})

    def usage(self, first: date | None, last: date | None, *, by_month: bool = False) -> dict[str, Any]:
        """Return the usage from one day to another, both included."""
        given = (("from", first), ("to", last), ("by", "month" if by_month else None))
        parameters = {name: str(value) for name, value in given if value}
        return self.get("machines", "GET", "/api/usage", parameters, seconds=PATIENT_SECONDS)

    def forget(self, user: str, *, only_look: bool = False) -> dict[str, Any]:
        """Remove a person's name and fobs from the journal; ``only_look``: say who it would be."""
        body = {"user": user, "only_look": only_look}
        return self.get("done", "POST", "/api/forget", body=body, seconds=PATIENT_SECONDS)

    def admins(self) -> list[dict[str, Any]]:
        """Return the personal logins of admins."""
        admins: list[dict[str, Any]] = self.get("admins", "GET", "/api/admins")["admins"]
        return admins

    def add_admin(self, name: str, by: str | None) -> dict[str, Any]:
        """Make a personal login; the answer has its ``token``."""
        return self.get("token", "POST", "/api/admins", None, {"name": name, "by": by}, COMMAND_SECONDS)

    def revoke_admin(self, name: str, by: str | None) -> dict[str, Any]:
        """Revoke a personal login."""
        path = f"/api/admins/{quote(name, safe='')}"
        return self.get("success", "DELETE", path, None, {"by": by}, COMMAND_SECONDS)

    def sessions(self) -> list[dict[str, Any]]:
        """Return who is logged in on the board."""
        sessions: list[dict[str, Any]] = self.get("sessions", "GET", "/api/sessions")["sessions"]
        return sessions

    def end_session(self, session: str) -> dict[str, Any]:
        """End a session of the board."""
        path = f"/api/sessions/{quote(session, safe='')}"
        return self.get("success", "DELETE", path, None, None, COMMAND_SECONDS)

    def confirm_clock(self) -> None:
        """Say that the server's clock is right, so that names are removed from old events."""
        self._call("POST", "/api/confirm-clock")

    def get(self, key: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Return the answer to a call, which has ``key``. Arguments as of :meth:`_send`."""
        return self._ours(self._call(*arguments, **more)[0], key)

    def _ours(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Return an answer that has the ``key`` by which it is known that a mac-actors server gave it."""
        if not isinstance(body.get(key), _KINDS[key]):
            raise self._foreign()
        return body

    def _call(self, method: str, path: str, *arguments: Any, **more: Any) -> tuple[dict[str, Any], Message]:
        """Return the answer and its headers; one that says that it failed is raised. Arguments as of :meth:`_send`."""
        response, body = self._send(method, path, *arguments, **more)
        if response.status >= 400:
            message = str(body.get("error", response.reason)).rstrip(".")
            raise ServerError(message + self._token_hint(response.status), response.status)
        return body, response.headers

    def _token_hint(self, status: int) -> str:
        if status == 401 and self._token:
            return f". The MAC_ADMIN_TOKEN that is set here is not the server's. {_LOAD}"
        return f". Set MAC_ADMIN_TOKEN to the server's token. {_LOAD}" if status in {401, 403} else ""

    def _send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> tuple[HTTPResponse, dict[str, Any]]:
        try:
            connection = self._connection()
            try:
                connection.connect()
                connection.sock.settimeout(seconds)
                target = quote(self._address.path.rstrip("/"), safe="/%") + path
                target += f"?{urlencode(parameters)}" if parameters else ""
                headers = {"Connection": "close"} | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
                headers |= {"Content-Type": "application/json"} if body is not None else {}
                with suppress(BrokenPipeError, ConnectionResetError):  # some answer before they have read all
                    connection.request(method, target, None if body is None else json.dumps(body).encode(), headers)
                response = connection.getresponse()
                content = response.read()
            finally:
                connection.close()
        except (OSError, HTTPException, UnicodeError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else repr(error)
            if "certificate" in reason.lower():
                hint = "SSL_CERT_FILE can name the certificate that is to be trusted"
            elif isinstance(error, ssl.SSLError):
                hint = "does it speak HTTPS there? If not, write http://"
            else:
                hint = "is the server running there? --url (MAC_URL) says where it is"
            raise NoServer(f"no answer from {self.url} ({reason}): {hint}") from error
        try:
            answer = json.loads(content)
        except ValueError:
            raise self._foreign() from None
        if not isinstance(answer, dict):
            raise self._foreign()
        return response, answer

    def _connection(self) -> HTTPConnection:
        host, port = self._address.hostname or "", self._address.port  # without a port, ::1 would be taken for port 1
        if self._trust is None:
            return HTTPConnection(host, port or HTTP_PORT, CONNECT_SECONDS)
        return HTTPSConnection(host, port or HTTPS_PORT, timeout=CONNECT_SECONDS, context=self._trust)

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
