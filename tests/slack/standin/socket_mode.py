"""Socket Mode: connections, the envelopes sent on them and their acknowledgements."""

from __future__ import annotations

import json
import secrets
import threading
import time
from contextlib import suppress
from typing import Literal

from tests.fakes import PATIENCE

from . import websocket
from .envelopes import APP
from .records import Ack, Answer, Json, State
from .server import Connection, Request

Drop = Literal["reset", "fin", "close"]


class Delivery:
    """Something that happened in the workspace, on its way to the app."""

    def __init__(self, state: State, envelope: Json) -> None:
        self._state = state
        self.envelope = envelope
        self.sent_at: float | None = None
        self.ack: Ack | None = None

    @property
    def envelope_id(self) -> str:
        return str(self.envelope["envelope_id"])

    @property
    def payload(self) -> Json:
        payload: Json = self.envelope["payload"]
        return payload

    @property
    def event_id(self) -> str:
        """The id by which a repetition is known; events only."""
        return str(self.payload["event_id"])

    @property
    def ts(self) -> str:
        """The timestamp of the message that mentions the bot; events only."""
        return str(self.payload["event"]["ts"])

    @property
    def trigger_id(self) -> str:
        return str(self.payload["trigger_id"])

    def acked(self, timeout: float = PATIENCE) -> Ack:
        """The acknowledgement, once it is there. Slack allows 3 s: see what it `took`."""
        self._state.wait_for(lambda: self.ack is not None, timeout, lambda: f"no acknowledgement of {self.envelope}")
        assert self.ack is not None
        return self.ack

    def answers(self) -> list[Answer]:
        """What was sent to this interaction's response_url."""
        with self._state.changed:
            return [a for a in self._state.answers if a.url == self.payload.get("response_url")]

    def answered(self, n: int = 1, timeout: float = PATIENCE) -> list[Answer]:
        """Those answers, once there are n."""
        self._state.wait_for(lambda: len(self.answers()) >= n, timeout, lambda: f"answers: {self.answers()}")
        return self.answers()


class Link:
    """One websocket to the app."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.silent = False
        self.refresh: threading.Timer | None = None
        """Runs from Slack's warning on that the connection will be closed."""

    def disconnect(self, reason: str) -> None:
        self.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "stand-in"}})

    def send(self, body: Json) -> None:
        self.connection.send(websocket.frame(websocket.TEXT, json.dumps(body).encode()))


class SocketMode:
    """All websockets of the workspace."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tickets: set[str] = set()
        self._links: list[Link] = []
        self._waiting: list[Delivery] = []
        self._deliveries: dict[str, Delivery] = {}
        self._turn = 0
        self.born_silent = 0
        self.made = 0
        self.refusing: str | None = None
        """The error with which apps.connections.open is refused."""
        self.refresh_seconds = 10.0

    def ticket(self) -> str:
        """The right to open one websocket."""
        ticket = secrets.token_hex(8)
        with self._state.changed:
            self._tickets.add(ticket)
        return ticket

    def open_links(self) -> list[Link]:
        """The websockets that work, the newest last."""
        with self._state.changed:
            return [link for link in self._links if not link.silent and not link.connection.ended]

    def deliver(self, envelope: Json, *, queued: bool) -> Delivery:
        """Send an envelope to one of the websockets; without any, keep it until there is one, or let it be lost."""
        delivery = Delivery(self._state, envelope)
        with self._state.changed:
            self._deliveries[delivery.envelope_id] = delivery
            if queued:
                self._waiting.append(delivery)
                self._flush()
            else:
                self._send(delivery)
            self._state.changed.notify_all()
        return delivery

    def _flush(self) -> None:
        while self._waiting and self._send(self._waiting[0]):
            del self._waiting[0]

    def _send(self, delivery: Delivery) -> bool:
        links = self.open_links()
        self._turn += 1  # they take turns: which one gets an envelope is not for the app to choose
        for link in links[self._turn % len(links) :] + links if links else ():
            delivery.sent_at = time.monotonic()
            with suppress(OSError):
                link.send(delivery.envelope)
                return True
            delivery.sent_at = None
        return False

    def drop(self, how: Drop) -> None:
        """End the websockets: reset, or FIN without a word, or a close frame first; back when they are ended."""
        with self._state.changed:
            links = list(self._links)
        for link in links:
            with suppress(OSError):
                if how == "close":
                    link.connection.send(websocket.frame(websocket.CLOSE, b"\x03\xe8bye"))
            link.connection.end(reset=how == "reset")
        for link in links:
            link.connection.closed.wait(5)

    def silence(self) -> None:
        """Let the open websockets die without a sign: nothing is read or sent any more, nothing is closed."""
        with self._state.changed:
            for link in self._links:
                link.silent = True

    def refresh(self) -> None:
        """Warn the app that its connections will be closed, as Slack does every few hours; then close them."""
        for link in self.open_links():
            link.disconnect("warning")
            link.refresh = threading.Timer(self.refresh_seconds, self._finish_refresh, [link])
            link.refresh.daemon = True
            link.refresh.start()

    @staticmethod
    def _finish_refresh(link: Link) -> None:
        with suppress(OSError):
            link.disconnect("refresh_requested")
        link.connection.end(reset=False)

    def disable(self) -> None:
        """Switch Socket Mode off: connections are closed and none can be opened."""
        self.refusing = "not_allowed"
        for link in self.open_links():
            with suppress(OSError):
                link.disconnect("link_disabled")
            link.connection.end(reset=False)

    def serve(self, connection: Connection, request: Request, ticket: str) -> None:
        """A websocket from its handshake to its end, on its own thread."""
        with self._state.changed:
            welcome = ticket in self._tickets and not self.refusing
            self._tickets.discard(ticket)
        if not welcome:
            connection.answer(403, "this ticket is not valid")
            return
        key = websocket.accept_key(request.headers["sec-websocket-key"])
        connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {key}\r\n\r\n".encode()
        )
        link = Link(connection)
        with self._state.changed:
            count = sum(not other.connection.ended for other in self._links) + 1  # Slack counts the silent ones too
            link.send({"type": "hello", "num_connections": count, "connection_info": {"app_id": APP}})
            link.silent = self.born_silent > 0
            self.born_silent -= link.silent
            self._links.append(link)
            self.made += 1
            self._flush()
            self._state.changed.notify_all()
        try:
            self._listen(link)
        finally:
            with self._state.changed:
                if link.refresh is not None:
                    link.refresh.cancel()
                self._links.remove(link)
                self._state.changed.notify_all()

    def _listen(self, link: Link) -> None:
        for opcode, payload in websocket.messages(link.connection.stream):
            if link.connection.ended:
                return
            if link.silent:
                continue
            if opcode == websocket.PING:
                link.connection.send(websocket.frame(websocket.PONG, payload))
            elif opcode == websocket.CLOSE:
                link.connection.send(websocket.frame(websocket.CLOSE, payload[:2]))
                return
            elif opcode == websocket.TEXT:
                self._acknowledge(json.loads(payload))

    def _acknowledge(self, message: Json) -> None:
        now = time.monotonic()
        with self._state.changed:
            delivery = self._deliveries[message["envelope_id"]]
            if delivery.ack is None:
                took = now - (delivery.sent_at or now)
                delivery.ack = Ack(delivery.envelope_id, message.get("payload"), now, took)
            self._state.changed.notify_all()
