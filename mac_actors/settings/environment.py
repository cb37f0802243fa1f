"""The environment: every variable that the server and the commands know, and the settings that they make."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from urllib.parse import urlsplit

from mac_actors.settings import cell, space
from mac_actors.settings.cell import Cell
from mac_actors.settings.language import MAC_LANGUAGE
from mac_actors.settings.space import Space
from mac_actors.settings.variables import (
    Reader,
    Variable,
    api_key,
    base_url,
    first_line,
    flag,
    mqtt_broker,
    networks,
    readable_file,
    refused,
    seconds,
    secret,
    server_address,
    time_zone,
    web_api,
    whole,
)


def _whose_silence(text: str) -> str:
    if text not in {"seen", "all", "off"}:
        raise refused(text, "one of seen, all, off")
    return text


MACHINES_CONFIG = Variable("MACHINES_CONFIG", Path, "The file of the machines.", "machines.json")
USERS_CONFIG = Variable(
    "USERS_CONFIG", Path, "The file of the users. ``mac-actors simulate`` takes fobs from it too.", "users.json"
)
SLACK_CONFIG = Variable(
    "SLACK_CONFIG",
    Path,
    "The file that says what is posted in Slack when. It may be missing, unless you name another one than the default.",
    "slack.json",
)
MACHINE_STATE_DIR = Variable(
    "MACHINE_STATE_DIR",
    Path,
    "Where the server keeps its database. It is made if it is missing. One server at a time can use it. Back it up.",
    "machine_state",
)
MAC_WEBHOOKS = Variable(
    "MAC_WEBHOOKS", Path, "The file of the webhooks (:doc:`webhooks`). Not set: nothing is sent to any."
)

MAC_HOST = Variable(
    "MAC_HOST",
    str,
    "The address to listen on; also ``--host``. ``mac-actors demo`` takes ``127.0.0.1`` unless this is set.",
    "0.0.0.0",  # noqa: S104 - readers come from the network
)
MAC_PORT = Variable(
    "MAC_PORT",
    partial(whole, low=0, high=65535),
    "The port to listen on; also ``--port``. The commands look for the server there.",
    "5000",
)
MAC_URL = Variable(
    "MAC_URL",
    server_address,
    "For the commands alone: where the server is; also ``--url``. The default is ``http://127.0.0.1:`` and "
    "``MAC_PORT``.",
)
MAC_ADMIN_TOKEN = Variable(
    "MAC_ADMIN_TOKEN",
    secret,
    "The secret of the admins. While it is not set, admin calls are accepted from the server's own computer alone. "
    "The commands send it, so set it in their environment too. No spaces, plain ASCII.",
)
MAC_READER_TOKEN = Variable(
    "MAC_READER_TOKEN",
    secret,
    "The secret of the readers. While it is not set, reports are open. No spaces, plain ASCII.",
)
MAC_READER_API_KEY = Variable(
    "MAC_READER_API_KEY",
    api_key,
    "The key of the native API (``api``, ``encryption``) of all readers whose firmware takes no pokes: an oops or a "
    "lock-out of a machine that has power restarts its reader (:doc:`readers`). Not set: it stops with the next "
    "report. Needs ``pip install 'mac-actors[esphome]'``.",
)
MAC_READER_API_KEYS = Variable(
    "MAC_READER_API_KEYS",
    readable_file,
    "The same with a key for each reader: a JSON file, machine name → key. A machine that is not in it has that of "
    "``MAC_READER_API_KEY``, or none.",
)
MAC_PUBLIC_NAMES = Variable(
    "MAC_PUBLIC_NAMES",
    flag,
    "``1``: everybody who can reach the server sees users' names. ``0``: only callers with the admins' token do.",
    "0",
)
MAC_BASE_URL = Variable(
    "MAC_BASE_URL",
    base_url,
    "The address of the board as people reach it, for example ``https://machines.example.org``. The links that log "
    "somebody in begin with it (:doc:`people`). Not set: there are none.",
)
MAC_TRUSTED_PROXIES = Variable(
    "MAC_TRUSTED_PROXIES",
    networks,
    "Addresses and networks of proxies, separated by commas, for example ``192.0.2.10, 10.0.0.0/24``: their word on "
    "who the client is counts, by the PROXY protocol (version 1 or 2), else in the header ``X-Forwarded-For``, from "
    "the right (:doc:`proxy`). Not set: nobody's does.",
)
MAC_TLS_CERT = Variable(
    "MAC_TLS_CERT", readable_file, "A certificate as a PEM file. Together with its key it turns the server to HTTPS."
)
MAC_TLS_KEY = Variable("MAC_TLS_KEY", readable_file, "The certificate's key, as a PEM file.")
MAC_ENFORCE_EXPIRATION = Variable(
    "MAC_ENFORCE_EXPIRATION",
    flag,
    "``1``: a user is refused after the day ``expiration_ymd`` has ended, local time. ``0``: expired users are let "
    "in, and the start says how many there are.",
    "0",
)
MAC_REPORT_SECONDS = Variable(
    "MAC_REPORT_SECONDS",
    seconds,
    "Seconds, 0 to 60: how often readers report. A new fob in the first report of a reader that has left out more than "
    "two starts nothing until it is put in again (:doc:`readers`). ``0``: it does.",
    "10",
)
MAC_COMMIT_BUDGET = Variable(
    "MAC_COMMIT_BUDGET", seconds, "Seconds, 0 to 60, that an answer may wait until its change is on disk.", "0.25"
)
MAC_MISSING_READERS = Variable(
    "MAC_MISSING_READERS",
    _whose_silence,
    "Whose silence is told in the control channel after a minute: of readers that have been ``seen``, of ``all`` "
    "that are configured, or ``off``. Readers that fall silent within a minute of each other are told of together, "
    "and once more when they are back.",
    "seen",
)
MAC_RETENTION_DAYS = Variable(
    "MAC_RETENTION_DAYS",
    partial(whole, low=1, high=36500),
    "A whole number from 1: names and fobs are removed from events that are older than so many days "
    "(:doc:`history`). Not set: they are kept.",
)
MAC_TZ = Variable(
    "MAC_TZ",
    time_zone,
    "The shop's time zone, for example ``Europe/Berlin``: that of all times which people see, and of the end of a day. "
    "Not set: that of ``TZ``, else the computer's; in a container that is UTC.",
)

SLACK_APP_TOKEN = Variable(
    "SLACK_APP_TOKEN", secret, "The app's token for Socket Mode (``xapp-…``). It turns Slack on."
)
SLACK_BOT_TOKEN = Variable("SLACK_BOT_TOKEN", secret, "The bot's token (``xoxb-…``).")
SLACK_SIGNING_SECRET = Variable("SLACK_SIGNING_SECRET", secret, "The app's signing secret.")
SLACK_CONTROL_CHANNEL_ID = Variable(
    "SLACK_CONTROL_CHANNEL_ID", secret, "The channel of the admins. Names are said there."
)
SLACK_OOPS_CHANNEL_ID = Variable("SLACK_OOPS_CHANNEL_ID", secret, "The channel for everybody. No names are said there.")
SLACK_API_URL = Variable(
    "SLACK_API_URL", web_api, "Optional: the base address of Slack's Web API, for proxies and for tests."
)

MAC_MQTT_URL = Variable(
    "MAC_MQTT_URL",
    mqtt_broker,
    "``mqtt://HOST`` or ``mqtts://HOST``, where needed with user and port: ``mqtts://USER:PASSWORD@HOST:8883``. It "
    "turns MQTT on (:doc:`mqtt`). A path, ``mqtt://HOST/woodshop``, is what topics begin with in place of "
    "``mac-actors``.",
)
MAC_MQTT_PASSWORD_FILE = Variable(
    "MAC_MQTT_PASSWORD_FILE",
    first_line,
    "A file (UTF-8) whose first line is the password at the broker, if not in the URL.",
)
MAC_MQTT_COMMANDS = Variable(
    "MAC_MQTT_COMMANDS",
    flag,
    "``1``: whoever may publish at the broker may oops, lock and clear machines. ``0``: nobody may, by MQTT.",
    "0",
)

FILES = (MACHINES_CONFIG, USERS_CONFIG, SLACK_CONFIG, MACHINE_STATE_DIR, MAC_WEBHOOKS)
SERVER = (
    *(MAC_HOST, MAC_PORT, MAC_URL, MAC_ADMIN_TOKEN, MAC_READER_TOKEN),
    *(MAC_READER_API_KEY, MAC_READER_API_KEYS, MAC_PUBLIC_NAMES, MAC_BASE_URL),
    *(MAC_TRUSTED_PROXIES, MAC_TLS_CERT, MAC_TLS_KEY),
    *(MAC_ENFORCE_EXPIRATION, MAC_REPORT_SECONDS, MAC_COMMIT_BUDGET, MAC_MISSING_READERS, MAC_RETENTION_DAYS, MAC_TZ),
    MAC_LANGUAGE,
    *space.VARIABLES,
)
SLACK = (
    *(SLACK_APP_TOKEN, SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET, SLACK_CONTROL_CHANNEL_ID, SLACK_OOPS_CHANNEL_ID),
    SLACK_API_URL,
)
"""All but the last are required once SLACK_APP_TOKEN is set."""

CELL = cell.VARIABLES

MQTT = (MAC_MQTT_URL, MAC_MQTT_PASSWORD_FILE, MAC_MQTT_COMMANDS)

VARIABLES = (*FILES, *SERVER, *CELL, *MQTT, *SLACK)


def use_time_zone() -> None:
    """Have all of this process tell local time as MAC_TZ says, if it is set. Raises :class:`ConfigError`."""
    if zone := MAC_TZ.read():
        os.environ["TZ"] = zone
        time.tzset()


@dataclass(frozen=True, slots=True)
class Tokens:
    """Secrets that callers must show; ``None``: not set. Never shown in a log or a ``repr``."""

    admin: str | None = MAC_ADMIN_TOKEN.setting
    reader: str | None = MAC_READER_TOKEN.setting
    reader_api: str | None = MAC_READER_API_KEY.setting

    def __repr__(self) -> str:
        """Say which are set, not what they are."""
        return f"Tokens({', '.join(f'{one.name}={self._shown(one.name)}' for one in fields(self))})"

    def _shown(self, name: str) -> str | None:
        return "set" if getattr(self, name) else None


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """What the connection to Slack needs. Tokens are not part of its ``repr``."""

    bot_token: str = SLACK_BOT_TOKEN.setting
    app_token: str = SLACK_APP_TOKEN.setting
    signing_secret: str = SLACK_SIGNING_SECRET.setting
    control_channel: str = SLACK_CONTROL_CHANNEL_ID.setting
    oops_channel: str = SLACK_OOPS_CHANNEL_ID.setting
    api_url: str | None = SLACK_API_URL.setting

    def __repr__(self) -> str:
        """Show the channels alone."""
        return f"SlackSettings(control={self.control_channel}, oops={self.oops_channel}, api={self.api_url})"


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """What the connection to an MQTT broker needs. Passwords (the URL may hold one) are not in its ``repr``."""

    url: str = MAC_MQTT_URL.setting
    password: str | None = MAC_MQTT_PASSWORD_FILE.setting
    commands: bool = MAC_MQTT_COMMANDS.setting

    def __repr__(self) -> str:
        """Show the broker alone."""
        return f"MqttSettings({urlsplit(self.url).hostname}, commands={self.commands})"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the environment decides; the variables are in ``docs/configuration.rst``."""

    machines_config: Path = MACHINES_CONFIG.setting
    users_config: Path = USERS_CONFIG.setting
    state_dir: Path = MACHINE_STATE_DIR.setting
    webhooks: Path | None = MAC_WEBHOOKS.setting
    space: Space = field(default_factory=Space)
    language: str = MAC_LANGUAGE.setting
    cell: Cell = field(default_factory=Cell)
    host: str = MAC_HOST.setting
    port: int = MAC_PORT.setting
    tokens: Tokens = Tokens()
    reader_api_keys: Path | None = MAC_READER_API_KEYS.setting
    public_names: bool = MAC_PUBLIC_NAMES.setting
    base_url: str | None = MAC_BASE_URL.setting
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] | None = MAC_TRUSTED_PROXIES.setting
    tls_cert: Path | None = MAC_TLS_CERT.setting
    tls_key: Path | None = MAC_TLS_KEY.setting
    enforce_expiration: bool = MAC_ENFORCE_EXPIRATION.setting
    report_seconds: float = MAC_REPORT_SECONDS.setting
    commit_budget: float = MAC_COMMIT_BUDGET.setting
    missing_readers: str = MAC_MISSING_READERS.setting
    retention_days: int | None = MAC_RETENTION_DAYS.setting
    slack: SlackSettings | None = None
    slack_config: Path = SLACK_CONFIG.setting
    mqtt: MqttSettings | None = None

    @property
    def place(self) -> Path | str:
        """Where the database is: a directory, or an address, which may hold a password."""
        return self.cell.database or self.state_dir


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment (``os.environ`` unless given); an empty variable counts as not set.

    Raises :class:`ConfigError` with a line for each bad variable: its name, its value, what is allowed.
    """
    reader = Reader(environ)
    settings = Settings(
        **reader.read_fields(Settings),
        tokens=Tokens(**reader.read_fields(Tokens)),
        space=Space(**reader.read_fields(Space)),
        cell=Cell(**reader.read_fields(Cell)),
    )
    if MAC_TLS_CERT.given(environ) or MAC_TLS_KEY.given(environ):
        reader.require(MAC_TLS_CERT, "HTTPS needs it beside MAC_TLS_KEY")
        reader.require(MAC_TLS_KEY, "HTTPS needs it beside MAC_TLS_CERT")
    if cell.MAC_NODE_URL.given(environ):
        reader.require(cell.MAC_DATABASE, "a server with MAC_NODE_URL shares a database with others (docs/cell.rst)")
        reader.require(cell.MAC_CLUSTER_SECRET, "servers with MAC_NODE_URL show it to each other (docs/cell.rst)")
    if SLACK_APP_TOKEN.given(environ):
        for variable in SLACK[:-1]:
            reader.require(variable, "Slack is on because SLACK_APP_TOKEN is set, and needs it (docs/slack.rst)")
        settings = replace(settings, slack=SlackSettings(**reader.read_fields(SlackSettings)))
    if MAC_MQTT_URL.given(environ):
        settings = replace(settings, mqtt=MqttSettings(**reader.read_fields(MqttSettings)))
    reader.raise_problems()
    return settings
