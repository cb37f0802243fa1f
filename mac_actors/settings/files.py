"""machines.json and users.json: read, checked, and turned into the core's frozen values.

Every mistake of a file is reported at once, with the file, the path inside it and what is expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from anyascii import anyascii
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails

from mac_actors.core.config import Configuration, Directory, MachineConfig, SecondRelay, User, normalize_fob
from mac_actors.core.outputs import lcd_line
from mac_actors.errors import ConfigError


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("a name that people can read: not blank, no control characters")
    return text


def _day(text: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise ValueError("a day as YYYY-MM-DD, for example 2027-03-31")


def _fob(text: str) -> str:
    code = normalize_fob(text)
    if code is None or not code.isprintable():
        raise ValueError("the number of a fob, not empty")
    return code


def _not_empty(values: list[str]) -> list[str]:
    if not values:
        raise ValueError("at least one authorization")
    return values


Shown = Annotated[str, AfterValidator(_printable)]
Authorization = Annotated[str, StringConstraints(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SecondRelayEntry(_Strict):
    """``second_relay`` of a machine in machines.json."""

    authorizations_or: Annotated[list[Authorization], AfterValidator(_not_empty)]
    unauthorized_warn_only: bool = False
    always_enabled: bool = False
    alias: Shown | None = None

    def relay(self) -> SecondRelay:
        """Return the core's value for this entry."""
        return SecondRelay(
            authorizations_or=frozenset(self.authorizations_or),
            unauthorized_warn_only=self.unauthorized_warn_only,
            always_enabled=self.always_enabled,
            alias=self.alias,
        )


class MachineEntry(_Strict):
    """One machine of machines.json."""

    authorizations_or: list[Authorization]
    unauthorized_warn_only: bool = False
    always_enabled: bool = False
    alias: Shown | None = None
    second_relay: SecondRelayEntry | None = None

    def config(self, name: str) -> MachineConfig:
        """Return the core's value for this entry."""
        return MachineConfig(
            name=name,
            authorizations_or=frozenset(self.authorizations_or),
            unauthorized_warn_only=self.unauthorized_warn_only,
            always_enabled=self.always_enabled,
            alias=self.alias,
            second_relay=self.second_relay.relay() if self.second_relay else None,
        )


class UserEntry(_Strict):
    """One user of users.json."""

    fob_codes: list[Annotated[str, AfterValidator(_fob)]]
    account_id: Annotated[str, StringConstraints(min_length=1)]
    full_name: str
    first_name: str
    last_name: str
    preferred_name: str
    email: str
    expiration_ymd: Annotated[str, AfterValidator(_day)]
    authorizations: list[Authorization]
    oops_override: bool = False

    def user(self) -> User:
        """Return the core's value for this entry."""
        return User(
            account_id=self.account_id,
            full_name=self.full_name,
            preferred_name=self.preferred_name,
            lcd_name=lcd_line(anyascii(self.preferred_name)) or lcd_line(anyascii(self.full_name)),
            fob_codes=tuple(dict.fromkeys(self.fob_codes)),
            authorizations=frozenset(self.authorizations),
            oops_override=self.oops_override,
            expires_at=_end_of(date.fromisoformat(self.expiration_ymd)),
            first_name=self.first_name,
            last_name=self.last_name,
            email=self.email,
        )


_MACHINES: Final = TypeAdapter(
    dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+\z")], MachineEntry],
    config=ConfigDict(regex_engine="rust-regex"),
)
_USERS: Final = TypeAdapter(list[UserEntry])


def _end_of(day: date) -> datetime:
    """Return the first moment after ``day``, local time."""
    try:
        return datetime.combine(day + timedelta(days=1), time()).astimezone(UTC)
    except (OverflowError, OSError, ValueError):
        # The first and the last days of the calendar have no local midnight that can be told in UTC.
        edge = datetime.max if day.year > 1 else datetime.min
        return edge.replace(tzinfo=UTC)


