"""The connection to Slack: made and kept in the background, so that Slack's troubles are Slack's alone."""

from __future__ import annotations

import logging
import threading
import time

from slack_bolt import App

from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.watch import Chore, Watch
from mac_actors.settings import SlackSettings
from mac_actors.slack.checks import check_channels
from mac_actors.slack.dispatcher import Dispatcher
from mac_actors.slack.gateway import QUIET, SlackChat, make_client
from mac_actors.slack.home.links import Links
from mac_actors.slack.listeners import register
from mac_actors.slack.live.status import LOOK_SECONDS, LiveStatus
from mac_actors.slack.socket_mode import SocketMode
from mac_actors.slack.workers import Workers

log = logging.getLogger(__name__)

CHECK_SECONDS = 30.0
"""How often channels that were not as they must be are looked at again."""

LISTENERS = 20
"""Slack commands that may be under way at once."""

ANSWERING = 4
"""Questions that may be answered at once: by threads of their own, as an answer may have to wait for Slack."""

STOP_SECONDS = 1.5
"""How long a stop waits for the commands under way: it must end within 5 s, whatever Slack does."""


class SlackConnection:
    """Everything that the server has to do with Slack: the chat for the notifier, and the commands.

    ``base_url`` is the address of the board, for links.
    """

    def __init__(self, settings: SlackSettings, base_url: str | None = None) -> None:
        self._settings = settings
        self._base_url = base_url
        self._client = make_client(settings)
        self.chat = SlackChat(self._client, settings)
        self._stopping = threading.Event()
        self._channels: list[str] = []
        self._own: dict[str, list[str]] = {}
        self._fleet: MachineFleet | None = None
        self._watches: list[Watch] = []
        self._sockets = SocketMode(self._client, settings.app_token, self._make_app)
        self.commands = Workers(LISTENERS, "slack-command")
        """The threads that carry commands out, and answer them."""
        self.answering = Workers(ANSWERING, "slack-answer")
        """The threads that answer what changes nothing."""

    def start(self, fleet: MachineFleet) -> None:
        """Connect in the background, and go on trying until it works or :meth:`stop` is called."""
        self._fleet = fleet
        self._client.holds = lambda: not fleet.owns
        self.chat.find_member = Links(fleet, self._client).to_be_told
        self._sockets.start()
        threading.Thread(target=self._check_again, name="slack-channels", daemon=True).start()

    def stop(self) -> None:
        """Close the connection. A command under way is finished, unless Slack takes too long over it."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_SECONDS
        self._sockets.stop()
        for watch in self._watches:
            watch.stop(0)  # a call of theirs that hangs keeps nobody
        self._sockets.workers.finish(STOP_SECONDS)
        self.commands.finish(deadline - time.monotonic())
        self.answering.finish(deadline - time.monotonic())
        self._sockets.close()

    def troubles(self) -> dict[str, str]:
        """Return what is wrong with Slack at the moment, by part; empty when all is well."""
        found = self._sockets.troubles()
        if self._channels:
            found["slack channels"] = "; ".join(self._channels)
        if self._fleet is not None and self._fleet.notifier is not None:
            found |= {f"slack {name}": text for name, text in self._fleet.notifier.troubles().items()}
        return found

    def is_connected(self) -> bool:
        """Whether a socket to Slack is open."""
        return self._sockets.is_connected()

    def _check_again(self) -> None:
        while not self._stopping.wait(CHECK_SECONDS):
            if self._channels or (self._fleet and self._fleet.configuration.slack_channels != self._own):
                self._channels = self._look_at_channels()

    def _look_at_channels(self) -> list[str]:
        assert self._fleet is not None
        self._own = self._fleet.configuration.slack_channels
        return list(check_channels(self._client, self._settings, self._own))

    def _make_app(self) -> App:
        """Look whether tokens and channels are right, and set up what listens; raises what the clients raise."""
        assert self._fleet is not None
        settings = self._settings
        self._client.auth_test()
        self._channels = self._look_at_channels()
        for problem in self._channels:
            log.error("Slack: %s", problem)
        app = App(
            logger=QUIET,
            client=self._client,
            signing_secret=settings.signing_secret,
            listener_executor=self.commands,
            token_verification_enabled=True,
        )
        dispatcher = Dispatcher(self._fleet, self._client, settings, self._base_url, self._stopping, self.answering)
        register(app, dispatcher)
        self.commands.submit(dispatcher.people.learn, settings.control_channel)
        live = LiveStatus(self._fleet, self._client, settings.oops_channel)
        self._watches = [
            Watch("slack-live", Chore("write the live status", live.step, LOOK_SECONDS)),
            Watch("slack-homes", Chore("publish App Homes", dispatcher.homes.step)),
        ]
        return app
