"""A real mosquitto, and a client that sees all that it retains."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_connection
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.e2e.processes import free_port
from tests.fakes import PATIENCE, wait_until

needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto") is None and "CI" not in os.environ,
    reason="mosquitto is not on this computer (Debian: apt install mosquitto)",
)

USER, PASSWORD = "mac", "a-secret-of-the-broker"


class Broker:
    """Mosquitto with one user, on a port of its own. What it retains is lost when it stops. ``tls`` is more of its
    configuration, ``access`` what its user may do.
    """

    def __init__(self, directory: Path, tls: str = "", access: str = "topic readwrite #") -> None:
        self.port = free_port()
        passwords, config = directory / "passwords", directory / "mosquitto.conf"
        self._list = directory / "access"
        self._list.write_text(f"user {USER}\n{access}\n")
        passwords.touch(mode=0o600)
        subprocess.run(["mosquitto_passwd", "-b", passwords, USER, PASSWORD], check=True, capture_output=True)
        me = f"user {os.environ.get('USER') or 'root'}\n" if os.geteuid() == 0 else ""
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nacl_file {self._list}\n"
            f"{me}{tls}"
        )
        self._command = ["mosquitto", "-c", str(config)]
        self.url = f"mqtt{'s' if tls else ''}://{USER}:{PASSWORD}@127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def allow(self, access: str) -> None:
        """Let its user do this from now on."""
        self._list.write_text(f"user {USER}\n{access}\n")
        self.process.send_signal(signal.SIGHUP)

    def _answers(self) -> bool:
        with suppress(OSError), create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(PATIENCE)


class Watcher:
    """Sees everything at the broker: ``retained`` is what is retained now, by topic."""

    def __init__(self, broker: Broker) -> None:
        self.retained: dict[str, bytes] = {}
        self.seen: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1) and None
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self._changed:
            self.seen.append((message.topic, bytes(message.payload)))
            self.retained[message.topic] = bytes(message.payload)
            self._changed.notify_all()

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE)

    def wait_for(self, topic: str, payload: bytes | None = None, **values: Any) -> Any:
        """Wait until a topic holds this, or JSON with these values; returns it."""

        def holds() -> bool:
            if topic not in self.retained:
                return False
            if payload is not None:
                return self.retained[topic] == payload
            return bool(self.retained[topic]) and values.items() <= json.loads(self.retained[topic]).items()

        with self._changed:
            assert self._changed.wait_for(holds, PATIENCE), (topic, self.retained)
            return payload if payload is not None else json.loads(self.retained[topic])


@contextmanager
def watching(broker: Broker) -> Iterator[Watcher]:
    watcher = Watcher(broker)
    try:
        yield watcher
    finally:
        watcher.close()
