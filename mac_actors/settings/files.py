"""machines.json and users.json: read, checked, and turned into the core's frozen values.

Every mistake of a file is reported at once, with the file, the path inside it and what is expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from anyascii import anyascii
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails

from mac_actors.core.config import Configuration, Directory, MachineConfig, SecondRelay, User, fold_name, normalize_fob
from mac_actors.core.outputs import lcd_line
from mac_actors.errors import ConfigError

Key = TypeVar("Key", str, int)
Entry = TypeVar("Entry", bound=BaseModel)


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

    authorizations_or: Annotated[list[Authorization], AfterValidator(_not_empty)] = Field(
        description="Not empty. A user with any one of them has the second relay too."
    )
    unauthorized_warn_only: bool = Field(
        default=False,
        description="``true``: a user without authorization has it all the same, and the admins are told.",
    )
    always_enabled: bool = Field(default=False, description="``true``: it is on whenever the first one is.")
    alias: Shown | None = Field(default=None, description="The name that people see. It need not be unique.")

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

    authorizations_or: list[Authorization] = Field(description="A user with any one of them may run the machine.")
    unauthorized_warn_only: bool = Field(
        default=False,
        description="``true``: a user without authorization may run the machine all the same, and the admins are told.",
    )
    always_enabled: bool = Field(
        default=False, description="``true``: the machine has power without a fob, unless it is oopsed or locked."
    )
    alias: Shown | None = Field(
        default=None,
        description="The name that people see and may use. No two names or aliases may be equal; case does not count.",
    )
    second_relay: SecondRelayEntry | None = Field(
        default=None,
        description="For machines with a second relay. It is never on while the first is off. Its keys are below.",
    )

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

    fob_codes: list[Annotated[str, AfterValidator(_fob)]] = Field(
        description="Codes shorter than 10 characters get zeroes at the left. A fob belongs to one user."
    )
    account_id: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="It is the user's own: no two users have the same."
    )
    full_name: str = Field(description="It is in the journal and in the control channel.")
    first_name: str = Field(description="Part of the name, as the membership software has it.")
    last_name: str = Field(description="Likewise.")
    preferred_name: str = Field(
        description='It is on the reader\'s display after "Welcome,". Letters that the display does not have are '
        "written with plain ones: Frøya becomes Froya."
    )
    email: str = Field(description="It is never shown.")
    expiration_ymd: Annotated[str, AfterValidator(_day)] = Field(
        description="The last day of the membership, as ``YYYY-MM-DD``."
    )
    authorizations: list[Authorization] = Field(description="What the user has been trained for.")
    oops_override: bool = Field(
        default=False, description="``true``: this user's fob runs oopsed and locked machines too, to repair them."
    )

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
    machine_entries = _collect(_read_machines, machines, "machines", problems)
    user_entries = _collect(_read_users, users, "users", problems)
    if problems:
        raise ConfigError(problems)
    return Configuration(
        machines={name: entry.config(name) for name, entry in machine_entries.items()},
        directory=Directory.of(
            (entry.user() for entry in user_entries.values()), enforce_expiration=enforce_expiration
        ),
        loaded_at=datetime.now(UTC),
        users_mtime=_mtime(users) if isinstance(users, Path) else None,
    )


def _collect(
    read: Callable[[object, list[str]], dict[Key, Entry]], source: object, called: str, problems: list[str]
) -> dict[Key, Entry]:
    """Read one file's entries; what is wrong goes to ``problems``, with the file's name before it."""
    found: list[str] = []
    try:
        return read(_read_json(source) if isinstance(source, Path) else source, found)
    except ConfigError as error:
        found += error.problems
        return {}
    finally:
        problems += [f"{source if isinstance(source, Path) else called}: {printed(line)}" for line in found]


def _read_machines(data: object, problems: list[str]) -> dict[str, MachineEntry]:
    if not isinstance(data, Mapping):
        raise ConfigError([f"expected an object: machine name → its settings, not {_shown(data)}"])
    for name in data:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_-]+", name):
            problems.append(f"{name}: a machine's name has only the characters a-z, 0-9, _ and -")
    entries = _validate(MachineEntry, data.items(), problems)
    problems += _name_clashes(entries)
    return entries


def users_of(users: Path | Sequence[Any]) -> list[UserEntry]:
    """Check users, given as a path or as parsed JSON, and return them as the file has them.

    Raises :class:`ConfigError` with one line for each mistake.
    """
    problems: list[str] = []
    entries = _collect(_read_users, users, "users", problems)
    if problems:
        raise ConfigError(problems)
    return list(entries.values())


def _read_users(data: object, problems: list[str]) -> dict[int, UserEntry]:
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise ConfigError([f"expected a list of users, not {_shown(data)}"])
    entries = _validate(UserEntry, enumerate(data), problems)
    problems += [_clash_told(entries, clash) for clash in user_clashes(entries)]
    return entries


def _validate(model: type[Entry], items: Iterable[tuple[Key, Any]], problems: list[str]) -> dict[Key, Entry]:
    """Return the entries that are right by themselves; what is wrong with the others goes to ``problems``."""
    entries: dict[Key, Entry] = {}
    for key, value in items:
        try:
            entries[key] = model.model_validate(value)
        except ValidationError as error:
            problems += [_problem(key, details) for details in error.errors(include_url=False)]
    return entries


def _read_json(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        missing = (
            "there is no such file; MACHINES_CONFIG and USERS_CONFIG say where the two files are "
            f"(looked in {path.absolute().parent}; 'mac-actors init DIRECTORY' writes first ones)"
        )
        raise ConfigError([missing]) from None
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"]) from None
    doubled: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        doubled.extend(dict.fromkeys(key for key in keys if keys.count(key) > 1) if len(set(keys)) < len(keys) else ())
        return dict(pairs)

    try:
        data: object = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        hint = _json_hint(text, error.pos)
        raise ConfigError([f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}{hint}"]) from None
    except RecursionError:
        raise ConfigError(["not JSON that can be read: nested too deep"]) from None
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError([f"not JSON that can be read: {error}"]) from None
    if doubled:
        raise ConfigError([f"the key {key!r} stands twice in the same object" for key in doubled])
    return data


_EXPECTED = {
    "missing": "is required",
    "extra_forbidden": "is not a known key; look for a typing error",
    "string_type": "expected a string",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_unicode": "expected text that is valid Unicode",
}


_PRIVATE = {"fob_codes", "email"}
"""What is wrong with these is said, but not what they are: errors go into replies, logs and terminals."""


def _problem(key: str | int, details: ErrorDetails) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in (key, *details["loc"]))
    return f"{path.removeprefix('.')}: {explain(details)}"


def explain(details: ErrorDetails) -> str:
    """Say what is expected instead of what the models refuse, and, unless it is private, what is there."""
    kind = details["type"]
    if kind == "value_error":
        message = "expected " + str(details.get("ctx", {}).get("error", details["msg"]))
    else:
        message = _EXPECTED.get(kind, details["msg"])
    hidden = kind in {"missing", "extra_forbidden"} or _PRIVATE & {*details["loc"]}
    given = "" if hidden else f", not {_shown(details['input'])}"
    return message + given


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "something nested very deep"
    return text if len(text) <= 60 else text[:57] + "..."


def printed(line: str) -> str:
    """Return a problem as one line that can be printed, whatever characters the file has."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _name_clashes(machines: Mapping[str, MachineEntry]) -> Iterable[str]:
    owner = {fold_name(name): name for name in machines}
    for name, machine in machines.items():
        if machine.alias is None:
            continue
        other = owner.setdefault(fold_name(machine.alias), name)
        # A machine may have its own name, differently written, as its alias.
        if other != name:
            yield f"{name}.alias: expected a name of its own, but {machine.alias!r} also means {other}"


