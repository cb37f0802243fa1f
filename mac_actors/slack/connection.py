"""The connection to Slack: made and kept in the background, so that Slack's troubles are Slack's alone."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.error import BoltError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from mac_actors.core.backoff import Backoff
from mac_actors.core.changed import Changed
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings import SlackSettings
from mac_actors.slack.checks import check_channels, explain_socket_mode
from mac_actors.slack.dispatcher import Dispatcher
from mac_actors.slack.gateway import SlackChat, explain, make_client
from mac_actors.slack.listeners import register

log = logging.getLogger(__name__)

PING_SECONDS = 3
"""Between signs of life on the socket: a silent one is noticed after five or six, within 20 s."""

FIRST_RETRY, LAST_RETRY = 1.0, 15.0
"""Seconds until the connection is tried again: doubled from the first to the last."""

LOOK_SECONDS = 1.0
"""How often the connection is looked at, to say once that it is lost, or back."""

CHECK_SECONDS = 30.0
"""How often channels that were not as they must be are looked at again."""

LISTENERS = 20
"""Slack commands that may be under way at once."""


class SlackConnection:
    """Everything that the server has to do with Slack: the chat for the notifier, and the commands."""

    def __init__(self, settings: SlackSettings) -> None:
        self._settings = settings
        self._client: WebClient = make_client(settings)
        self.chat = SlackChat(self._client, settings)
        self._stopping = threading.Event()
        self._error: str | None = "not connected yet"
        self._channels: list[str] = []
        self._fleet: MachineFleet | None = None
        self._handler: SocketModeHandler | None = None
        self._listeners = ThreadPoolExecutor(LISTENERS, thread_name_prefix="slack")
        self._thread = threading.Thread(target=self._run, name="slack-connect", daemon=True)

    def start(self, fleet: MachineFleet) -> None:
        """Connect in the background, and go on trying until it works or :meth:`stop` is called."""
        self._fleet = fleet
        self._thread.start()

    def stop(self) -> None:
        """Close the connection. A command under way is finished."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        if self._handler is not None:
            with suppress(Exception):  # the SDK's close races with a socket that is breaking
                self._handler.client.close()
        self._listeners.shutdown(wait=True, cancel_futures=True)

    def troubles(self) -> dict[str, str]:
        """Return what is wrong with Slack at the moment, by part; empty when all is well."""
        found: dict[str, str] = {}
        if self._error is not None:
            found["slack"] = self._error
        elif not self.is_connected():
            found["slack"] = "the connection is broken; it is being made again"
        if self._channels:
            found["slack channels"] = "; ".join(self._channels)
        if self._fleet is not None and self._fleet.notifier is not None:
            found |= {f"slack {name}": text for name, text in self._fleet.notifier.troubles().items()}
        return found

    def _run(self) -> None:
        """Connect; then look after the connection, and after channels that were not as they must be."""
        backoff = Backoff(FIRST_RETRY, LAST_RETRY)
        while not self._stopping.is_set():
            try:
                self._connect()
                break
            except (BoltError, SlackApiError, OSError, ValueError) as error:
                self._complain(error)
            except Exception as error:
                log.exception("connecting to Slack failed")
                self._error = str(error)
            self._stopping.wait(backoff.next())
        changed = Changed(True)
        next_check = time.monotonic() + CHECK_SECONDS
        while not self._stopping.wait(LOOK_SECONDS):
            if changed(connected := self.is_connected()):
                log.warning("Slack is connected again" if connected else "Slack's socket is lost; it is made again")
            if self._channels and time.monotonic() > next_check:
                self._channels = list(check_channels(self._client, self._settings))
                next_check = time.monotonic() + CHECK_SECONDS

    def is_connected(self) -> bool:
        """Whether the socket to Slack is open."""
        return self._handler is not None and bool(self._handler.client.is_connected())

    def _connect(self) -> None:
        assert self._fleet is not None
        settings = self._settings
        self._client.auth_test()
        self._channels = list(check_channels(self._client, settings))
        for problem in self._channels:
            log.error("Slack: %s", problem)
        app = App(
            client=self._client,
            signing_secret=settings.signing_secret,
            listener_executor=self._listeners,
            token_verification_enabled=True,
        )
        dispatcher = Dispatcher(self._fleet, self._client, settings, self._stopping)
        register(app, dispatcher)
        handler = SocketModeHandler(
            app, settings.app_token, web_client=self._client, ping_interval=PING_SECONDS, trace_enabled=False
        )
        try:
            handler.client.connect()
        except BaseException:
            with suppress(Exception):
                handler.client.close()
            raise
        self._handler = handler
        self._error = None
        log.info("Slack is connected")
        dispatcher.people.learn(settings.control_channel)

    def _complain(self, error: Exception) -> None:
        if isinstance(error, SlackApiError) and "apps.connections.open" in str(error):
            text = explain_socket_mode(error)
        else:
            text = str(explain(error))
        if text != self._error:
            log.error("Slack is not connected: %s. It is tried again; readers and machines work all the same.", text)
        self._error = text
