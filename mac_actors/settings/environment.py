"""The environment: every variable that the server and the commands know, what it means and how it is read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mac_actors.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable.

    ``parse`` makes a value of its text; the text of its ``ValueError`` goes on after the variable's name.
    ``meaning`` is in sentences, for the documentation; ``default`` is written as in the environment.
    """

    name: str
    parse: Callable[[str], Any]
    meaning: str
    default: str | None = None

    def given(self, environ: Mapping[str, str] | None = None) -> str | None:
        """Return its text in ``environ`` (``os.environ`` unless given), ``None`` if it is empty or not set."""
        return (os.environ if environ is None else environ).get(self.name, "").strip() or None

    def read(self, environ: Mapping[str, str] | None = None) -> Any:
        """Return its value, else its default, else ``None``. Raises :class:`ConfigError`."""
        text = self.given(environ) or self.default
        try:
            return None if text is None else self.parse(text)
        except ValueError as error:
            raise ConfigError([f"{self.name} {error}"]) from None

    @property
    def setting(self) -> Any:
        """The field of a dataclass that has its value."""
        return field(default=self.read({}), metadata={"variable": self})


def refused(text: str, allowed: str) -> ValueError:
    """Return the error that says what is ``allowed`` instead of ``text``."""
    return ValueError(f"is {text!r}: allowed is {allowed}")


def secret(text: str) -> str:
    """Take a secret, which goes into an HTTP header; an error does not show it."""
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("has a space or a character that is not plain ASCII: allowed is neither")
    return text


def whole(text: str, low: int, high: int) -> int:
    """Take a whole number from ``low`` to ``high``."""
    if re.fullmatch(r"\d{1,9}", text, re.ASCII) and low <= int(text) <= high:
        return int(text)
    raise refused(text, f"a whole number from {low} to {high}")


def _seconds(text: str) -> float:
    if re.fullmatch(r"\d{1,9}(\.\d{0,9})?|\.\d{1,9}", text, re.ASCII) and float(text) <= 60:
        return float(text)
    raise refused(text, "a number from 0 to 60")


def _flag(text: str) -> bool:
    if text not in {"0", "1"}:
        raise refused(text, "0 or 1")
    return text == "1"


def _whose_silence(text: str) -> str:
    if text not in {"seen", "all", "off"}:
        raise refused(text, "one of seen, all, off")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file() or not os.access(path, os.R_OK):
        raise refused(text, "the path of a file that the server can read")
    return path


def _web_api(text: str) -> str:
    if not re.match(r"https?://[^\s]+$", text):
        raise refused(text, "a URL that begins with http:// or https://")
    return text


