"""The environment: every variable that the server knows, read once and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mac_actors.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Tokens:
    """Secrets that callers must show; ``None``: not set. Never shown in a log or a ``repr``."""

    admin: str | None = None
    reader: str | None = None

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

    machines_config: Path = Path("machines.json")
    users_config: Path = Path("users.json")
    state_dir: Path = Path("machine_state")
    host: str = "0.0.0.0"  # noqa: S104 - readers come from the network
    port: int = 5000
    tokens: Tokens = Tokens()
    public_names: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    enforce_expiration: bool = False
    commit_budget: float = 0.25
    missing_readers: str = "seen"
    retention_days: int | None = None
    slack: SlackSettings | None = None


SLACK_VARIABLES: Final = {
    "bot_token": "SLACK_BOT_TOKEN",
    "app_token": "SLACK_APP_TOKEN",
    "signing_secret": "SLACK_SIGNING_SECRET",
    "control_channel": "SLACK_CONTROL_CHANNEL_ID",
    "oops_channel": "SLACK_OOPS_CHANNEL_ID",
}


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment (``os.environ`` unless given); an empty variable counts as not set.

    Raises :class:`ConfigError` with a line for each bad variable: its name, its value, what is allowed.
    """
    reader = _Environment(os.environ if environ is None else environ)
    settings = Settings(
        machines_config=Path(reader.text("MACHINES_CONFIG", "machines.json")),
        users_config=Path(reader.text("USERS_CONFIG", "users.json")),
        state_dir=Path(reader.text("MACHINE_STATE_DIR", "machine_state")),
        host=reader.text("MAC_HOST", "0.0.0.0"),  # noqa: S104 - readers come from the network
        port=int(reader.number("MAC_PORT", 5000, 0, 65535, whole=True)),
        tokens=Tokens(reader.secret("MAC_ADMIN_TOKEN"), reader.secret("MAC_READER_TOKEN")),
        public_names=reader.flag("MAC_PUBLIC_NAMES"),
        tls_cert=reader.file("MAC_TLS_CERT"),
        tls_key=reader.file("MAC_TLS_KEY"),
        enforce_expiration=reader.flag("MAC_ENFORCE_EXPIRATION"),
        commit_budget=reader.number("MAC_COMMIT_BUDGET", 0.25, 0.0, 60.0),
        missing_readers=reader.choice("MAC_MISSING_READERS", "seen", ("seen", "all", "off")),
        retention_days=int(reader.number("MAC_RETENTION_DAYS", 0, 1, 36500, whole=True)) or None,
        slack=_slack(reader),
    )
    if (settings.tls_cert is None) != (settings.tls_key is None):
        have, lack = ("CERT", "KEY") if settings.tls_cert else ("KEY", "CERT")
        reader.problems.append(f"MAC_TLS_{lack} is not set: HTTPS needs it beside MAC_TLS_{have}")
    if reader.problems:
        raise ConfigError(reader.problems)
    return settings


def _slack(reader: _Environment) -> SlackSettings | None:
    if reader.get("SLACK_APP_TOKEN") is None:
        return None
    values = {field: reader.secret(variable) for field, variable in SLACK_VARIABLES.items()}
    missing = [variable for variable in SLACK_VARIABLES.values() if reader.get(variable) is None]
    if None in values.values():
        reader.problems += [
            f"{variable} is not set: Slack is on because SLACK_APP_TOKEN is set, and needs it (docs/slack.rst)"
            for variable in missing
        ]
        return None
    url = reader.get("SLACK_API_URL")
    if url is not None and not re.match(r"https?://[^\s]+$", url):
        reader.bad("SLACK_API_URL", url, "a URL that begins with http:// or https://")
    return SlackSettings(**{k: v or "" for k, v in values.items()}, api_url=url)


class _Environment:
    """Reads variables one by one and gathers what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def get(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def bad(self, name: str, value: str, allowed: str) -> None:
        self.problems.append(f"{name} is {value!r}: allowed is {allowed}")

    def text(self, name: str, default: str) -> str:
        return self.get(name) or default

    def secret(self, name: str) -> str | None:
        value = self.get(name)
        if value is not None and not re.fullmatch(r"[\x21-\x7e]+", value):
            self.problems.append(f"{name} has a space or a character that is not plain ASCII: allowed is neither")
            return None
        return value

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if value not in {None, "0", "1"}:
            self.bad(name, str(value), "0 or 1")
        return value == "1"

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.get(name) or default
        if value not in allowed:
            self.bad(name, value, f"one of {', '.join(allowed)}")
        return value

    def number(self, name: str, default: float, low: float, high: float, *, whole: bool = False) -> float:
        value = self.get(name)
        if value is None:
            return default
        pattern = r"\d{1,9}" if whole else r"\d{1,9}(\.\d{0,9})?|\.\d{1,9}"
        if re.fullmatch(pattern, value, re.ASCII) and low <= float(value) <= high:
            return float(value)
        self.bad(name, value, f"a {'whole ' if whole else ''}number from {low:g} to {high:g}")
        return default

    def file(self, name: str) -> Path | None:
        value = self.get(name)
        if value is None:
            return None
        path = Path(value)
        if not path.is_file() or not os.access(path, os.R_OK):
            self.bad(name, value, "the path of a file that the server can read")
        return path
