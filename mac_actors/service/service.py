"""A running server: fleet, HTTP and Slack, started and stopped in order."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from mac_actors.actors.notifier import Chat
from mac_actors.bootstrap import Fleet
from mac_actors.core.config import Configuration
from mac_actors.errors import ConfigError
from mac_actors.fleet.missing_readers import Watched
from mac_actors.fleet.reload import ReloadSummary
from mac_actors.service.logs import lines_left_out
from mac_actors.settings import Settings
from mac_actors.settings.api_keys import load_api_keys
from mac_actors.settings.files import load
from mac_actors.storage.store import Store
from mac_actors.web.access import Access
from mac_actors.web.app import create_app
from mac_actors.web.server.server import Server
from mac_actors.web.server.tls import Tls
from mac_actors.webhooks.sender import send

if TYPE_CHECKING:
    from mac_actors.esphome.native_api import NativeApi
    from mac_actors.mqtt.bridge import MqttBridge
    from mac_actors.slack.connection import SlackConnection


def _slack_connection(settings: Settings) -> SlackConnection | None:
    if settings.slack is None:
        return None
    from mac_actors.slack.connection import SlackConnection  # 8 MB that a server without Slack need not load

    return SlackConnection(settings.slack, settings.base_url)


def check_mqtt(settings: Settings) -> None:
    """Raise :class:`~mac_actors.errors.ConfigError` where MQTT is on and what it needs is not installed."""
    if settings.mqtt is not None and find_spec("paho") is None:
        needs = "MAC_MQTT_URL is set, and needs what is not installed: pip install 'mac-actors[mqtt]'"
        raise ConfigError([needs])


def _mqtt_bridge(settings: Settings, fleet: Fleet) -> MqttBridge | None:
    if settings.mqtt is None:
        return None
    from mac_actors.mqtt.bridge import MqttBridge  # a server without MQTT need not have the library

    return MqttBridge(settings.mqtt, fleet, names=settings.public_names)


def _native_api(settings: Settings, configuration: Configuration) -> NativeApi | None:
    keys = load_api_keys(settings, configuration.machines)
    if keys is None:
        return None
    from mac_actors.esphome.native_api import NativeApi  # it has asyncio

    return NativeApi(keys)


class Service:
    """A running server: :meth:`start` brings everything up, in order; :meth:`stop` down again, the other way round."""

    def __init__(self, settings: Settings, chat: Chat | None = None) -> None:
        self.settings = settings
        self.configuration = load(settings)
        check_mqtt(settings)
        self.native_api = _native_api(settings, self.configuration)
        tls = Tls(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
        self.slack = _slack_connection(settings)
        self.mqtt: MqttBridge | None = None
        self.fleet = Fleet(
            self.configuration,
            Store.open(settings.state_dir),
            commit_budget=settings.commit_budget,
            missing=Watched(settings.missing_readers),
            retention_days=settings.retention_days,
            chat=self.slack.chat if self.slack else chat,
            restarter=self.native_api,
            send=send,
        )
        if self.native_api:
            self.native_api.notify = self.fleet.notify
        access = Access(settings.tokens, self.fleet, public_names=settings.public_names)
        self.app = create_app(self.fleet, access, self.load, self.notes, settings.space)
        self.server = Server(self.app.wsgi, settings.host, settings.port, tls)
        self.server.direct = self.app.reports
        self.app.metrics.refusals.append(self.server.refusals)
        self.app.metrics.log_lines_left_out = lines_left_out
        self.app.metrics.slack_connected = self.slack.is_connected if self.slack else None
        try:
            self.server.open()
        except BaseException:
            self.fleet.close()
            raise

    def load(self, *, machines: bool = True) -> Configuration:
        """Read the configuration files anew; ``machines=False``: the users file alone."""
        configuration = load(self.settings, machines=machines)
        if self.native_api and machines:
            self.native_api.keys = load_api_keys(self.settings, configuration.machines) or self.native_api.keys
        return configuration

    def reload(self) -> ReloadSummary:
        """Read the files anew and use them, as ``POST /api/reload`` does.

        Raises :class:`~mac_actors.errors.ConfigError` or :class:`~mac_actors.errors.ReloadRefused`, and then
        everything is as before.
        """
        return self.fleet.reload(self.load())

    def start(self) -> None:
        """Answer requests, in threads of the server's own, and connect to Slack. The socket is bound already."""
        self.server.run_in_thread()
        self.mqtt = _mqtt_bridge(self.settings, self.fleet)
        self.app.metrics.mqtt_connected = self.mqtt.is_connected if self.mqtt else None
        if self.slack:
            self.slack.start(self.fleet)

    def notes(self) -> dict[str, str]:
        """Return what is wrong beside the fleet: troubles that keep no reader from being served."""
        mqtt = {"mqtt": self.mqtt.error} if self.mqtt and self.mqtt.error else {}
        hooks = self.fleet.webhooks.notifiers.values() if self.fleet.webhooks else ()
        return (
            (self.slack.troubles() if self.slack else {}) | mqtt | {one.label: one.error for one in hooks if one.error}
        )

    def stop(self) -> None:
        """Finish the requests under way, write everything, let the state directory go."""
        if self.mqtt:
            self.mqtt.stop()
        if self.slack:
            self.slack.stop()
        self.server.stop()
        self.fleet.close()
        if self.native_api:
            self.native_api.close()
