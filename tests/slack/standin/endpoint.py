"""Requests in, answers out: tokens are checked, faults met, and everything is recorded."""

from __future__ import annotations

import json
import re
import time
from email.message import EmailMessage
from urllib.parse import parse_qs, parse_qsl, urlsplit

from . import envelopes
from .faults import Faults
from .rates import Rates
from .records import Call, Json, SlackError, State
from .server import Connection, Request
from .socket_mode import SocketMode
from .web_api import WebApi

# Arguments that are JSON inside a form-encoded body.
_NESTED = {"attachments", "blocks", "changes", "criteria", "document_content", "metadata", "view"}


class Endpoint:
    """What answers a request of the clients: a method of the Web API, a response_url, or a websocket."""

    def __init__(self, state: State, faults: Faults, api: WebApi, sockets: SocketMode) -> None:
        self.bot_token = "xoxb-stand-in"
        self.app_token = "xapp-stand-in"
        self.rates: Rates | None = None
        self._state = state
        self._faults = faults
        self._api = api
        self._sockets = sockets

    def serve(self, connection: Connection) -> None:
        request = connection.read_request()
        if request is None:
            return
        target = urlsplit(request.target)
        if target.path.rstrip("/") == "/link":
            self._sockets.serve(connection, request, parse_qs(target.query).get("ticket", [""])[0])
        elif target.path.startswith("/response/"):
            self._exchange(connection, "response_url", request)
        elif target.path.startswith("/api/"):
            self._exchange(connection, target.path.removeprefix("/api/"), request)
        else:
            connection.answer(404, "no such page")

    def _exchange(self, connection: Connection, method: str, request: Request) -> None:
        params = _params(request)
        with self._state.changed:
            self._state.calls.append(Call(method, params, time.monotonic()))
            self._state.changed.notify_all()
        if self._faults.wait(method) and connection.client_left():
            return
        channel = params.get("channel")
        headers = {"x-oauth-scopes": ",".join(self._api.scopes)}
        if fault := self._faults.take("http_error", method, channel):
            connection.answer(fault.status, "<html>Something went wrong</html>")
            return
        fault = self._faults.take("rate_limit", method, channel)
        wait = fault.retry_after if fault else self.rates.wait(method, params) if self.rates else None
        if wait or fault:
            body = {"ok": False, "error": "ratelimited"}
            connection.answer(429, body, headers | {"Retry-After": str(wait)})
            return
        status, answer = self._carry_out(method, request, params, channel)
        if not self._faults.take("cut", method, channel):
            connection.answer(status, answer, headers)

    def _carry_out(self, method: str, request: Request, params: Json, channel: str | None) -> tuple[int, object]:
        try:
            if fault := self._faults.take("error", method, channel):
                raise SlackError(fault.error)
            if method == "response_url":
                self._api.take_answer(f"http://{request.headers['host']}{request.target}", params)
                return 200, "ok"
            self._check_token(method, request, params)
            if method == "apps.connections.open":
                return 200, self._open_connection(request)
            return 200, self._api.call(method, params)
        except SlackError as error:
            return (404, error.error) if method == "response_url" else (200, error.answer)

    def _check_token(self, method: str, request: Request, params: Json) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or params.get("token")
        if not token:
            raise SlackError("not_authed")
        if token not in (self.bot_token, self.app_token):
            raise SlackError("invalid_auth")
        if (token == self.app_token) != (method == "apps.connections.open"):
            raise SlackError("not_allowed_token_type")

    def _open_connection(self, request: Request) -> Json:
        if self._sockets.refusing:
            raise SlackError(self._sockets.refusing)
        ticket = self._sockets.ticket()
        return {"ok": True, "url": f"ws://{request.headers['host']}/link/?ticket={ticket}&app_id={envelopes.APP}"}


def _params(request: Request) -> Json:
    """The arguments of a call, from the query and a body that is JSON, form-encoded or multipart."""
    kind = request.headers.get("content-type", "")
    params: Json = dict(parse_qsl(urlsplit(request.target).query))
    if kind.startswith("application/json"):
        return params | (json.loads(request.body) if request.body else {})
    form = _multipart(kind, request.body) if kind.startswith("multipart/") else dict(parse_qsl(request.body.decode()))
    for name, value in form.items():
        params[name] = json.loads(value) if name in _NESTED and re.match(r"\s*[\[{]", value) else value
    return params


def _multipart(kind: str, body: bytes) -> dict[str, str]:
    header = EmailMessage()
    header["Content-Type"] = kind
    found = {}
    for part in body.split(b"--" + str(header.get_param("boundary")).encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if name := re.search(rb'name="([^"]*)"', head):
            found[name[1].decode()] = content.removesuffix(b"\r\n").decode(errors="replace")
    return found
