"""What the owner of the machines has: fleet, web application, Slack and the other ways out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mac_actors.actors.notifier import Chat
from mac_actors.actors.subscribers import Subscriber
from mac_actors.bootstrap import Fleet
from mac_actors.cluster.guard import GuardedChat, guarded
from mac_actors.core.config import Configuration
from mac_actors.core.text import count
from mac_actors.errors import ConfigError
from mac_actors.fleet.missing_readers import Watched
from mac_actors.fleet.supervisor import Prepared
from mac_actors.service.logs import lines_left_out
from mac_actors.settings import Settings
from mac_actors.settings.api_keys import load_api_keys
from mac_actors.settings.language import language
from mac_actors.storage.store import Store
from mac_actors.web.access import Access
from mac_actors.web.api.admin import Load
from mac_actors.web.app import create_app
from mac_actors.webhooks.sender import send

if TYPE_CHECKING:
    from mac_actors.esphome.native_api import NativeApi
    from mac_actors.mqtt.bridge import MqttBridge
    from mac_actors.slack.connection import SlackConnection


def check_mqtt(settings: Settings) -> None:
    """Raise :class:`~mac_actors.errors.ConfigError` where MQTT is on and what it needs is not installed."""
    if settings.mqtt is not None and find_spec("paho") is None:
        needs = "MAC_MQTT_URL is set, and needs what is not installed: pip install 'mac-actors[mqtt]'"
        raise ConfigError([needs])


def _slack_connection(settings: Settings) -> SlackConnection | None:
    if settings.slack is None:
        return None
    from mac_actors.slack.connection import SlackConnection  # 8 MB that a server without Slack need not load

    return SlackConnection(settings.slack, settings.base_url)


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


class Shop:
    """All that is alive as long as this server owns the machines.

    ``holds`` says whether it does not, just now; ``notes`` what is wrong beside the shop; ``prepared`` makes it ready
    at once; the ``subscribers`` are told of each outcome from the first one on. Takes the store over.
    """

    def __init__(
        self,
        settings: Settings,
        configuration: Configuration,
        store: Store,
        load: Load,
        *,
        chat: Chat | None = None,
        holds: Callable[[], bool] | None = None,
        prepared: Prepared | None = None,
        notes: Callable[[], dict[str, str]] = dict,
        subscribers: Iterable[Subscriber] = (),
    ) -> None:
        self._settings = settings
        self._notes = notes
        self.native_api = _native_api(settings, configuration)
        self.slack = _slack_connection(settings)
        self.mqtt: MqttBridge | None = None
        spoken = language(settings.language)
        chat = self.slack.chat if self.slack else chat
        self.fleet = Fleet(
            configuration,
            store,
            commit_budget=settings.commit_budget,
            missing=Watched(settings.missing_readers),
            retention_days=settings.retention_days,
            chat=GuardedChat(chat, holds) if chat and holds else chat,
            restarter=self.native_api,
            send=guarded(send, holds) if holds else send,
            holds=holds or (lambda: False),
            prepared=prepared,
            displays=spoken.displays,
        )
        if self.native_api:
            self.native_api.notify = self.fleet.notify
        for subscriber in subscribers:
            self.fleet.subscribe(subscriber)
        access = Access(settings.tokens, self.fleet, public_names=settings.public_names)
        self.app = create_app(self.fleet, access, load, self.notes, settings.space, spoken)
        self.app.metrics.log_lines_left_out = lines_left_out
        self.app.metrics.slack_connected = self.slack.is_connected if self.slack else None

    def loaded(self, configuration: Configuration) -> None:
        """Read what belongs to newly loaded machines."""
        if self.native_api:
            self.native_api.keys = load_api_keys(self._settings, configuration.machines) or self.native_api.keys

    def start(self) -> None:
        """Connect to Slack, and to the broker."""
        self.mqtt = _mqtt_bridge(self._settings, self.fleet)
        self.app.metrics.mqtt_connected = self.mqtt.is_connected if self.mqtt else None
        if self.slack:
            self.slack.start(self.fleet)

    def notes(self) -> dict[str, str]:
        """Return what is wrong beside the fleet: troubles that keep no reader from being served."""
        mqtt = {"mqtt": self.mqtt.error} if self.mqtt and self.mqtt.error else {}
        hooks = self.fleet.webhooks.notifiers.values() if self.fleet.webhooks else ()
        slack = self.slack.troubles() if self.slack else {}
        closed = len(self.fleet.users.people.unreadable())
        unread = f"{count(closed, 'change')} of users can't be read, whose accounts are closed: the log says what to do"
        users = {"users": unread} if closed else {}
        return users | slack | mqtt | {one.label: one.error for one in hooks if one.error} | self._notes()

    def disconnect(self) -> None:
        """Leave Slack and the broker."""
        if self.mqtt:
            self.mqtt.stop()
        if self.slack:
            self.slack.stop()

    def close(self, *, write: bool = True) -> None:
        """End all of it, after :meth:`disconnect`; ``write``: write everything first."""
        if write:
            self.fleet.close()
        else:
            self.fleet.drop()
        if self.native_api:
            self.native_api.close()
