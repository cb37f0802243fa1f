"""How an environment variable is read, and what is said of a bad one."""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from mac_actors.core.text import visible
from mac_actors.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


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


def api_key(text: str) -> str:
    """Take a key of ESPHome's native API; an error does not show it."""
    try:
        good = len(b64decode(text, validate=True)) == 32
    except ValueError:
        good = False
    if not good:
        raise ValueError("is no key of ESPHome's native API: allowed are 32 bytes in base64, as under api, encryption")
    return text


def whole(text: str, low: int, high: int) -> int:
    """Take a whole number from ``low`` to ``high``."""
    if re.fullmatch(r"\d{1,9}", text, re.ASCII) and low <= int(text) <= high:
        return int(text)
    raise refused(text, f"a whole number from {low} to {high}")


def seconds(text: str) -> float:
    """Take seconds, a minute at the most."""
    if re.fullmatch(r"\d{1,9}(\.\d{0,9})?|\.\d{1,9}", text, re.ASCII) and float(text) <= 60:
        return float(text)
    raise refused(text, "a number from 0 to 60")


def flag(text: str) -> bool:
    """Take a 0 or a 1."""
    if text not in {"0", "1"}:
        raise refused(text, "0 or 1")
    return text == "1"


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Take addresses and networks, separated by commas."""
    try:
        return tuple(ip_network(one.strip()) for one in text.split(","))
    except ValueError as error:
        raise refused(
            text, f"addresses and networks, separated by commas, like 192.0.2.10, 10.0.0.0/24 ({error})"
        ) from None


def readable_file(text: str) -> Path:
    """Take the path of a file that is there."""
    path = Path(text)
    if not path.is_file() or not os.access(path, os.R_OK):
        raise refused(text, "the path of a file that the server can read")
    return path


def first_line(text: str) -> str:
    """Take the path of a file, and return what is in its first line: a secret, which an error does not show."""
    try:
        return readable_file(text).read_text(encoding="utf-8-sig").partition("\n")[0].strip()
    except UnicodeDecodeError:
        raise refused(text, "the path of a file in UTF-8, which this one is not: save it anew as UTF-8") from None


def web_api(text: str) -> str:
    """Take the base address of somebody's API."""
    if not re.match(r"https?://[^\s]+$", text):
        raise refused(text, "a URL that begins with http:// or https://")
    return text


def time_zone(text: str) -> str:
    """Take the name of a time zone that this computer knows."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # few set it, and all commands would wait

    try:
        ZoneInfo(text)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        raise refused(
            text, "a time zone like Europe/Berlin that this computer knows (timedatectl list-timezones)"
        ) from None
    return text


def address_parts(text: str, *schemes: str) -> SplitResult | None:
    """Return the parts of an address with one of these schemes and a host; ``None``: it is none."""
    with suppress(ValueError):  # a port that is none
        parts = urlsplit(text)
        if parts.scheme in schemes and parts.hostname and parts.port != 0 and " " not in parts.netloc:
            return parts if visible(text) == text else None
    return None


def server_address(text: str) -> str:
    """Take the address of a running server."""
    if not address_parts(text, "http", "https"):
        raise refused(text, "an address like http://workshop.local:5000")
    return text


def mqtt_broker(text: str) -> str:
    """Take the address of an MQTT broker; an error does not show it, for a password may be in it."""
    parts = address_parts(text, "mqtt", "mqtts")
    if not parts or parts.query or parts.fragment or {*unquote(parts.path)} & {"+", "#", "\0"}:
        raise ValueError("is no broker's address: allowed is mqtt://HOST or mqtts://USER:PASSWORD@HOST:PORT")
    return text


def base_url(text: str) -> str:
    """Take the address that paths of the server are put behind."""
    address = server_address(text).rstrip("/")
    if "?" in address or "#" in address:
        raise refused(text, "an address like https://machines.example.org, without ? and #")
    return address


class Reader:
    """Reads variables and gathers what is wrong with them, to be said at once."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = environ
        self._problems: dict[str, None] = {}  # each once, in order

    def read(self, variable: Variable) -> Any:
        """Return a variable's value, or its default when it has a bad one."""
        try:
            return variable.read(self._environ)
        except ConfigError as error:
            self._problems |= dict.fromkeys(error.problems)
            return variable.read({})

    def read_fields(self, settings: type[DataclassInstance]) -> dict[str, Any]:
        """Return the values of all fields that are variables."""
        return {one.name: self.read(one.metadata["variable"]) for one in fields(settings) if one.metadata}

    def require(self, variable: Variable, why: str) -> Any:
        """Return the value of a variable that must be set; ``why`` is said if it is not."""
        if not variable.given(self._environ):
            self._problems[f"{variable.name} is not set: {why}"] = None
        return self.read(variable)

    def raise_problems(self) -> None:
        """Raise :class:`ConfigError` with all that was wrong, if anything was."""
        if self._problems:
            raise ConfigError([*self._problems])