def server_address(text: str) -> str:
    """Take the address of a running server."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise refused(text, "an address like http://workshop.local:5000")
    return text


MACHINES_CONFIG = Variable("MACHINES_CONFIG", Path, "The file of the machines.", "machines.json")
USERS_CONFIG = Variable(
    "USERS_CONFIG", Path, "The file of the users. ``mac-actors simulate`` takes fobs from it too.", "users.json"
)
MACHINE_STATE_DIR = Variable(
    "MACHINE_STATE_DIR",
    Path,
    "Where the server keeps its database. It is made if it is missing. One server at a time can use it. Back it up.",
    "machine_state",
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
MAC_PUBLIC_NAMES = Variable(
    "MAC_PUBLIC_NAMES",
    _flag,
    "``1``: everybody who can reach the server sees users' names. ``0``: only callers with the admins' token do.",
    "0",
)
MAC_TLS_CERT = Variable(
    "MAC_TLS_CERT", _file, "A certificate as a PEM file. Together with its key it turns the server to HTTPS."
)
MAC_TLS_KEY = Variable("MAC_TLS_KEY", _file, "The certificate's key, as a PEM file.")
MAC_ENFORCE_EXPIRATION = Variable(
    "MAC_ENFORCE_EXPIRATION",
    _flag,
    "``1``: a user is refused after the day ``expiration_ymd`` has ended, local time. ``0``: expired users are let "
    "in, and the start says how many there are.",
    "0",
)
MAC_COMMIT_BUDGET = Variable(
    "MAC_COMMIT_BUDGET", _seconds, "Seconds, 0 to 60, that an answer may wait until its change is on disk.", "0.25"
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
    "SLACK_API_URL", _web_api, "Optional: the base address of Slack's Web API, for proxies and for tests."
)

FILES = (MACHINES_CONFIG, USERS_CONFIG, MACHINE_STATE_DIR)
SERVER = (
    *(MAC_HOST, MAC_PORT, MAC_URL, MAC_ADMIN_TOKEN, MAC_READER_TOKEN, MAC_PUBLIC_NAMES, MAC_TLS_CERT, MAC_TLS_KEY),
    *(MAC_ENFORCE_EXPIRATION, MAC_COMMIT_BUDGET, MAC_MISSING_READERS, MAC_RETENTION_DAYS),
)
SLACK_VARIABLES = {
    "app_token": SLACK_APP_TOKEN,
    "bot_token": SLACK_BOT_TOKEN,
    "signing_secret": SLACK_SIGNING_SECRET,
    "control_channel": SLACK_CONTROL_CHANNEL_ID,
    "oops_channel": SLACK_OOPS_CHANNEL_ID,
}
"""Field of :class:`SlackSettings` -> its variable; all are required once SLACK_APP_TOKEN is set."""

SLACK = (*SLACK_VARIABLES.values(), SLACK_API_URL)
VARIABLES = (*FILES, *SERVER, *SLACK)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Secrets that callers must show; ``None``: not set. Never shown in a log or a ``repr``."""

    admin: str | None = MAC_ADMIN_TOKEN.setting
    reader: str | None = MAC_READER_TOKEN.setting

    def __repr__(self) -> str:
        """Say which are set, not what they are."""
        return f"Tokens(admin={'set' if self.admin else None}, reader={'set' if self.reader else None})"


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """What the Slack side needs. Tokens are not part of its ``repr``."""

    bot_token: str
    app_token: str
    signing_secret: str
    control_channel: str
    oops_channel: str
    api_url: str | None = None

    def __repr__(self) -> str:
        """Show the channels alone."""
        return f"SlackSettings(control={self.control_channel}, oops={self.oops_channel}, api={self.api_url})"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the environment decides; the variables are in ``docs/configuration.rst``."""

    machines_config: Path = MACHINES_CONFIG.setting
    users_config: Path = USERS_CONFIG.setting
    state_dir: Path = MACHINE_STATE_DIR.setting
    host: str = MAC_HOST.setting
    port: int = MAC_PORT.setting
    tokens: Tokens = Tokens()
    public_names: bool = MAC_PUBLIC_NAMES.setting
    tls_cert: Path | None = MAC_TLS_CERT.setting
    tls_key: Path | None = MAC_TLS_KEY.setting
    enforce_expiration: bool = MAC_ENFORCE_EXPIRATION.setting
    commit_budget: float = MAC_COMMIT_BUDGET.setting
    missing_readers: str = MAC_MISSING_READERS.setting
    retention_days: int | None = MAC_RETENTION_DAYS.setting
    slack: SlackSettings | None = None


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment (``os.environ`` unless given); an empty variable counts as not set.

    Raises :class:`ConfigError` with a line for each bad variable: its name, its value, what is allowed.
    """
    problems: list[str] = []

    def read(variable: Variable) -> Any:
        try:
            return variable.read(environ)
        except ConfigError as error:
            problems.extend(error.problems)
            return variable.read({})

    def read_fields(settings: type[Settings] | type[Tokens]) -> dict[str, Any]:
        return {one.name: read(one.metadata["variable"]) for one in fields(settings) if one.metadata}

    settings = Settings(**read_fields(Settings), tokens=Tokens(**read_fields(Tokens)))
    certificate, key = (variable.given(environ) for variable in (MAC_TLS_CERT, MAC_TLS_KEY))
    if (certificate is None) != (key is None):
        have, lack = ("CERT", "KEY") if certificate else ("KEY", "CERT")
        problems.append(f"MAC_TLS_{lack} is not set: HTTPS needs it beside MAC_TLS_{have}")
    if SLACK_APP_TOKEN.given(environ):
        problems += [
            f"{variable.name} is not set: Slack is on because SLACK_APP_TOKEN is set, and needs it (docs/slack.rst)"
            for variable in SLACK_VARIABLES.values()
            if not variable.given(environ)
        ]
        texts = {name: read(variable) for name, variable in SLACK_VARIABLES.items()}
        settings = replace(settings, slack=SlackSettings(**texts, api_url=read(SLACK_API_URL)))
    if problems:
        raise ConfigError(problems)
    return settings
