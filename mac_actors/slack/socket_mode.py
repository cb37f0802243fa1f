"""Socket Mode: a websocket to Slack, made again when it breaks, and beside the old one when Slack asks for that.

The SDK's own client can't: it never notices a socket that falls silent before its first pong, keeps acknowledgements
waiting while it makes a new connection, and asks for one every few seconds while it is refused. What is on the
websocket is the SDK's and Bolt's affair here, too.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import websocket
from slack_bolt import App
from slack_bolt.adapter.socket_mode.internals import run_bolt_app, send_response
from slack_bolt.error import BoltError
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from mac_actors.core.backoff import Backoff
from mac_actors.slack.gateway import ARRIVED, QUIET, TIMEOUT_SECONDS, Client, explain, explain_socket_mode
from mac_actors.slack.workers import Workers

log = logging.getLogger(__name__)

PING_SECONDS = 3.0
"""After so many without a word from Slack it is asked for a sign of life."""

SILENCE_SECONDS = 12.0
"""After so many without a sign of life the websocket is given up."""

OVERLAP_SECONDS = 30.0
"""How long an old websocket is kept beside the new one, for what is on its way. Slack closes it after ten or so."""

UNREACHABLE_RETRY = 1.0, 15.0
"""Seconds until the next try while Slack can't be reached: doubled from the first to the last."""

REFUSED_RETRY = 15.0, 60.0
"""The same while Slack answers, and refuses."""

HOLDING_SECONDS = 0.5
"""How often it is looked whether this server owns the machines, where it may not: none that does not connects."""

CALL_SECONDS, CALL_BURST = 60.0, 5
"""Slack lets a new connection be asked for once a minute, and bears a few calls at once."""

OTHERS_SECONDS, OTHERS_AGAIN_SECONDS = 60.0, 600.0
"""How long connections of others are borne before they are a trouble, and then how often they are looked for."""

LOST = "the connection is broken; it is being made again"
SHARED = (
    "another server is connected with the same SLACK_APP_TOKEN and gets a part of the commands: "
    "stop it, or give it an app of its own"
)

ENVELOPES = 10
"""Payloads that may be acknowledged at once."""


class Link(BaseSocketModeClient):
    """One websocket. It is read by a thread of its own until it ends.

    Raises what ``create_connection`` raises: ``WebSocketException``, ``OSError``, ``ValueError``.
    """

    def __init__(self, url: str) -> None:
        self.logger = QUIET
        self.leaving = False
        """Whether the next connection is to be made: Slack will close this one."""
        self.close_at: float | None = None
        """When (``time.monotonic()``) it is closed from here."""
        # JSON is looked at for bad UTF-8 anyway, and much faster.
        self._websocket = websocket.create_connection(url, timeout=TIMEOUT_SECONDS, skip_utf8_validation=True)
        self._websocket.settimeout(PING_SECONDS)

    def send_message(self, message: str) -> None:
        """Send a text; raises ``WebSocketException`` or ``OSError``."""
        self._websocket.send(message)

    def read(self, receive: Callable[[Any], None]) -> str:
        """Pass on each message until the websocket ends; returns why it did."""
        heard = time.monotonic()
        try:
            while self.close_at is None or time.monotonic() < self.close_at:
                try:
                    opcode, data = self._websocket.recv_data(control_frame=True)
                except websocket.WebSocketTimeoutException:
                    if time.monotonic() - heard > SILENCE_SECONDS:
                        return "it fell silent"
                    self._websocket.ping()
                    continue
                heard = time.monotonic()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return "Slack closed it"
                if opcode == websocket.ABNF.OPCODE_TEXT:
                    receive(json.loads(data))
        except (websocket.WebSocketException, OSError, ValueError) as error:
            return str(error)
        finally:
            self._websocket.shutdown()  # type: ignore[no-untyped-call]
        return "there is a newer one"

    def close(self) -> None:
        """End it, with a word to Slack if that can be had at once; :meth:`read` returns."""
        with suppress(websocket.WebSocketException, OSError, AttributeError):  # it may be ending by itself
            self._websocket.settimeout(0.5)
            self._websocket.send_close()
        self._websocket.abort()  # type: ignore[no-untyped-call]