def parse(
    machines: Path | Mapping[str, Any],
    users: Path | Sequence[Any],
    *,
    enforce_expiration: bool = False,
) -> Configuration:
    """Check machines and users, given as paths, as parsed JSON or as models.

    Raises :class:`ConfigError` with one line for each mistake: file, path in it, what is expected.
    """
    problems: list[str] = []
    machine_entries: dict[str, MachineEntry] = {}
    user_entries: list[UserEntry] = []
    where = str(machines) if isinstance(machines, Path) else "machines"
    try:
        machine_entries = _validate(_MACHINES, machines, where, "an object: machine name → its settings")
        problems += [f"{where}: {line}" for line in _name_clashes(machine_entries)]
    except ConfigError as error:
        problems += error.problems
    where = str(users) if isinstance(users, Path) else "users"
    try:
        user_entries = _validate(_USERS, users, where, "a list of users")
        problems += [f"{where}: {line}" for line in _user_clashes(user_entries)]
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return Configuration(
        machines={name: entry.config(name) for name, entry in machine_entries.items()},
        directory=Directory.of((entry.user() for entry in user_entries), enforce_expiration=enforce_expiration),
        loaded_at=datetime.now(UTC),
        users_mtime=_mtime(users) if isinstance(users, Path) else None,
    )


def _validate(adapter: TypeAdapter[Any], source: object, where: str, expected: str) -> Any:
    data = _read_json(source) if isinstance(source, Path) else source
    if not isinstance(data, dict | list):
        raise ConfigError([f"{where}: expected {expected}, not {_shown(data)}"])
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        raise ConfigError([f"{where}: {line}" for line in map(_problem, error.errors())]) from None


def _read_json(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            [f"{path}: there is no such file; MACHINES_CONFIG and USERS_CONFIG say where the two files are"]
        ) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: byte {error.start + 1} is not UTF-8; save the file as UTF-8"]) from None
    doubled: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        doubled.extend(dict.fromkeys(key for key in keys if keys.count(key) > 1) if len(set(keys)) < len(keys) else ())
        return dict(pairs)

    try:
        data: object = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ConfigError([f"{path}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: not JSON that can be read: nested too deep"]) from None
    if doubled:
        raise ConfigError([f"{path}: the key {key!r} stands twice in the same object" for key in doubled])
    return data


_EXPECTED = {
    "missing": "is required",
    "extra_forbidden": "is not a known key; look for a typing error",
    "string_type": "expected a string",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected an object: machine name → its settings",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "a machine's name has only the characters a-z, 0-9, _ and -",
    "string_unicode": "expected text that is valid Unicode",
}


def _problem(details: ErrorDetails) -> str:
    parts = [part for part in details["loc"] if part != "[key]"]
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).removeprefix(".")
    kind = details["type"]
    if kind == "value_error":
        message = "expected " + str(details.get("ctx", {}).get("error", details["msg"]))
    else:
        message = _EXPECTED.get(kind, details["msg"])
    given = "" if kind in {"missing", "extra_forbidden"} else f", not {_shown(details['input'])}"
    return f"{path}: {message}{given}" if path else f"{message}{given}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _name_clashes(machines: Mapping[str, MachineEntry]) -> Iterable[str]:
    owner = {name.casefold(): name for name in machines}
    for name, machine in machines.items():
        if machine.alias is None:
            continue
        other = owner.setdefault(machine.alias.strip().casefold(), name)
        # A machine may have its own name, differently written, as its alias.
        if other != name:
            yield f"{name}.alias: expected a name of its own, but {machine.alias!r} also means {other}"


def _user_clashes(users: Sequence[UserEntry]) -> Iterable[str]:
    accounts: dict[str, int] = {}
    fobs: dict[str, int] = {}
    for index, user in enumerate(users):
        first = accounts.setdefault(user.account_id, index)
        if first != index:
            yield f"[{index}].account_id: expected an id of its own, but [{first}] has {user.account_id!r} too"
        for position, code in enumerate(user.fob_codes):
            first = fobs.setdefault(code, index)
            if first != index:
                yield (
                    f"[{index}].fob_codes[{position}]: expected a fob of their own, "
                    f"but [{first}] ({users[first].full_name}) has {code!r} too"
                )


def _mtime(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
