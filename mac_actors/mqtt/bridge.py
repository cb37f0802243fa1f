"""The connection to the broker: made and kept in the background, so that the broker's troubles are its own.

What is published is what is so now, compared with what the broker has. Whatever it missed is not told later; a
connection that is made anew begins with everything. There is one message under way for each topic at the most.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from mac_actors.core.backoff import Backoff
from mac_actors.core.config import Configuration
from mac_actors.core.text import count
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.mqtt import messages as m
from mac_actors.mqtt.commands import Commands
from mac_actors.settings import MqttSettings

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.2
"""So long between two looks, however much happens."""

LOOK_SECONDS = 1.0
"""How often it is looked whether something is new of which no outcome tells: a reader that has fallen silent."""

FIRST_RETRY, LAST_RETRY, JITTER = 1.0, 30.0, 0.25
"""Seconds until a connection is tried again."""

REFUSED_SECONDS = 60.0
"""How often what the broker refuses is offered to it again: somebody may have mended its access list."""

KEEPALIVE_SECONDS = 20
CONNECT_SECONDS = 5.0
STOP_SECONDS = 1.5

LARGEST = 64 * 1024
"""Bytes of a packet that the broker may send; it drops larger ones."""


class MqttBridge:
    """Tells a broker what machines are like. ``names``: with the names of users."""

    def __init__(self, settings: MqttSettings, fleet: MachineFleet, *, names: bool) -> None:
        url = urlsplit(settings.url)
        self._away: str | None = "not connected yet"  # why the broker can't be reached
        self._url = url
        self._password = unquote(url.password or "") or settings.password
        self._topics = m.Topics(unquote(url.path).strip("/") or "mac-actors")
        self._fleet = fleet
        self._names = names
        self._commands = Commands(fleet) if settings.commands else None
        self._ready: Client | None = None
        """The client that is connected. No lock: the library calls us while it holds its own."""
        self._was_ready = False
        self._greeting: MQTTMessageInfo | None = None
        self._published_by: Client | None = None
        self._described: Configuration | None = None
        self._devices: list[m.Message] = []
        """How Home Assistant is told of the machines of that configuration."""
        self._published: dict[str, tuple[bytes, MQTTMessageInfo]] = {}
        self._failures: dict[int, ReasonCode] = {}
        """Why the broker has refused messages, by their numbers; written by the client's thread."""
        self._refused: dict[str, ReasonCode] = {}
        """The same, by the topics in which it has not got what is so now."""
        self._offered = time.monotonic()
        self._overwritten: deque[str] = deque()
        """Topics in which another server has spoken since: one that had owned the machines, and was late."""
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._unsubscribe = fleet.subscribe(lambda outcome: self._news.set())
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in ((self._connect, "mqtt"), (self._publish, "mqtt-publisher"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def error(self) -> str | None:
        """Why the broker can't be reached, or what it refuses; ``None`` while it takes messages."""
        return self._away or self._refusal()

    def is_connected(self) -> bool:
        """Whether the broker takes messages."""
        return self.error is None

    def stop(self) -> None:
        """Say that the server is gone, unless another one owns the machines, and let go; may be called twice.

        Waits for the broker ``STOP_SECONDS`` at the most.
        """
        self._unsubscribe()
        self._stopping.set()
        self._news.set()
        client, self._ready = self._ready, None
        if client:
            if self._fleet.owns:
                client.publish(self._topics.availability, m.OFFLINE, qos=1, retain=True)
            client.disconnect()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        if self._commands:
            self._commands.close(STOP_SECONDS)

    # the connection: a new client for each, so that nothing is left of the last one

    def _connect(self) -> None:
        backoff = Backoff(FIRST_RETRY, LAST_RETRY, JITTER)
        while not self._stopping.is_set():
            if not self._fleet.owns:
                self._stopping.wait(PAUSE_SECONDS)
                continue
            begun = time.monotonic()
            try:
                client = self._new_client()
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.MaximumPacketSize = LARGEST
                port = self._url.port or (8883 if self._url.scheme == "mqtts" else 1883)
                client.connect(
                    self._url.hostname or "", port, KEEPALIVE_SECONDS, clean_start=True, properties=properties
                )
                client.loop_forever()
                self._ended("")
            except Exception as error:  # also what a broker that lies provokes in the library
                self._lost(getattr(error, "strerror", None) or str(error) or type(error).__name__)
            if self._was_ready and time.monotonic() - begun > LAST_RETRY:
                backoff.reset()
            self._stopping.wait(backoff.next())

    def _new_client(self) -> Client:
        self._was_ready, self._failures = False, {}
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5, reconnect_on_failure=False)
        client.connect_timeout = CONNECT_SECONDS
        if self._url.username or self._password:
            client.username_pw_set(unquote(self._url.username or ""), self._password)
        if self._url.scheme == "mqtts":
            client.tls_set_context(ssl.create_default_context())
        client.will_set(self._topics.availability, m.OFFLINE, qos=1, retain=True)
        client.on_socket_register_write = lambda *_: None  # what is published is sent by the loop's thread alone
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._lost(f"the broker refuses: {code}")
            client.disconnect()
            return
        if not self._fleet.owns:
            client.disconnect()
            return
        # What an earlier server retained comes in; what is retained as a command is not: it may be of yesterday.
        client.subscribe(self._topics.own, options=SubscribeOptions(qos=1, noLocal=True, retainHandling=2))
        client.subscribe(self._topics.machines, options=SubscribeOptions(qos=1, noLocal=True))
        if self._commands:
            client.subscribe(self._topics.commands, options=SubscribeOptions(qos=1, retainHandling=2))
        if self._away is not None:
            log.info("connected to the MQTT broker at %s", self._url.hostname)
        self._away = None
        self._greeting = client.publish(self._topics.availability, m.ONLINE, qos=1, retain=True)
        self._ready, self._was_ready = client, True
        self._news.set()

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._ended(f": {code}")

    def _ended(self, why: str) -> None:
        """Say that the connection has ended, unless it is known why it was not taken."""
        if self._away is None:
            self._lost(f"the connection has ended{why}")

    def _lost(self, why: str) -> None:
        self._ready = None
        if self._stopping.is_set():
            return
        if self._away != why:
            log.error("the MQTT broker at %s does not take messages: %s", self._url.hostname, why)
        self._away = why

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        """Take a command, or see what an earlier server has left. Never blocks, never raises."""
        name = self._topics.name_in(message.topic)
        if message.topic == self._topics.command(name):
            if self._commands and not message.retain:
                self._commands.add(name, bytes(message.payload))
        elif message.topic == self._topics.availability:
            if message.payload == m.OFFLINE and self._fleet.owns:  # said of an earlier server, when we were there
                client.publish(self._topics.availability, m.ONLINE, qos=1, retain=True)
        elif not message.retain:
            self._overwritten.append(message.topic)
        elif message.payload and name not in self._fleet.configuration.machines:
            for topic, nothing in m.removal(self._topics, name):
                client.publish(topic, nothing, qos=1, retain=True)

    def _on_publish(
        self, _client: Client, _data: Any, number: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._failures[number] = code
        else:
            self._failures.pop(number, None)

    # the publisher

    def _publish(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(PAUSE_SECONDS)
            self._news.wait(LOOK_SECONDS)
            self._news.clear()
            try:
                if (client := self._ready) and self._fleet.owns:
                    self._publish_changes(client)
            except Exception:
                if not self._stopping.is_set():
                    log.exception("what is new could not be published by MQTT")

    def _publish_changes(self, client: Client) -> None:
        if client is not self._published_by:
            self._published_by, self._published, self._refused = client, {}, {}
            if self._greeting:
                self._published[self._topics.availability] = m.ONLINE, self._greeting
        self._see_what_was_refused()
        while self._overwritten:
            self._published.pop(self._overwritten.popleft(), None)
        configuration = self._fleet.configuration
        if configuration is not self._described:
            machines = configuration.machines.values()
            self._devices = m.devices(self._topics, machines, commands=self._commands is not None)
            self._described = configuration
        again = time.monotonic() - self._offered >= REFUSED_SECONDS
        if again:
            self._offered = time.monotonic()
        states = m.states(self._topics, self._fleet.snapshots(), names=self._names)
        found = [(self._topics.availability, m.ONLINE), *states, *self._devices]
        present = dict(found)
        gone = [
            topic
            for topic, (payload, _) in self._published.items()
            if (payload or topic in self._refused) and topic not in present
        ]
        for topic, payload in [*found, *((topic, b"") for topic in gone)]:
            last = self._published.get(topic)
            if last and not last[1].is_published():
                continue  # the last one is still on its way: in the next round
            if not (again if topic in self._refused else last is None or last[0] != payload):
                continue
            if not self._fleet.owns:
                return
            info = client.publish(topic, payload, qos=1, retain=True)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._published[topic] = payload, info

    def _see_what_was_refused(self) -> None:
        """Note what the broker has refused and what it has taken, and say so where the one follows the other."""
        refused = dict(self._refused)  # replaced, never changed: others iterate
        for topic, (_, info) in self._published.items():
            if info.is_published():
                refused.pop(topic, None)
                if code := self._failures.get(info.mid):
                    refused[topic] = code
        before, self._refused = self._refused, refused
        if refused and not before:
            log.error("the MQTT broker at %s does not take all messages: %s", self._url.hostname, self._refusal())
        elif before and not refused:
            log.info("the MQTT broker at %s takes all messages again", self._url.hostname)

    def _refusal(self) -> str | None:
        """Return which messages the broker refuses, and what to do."""
        refused = self._refused
        if not refused:
            return None
        topic, code = next(iter(refused.items()))
        more = f" and {count(len(refused) - 1, 'more topic')}" if len(refused) > 1 else ""
        return (
            f"it refuses what is published to {topic}{more}: {code}. Let the server's user write there (docs/mqtt.rst)"
        )