class SocketMode:
    """Keeps a websocket to Slack open, and passes what comes on it to a Bolt app.

    ``make_app`` is called until it succeeds once. It may raise what the SDK and Bolt raise when Slack can't be reached
    or refuses.
    """

    def __init__(self, client: Client, app_token: str, make_app: Callable[[], App]) -> None:
        self.workers = Workers(ENVELOPES, "slack-envelope")
        self._client, self._app_token, self._make_app = client, app_token, make_app
        self._app: App | None = None
        self._error = "not connected yet"
        self._shared = False
        self._lock = threading.Lock()
        self._links: list[Link] = []
        self._stopping = False
        self._wake = threading.Event()
        self._unreachable, self._refused = Backoff(*UNREACHABLE_RETRY), Backoff(*REFUSED_RETRY)
        self._retry_at = 0.0  # not too soon after a failure,
        self._call_at = 0.0  # and not more often than Slack bears
        self._connected_before = False
        self._others_since: float | None = None
        self._look_at: float | None = None

    def start(self) -> None:
        """Connect, in a thread of its own, and go on until :meth:`close`."""
        threading.Thread(target=self._run, name="slack-socket", daemon=True).start()

    def is_connected(self) -> bool:
        """Whether a websocket is open."""
        return bool(self._links)

    def troubles(self) -> dict[str, str]:
        """Return why there is no connection, or that it is shared with somebody; empty when all is well."""
        if not self.is_connected():
            return {"slack": self._error}
        return {"slack connections": SHARED} if self._shared else {}

    def stop(self) -> None:
        """Take nothing more. What comes is not acknowledged: Slack delivers it to the next server."""
        self._stopping = True
        self._wake.set()

    def close(self) -> None:
        """Close all websockets; after :meth:`stop`."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait = self._keep_connected()
            except Exception as error:
                log.exception("connecting to Slack failed")
                wait = self._failed(str(error), self._refused.next())
            self._wake.wait(wait)
            self._wake.clear()

    def _keep_connected(self) -> float | None:
        """Make a connection if one is needed and it is time; returns when to look again."""
        if self._client.holds():
            return HOLDING_SECONDS
        now = time.monotonic()
        with self._lock:
            if self._look_at is not None and now >= self._look_at:
                self._look_at = None
                for link in self._links:
                    link.leaving = True  # the next one's first message tells how many there are
            needed = all(link.leaving for link in self._links)
        if not needed:
            return None if self._look_at is None else self._look_at - now
        wait = max(self._retry_at, self._call_at - (CALL_BURST - 1) * CALL_SECONDS) - now
        return wait if wait > 0 else self._connect()

    def _connect(self) -> float:
        explanation, backoff = explain, self._unreachable
        try:
            if self._app is None:
                self._app = self._make_app()
            explanation = explain_socket_mode
            answer = self._client.apps_connections_open(app_token=self._app_token)
            backoff = self._refused
            link = Link(str(answer["url"]))
        except (BoltError, SlackApiError, websocket.WebSocketException, OSError, ValueError) as error:
            if self._app is not None and isinstance(error, SlackApiError):
                backoff = self._refused
            refusal = explanation(error)
            wait = backoff.next() if refusal.retry_after is None else refusal.retry_after
            return self._failed(str(refusal), wait, called=backoff is self._refused)
        self._count_call()
        self._unreachable.reset()
        self._refused.reset()
        with self._lock:
            for old in self._links:
                old.close_at = time.monotonic() + OVERLAP_SECONDS
            again = not self._links
            self._links.append(link)
        threading.Thread(target=self._read, args=(link,), name="slack-websocket", daemon=True).start()
        if again and self._connected_before:
            log.warning("Slack is connected again")
        elif again:
            log.info("Slack is connected")
        self._connected_before = True
        self._error = LOST
        if self._stopping:
            link.close()
        return 0.0

    def _failed(self, text: str, wait: float, *, called: bool = True) -> float:
        if called:
            self._count_call()
        self._retry_at = time.monotonic() + wait
        if text != self._error:
            log.error("Slack is not connected: %s. It is tried again; readers and machines work all the same.", text)
        self._error = text
        return wait

    def _count_call(self) -> None:
        self._call_at = max(self._call_at, time.monotonic()) + CALL_SECONDS

    def _read(self, link: Link) -> None:
        reason = "see the trace"
        try:
            reason = link.read(lambda message: self._receive(link, message))
        finally:
            with self._lock:
                self._links.remove(link)
                last = not self._links
            if last and not self._stopping:
                log.warning("Slack's socket is lost (%s); it is made again", reason)
            self._wake.set()

    def _receive(self, link: Link, message: Any) -> None:
        match message:
            case {"type": "hello", "num_connections": int(count)}:
                self._count_others(count)
            case {"type": "disconnect"}:
                log.info("Slack asks for a new connection (%s)", message.get("reason"))
                link.leaving = True
                self._wake.set()
            case {"envelope_id": _} if self._client.holds():
                link.close()  # not acknowledged: Slack delivers it to the server that owns the machines
            case {"envelope_id": _, "type": kind} if not self._stopping:
                log.debug("Slack sent %s", kind)
                self.workers.submit(self._handle, link, message, datetime.now(UTC))

    def _handle(self, link: Link, message: dict[str, Any], arrived: datetime) -> None:
        request = SocketModeRequest.from_dict(message)
        if request is None:
            return
        request.payload[ARRIVED] = arrived
        try:
            assert self._app is not None
            response = run_bolt_app(self._app, request)
            if response.status == 200:
                send_response(link, request, response, time.time())
            else:  # an app may be subscribed to more than is listened to: Slack is not to deliver it again and again
                link.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        except (websocket.WebSocketException, OSError) as error:
            log.warning("what came from Slack could not be acknowledged (%s); Slack may deliver it again", error)
        except Exception:
            log.exception("what came from Slack could not be handled")

    def _count_others(self, count: int) -> None:
        """Look whether there are more connections than ours: Slack gives each of them a part of the commands."""
        now = time.monotonic()
        with self._lock:
            others = count - len(self._links)
        if others <= 0:
            self._shared, self._others_since, self._look_at = False, None, None
            return
        self._others_since = self._others_since or now
        lasting = now - self._others_since >= OTHERS_SECONDS
        self._look_at = now + (OTHERS_AGAIN_SECONDS if lasting else OTHERS_SECONDS)
        self._wake.set()
        if lasting and not self._shared:
            log.error("Slack: %s", SHARED)
        self._shared = lasting