@dataclass(frozen=True, slots=True)
class Clash(Generic[Key]):
    """Two users who have the same account id (``position`` is then ``None``) or the same fob."""

    key: Key
    other: Key
    value: str
    position: int | None = None


def user_clashes(users: Mapping[Key, UserEntry]) -> Iterator[Clash[Key]]:
    """Find what only one user may have: account ids, and fobs."""
    accounts: dict[str, Key] = {}
    fobs: dict[str, Key] = {}
    for key, user in users.items():
        first = accounts.setdefault(user.account_id, key)
        if first != key:
            yield Clash(key, first, user.account_id)
        for position, code in enumerate(user.fob_codes):
            first = fobs.setdefault(code, key)
            if first != key:
                yield Clash(key, first, code, position)


def _clash_told(users: Mapping[int, UserEntry], clash: Clash[int]) -> str:
    if clash.position is None:
        return f"[{clash.key}].account_id: expected an id of its own, but [{clash.other}] has {clash.value!r} too"
    return (
        f"[{clash.key}].fob_codes[{clash.position}]: expected a fob of their own, "
        f"but [{clash.other}] ({users[clash.other].full_name}) has the one ending in {clash.value[-4:]!r} too"
    )


def _mtime(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


def _json_hint(text: str, place: int) -> str:
    """What a person most likely did, where the parser says no more than what it expected."""
    if not text.strip():
        return " (the file is empty)"
    if text[:place].rstrip().endswith(",") and text[place : place + 1] in {"}", "]"}:
        return " (the comma before it is one too many)"
    if text[place : place + 1] == '"' and text[:place].rstrip()[-1:] in {'"', "]", "}"}:
        return " (a comma is missing at the end of what stands before it)"
    return ""
