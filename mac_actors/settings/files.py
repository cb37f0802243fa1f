"""machines.json, users.json, slack.json and the webhooks: read, checked, and turned into the core's frozen values.

Every mistake of a file is reported at once, with the file, the path inside it and what is expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mac_actors.core.config import REPORT_SECONDS, Configuration, Directory, User
from mac_actors.core.signing import read_secret
from mac_actors.core.text import character
from mac_actors.errors import ConfigError
from mac_actors.settings.environment import SLACK_CONFIG, Settings
from mac_actors.settings.machine_entries import MachineEntry, name_clashes
from mac_actors.settings.problems import printed, problem, what_it_is
from mac_actors.settings.slack_file import read_slack
from mac_actors.settings.user_entries import Clash, Key, UserEntry, user_clashes
from mac_actors.settings.webhooks import WebhookEntry

Entry = TypeVar("Entry", bound=BaseModel)
Value = TypeVar("Value")
Person = TypeVar("Person", UserEntry, User)


def load(settings: Settings, *, machines: bool = True) -> Configuration:
    """Read the files (``machines=False``: the users alone).

    Raises :class:`ConfigError` with all that is wrong in them.
    """
    return parse(
        settings.machines_config if machines else {},
        settings.users_config,
        settings.webhooks if machines and settings.webhooks else {},
        enforce_expiration=settings.enforce_expiration,
        report_seconds=settings.report_seconds,
        slack=next(iter(slack_files(settings)), {}) if machines else {},
    )


def paths(settings: Settings) -> dict[str, Path]:
    """Return where the files are that a configuration is made of, those that there are."""
    slack = next(iter(slack_files(settings)), None)
    others = {"slack": slack, "webhooks": settings.webhooks}
    return {
        "machines": settings.machines_config,
        "users": settings.users_config,
        **{name: path for name, path in others.items() if path},
    }


def parse_files(settings: Settings, files: Mapping[str, Any]) -> Configuration:
    """Take the files as they were read at another server. Raises as :func:`load`."""
    return parse(
        files["machines"],
        files["users"],
        files.get("webhooks") or {},
        enforce_expiration=settings.enforce_expiration,
        report_seconds=settings.report_seconds,
        slack=files.get("slack") or {},
    )


def slack_files(settings: Settings) -> list[Path]:
    """Return the file that says what is posted when, if there is one, or one was asked for."""
    path = settings.slack_config
    return [path] if str(path) != SLACK_CONFIG.default or path.exists() else []


def parse(
    machines: Path | Mapping[str, Any],
    users: Path | Sequence[Any],
    webhooks: Path | Mapping[str, Any] = MappingProxyType({}),
    *,
    slack: Path | Mapping[str, Any] = MappingProxyType({}),
    enforce_expiration: bool = False,
    report_seconds: float = REPORT_SECONDS,
) -> Configuration:
    """Check machines, users, webhooks and what is posted when, given as paths, as parsed JSON or as models.

    Raises :class:`ConfigError` with one line for each mistake: file, path in it, what is expected.
    """
    problems: list[str] = []
    machine_entries = _collect(_read_machines, machines, "machines", problems)
    everyone = _collect(partial(_read_users, kept=UserEntry.user), users, "users", problems)
    slack_entries = _collect(read_slack, slack, "slack", problems)
    webhook_entries = _collect(_read_webhooks, webhooks, "webhooks", problems)
    if problems:
        raise ConfigError(problems)
    return Configuration(
        machines={
            name: replace(entry.config(name), report_seconds=report_seconds) for name, entry in machine_entries.items()
        },
        directory=Directory.of(everyone.values(), enforce_expiration=enforce_expiration),
        loaded_at=datetime.now(UTC),
        users_mtime=_mtime(users) if isinstance(users, Path) else None,
        routing=slack_entries[""].routing(),
        webhooks={name: entry.config(name) for name, entry in webhook_entries.items()},
    )


def _collect(
    read: Callable[[object, list[str]], dict[Key, Value]], source: object, label: str, problems: list[str]
) -> dict[Key, Value]:
    """Read one file's entries; what is wrong goes to ``problems``, with the file's name before it."""
    found: list[str] = []
    try:
        return read(read_json(source) if isinstance(source, Path) else source, found)
    except ConfigError as error:
        found += error.problems
        return {}
    finally:
        problems += [f"{source if isinstance(source, Path) else label}: {printed(line)}" for line in found]


def _read_machines(data: object, problems: list[str]) -> dict[str, MachineEntry]:
    entries = _read_named(MachineEntry, "machine", data, problems)
    problems += name_clashes(entries)
    return entries


def _read_webhooks(data: object, problems: list[str]) -> dict[str, WebhookEntry]:
    return _read_named(WebhookEntry, "webhook", data, problems)


def _read_named(model: type[Entry], what: str, data: object, problems: list[str]) -> dict[str, Entry]:
    """Return the entries of a file that is an object: name → settings."""
    if not isinstance(data, Mapping):
        raise ConfigError([f"expected an object: {what} name → its settings, not {what_it_is(data)}"])
    for name in data:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_-]+", name):
            problems.append(f"{name}: a {what}'s name has only the characters a-z, 0-9, _ and -")
    return _validate(model, data.items(), problems, _itself)


def users_of(users: Path | Sequence[Any]) -> list[UserEntry]:
    """Check users, given as a path or as parsed JSON, and return them as the file has them.

    Raises :class:`ConfigError` with one line for each mistake.
    """
    problems: list[str] = []
    entries = _collect(partial(_read_users, kept=_itself), users, "users", problems)
    if problems:
        raise ConfigError(problems)
    return list(entries.values())


def reader_keys_of(path: Path) -> dict[str, bytes]:
    """Return the readers' keys in a file, by machine, as ``{"table-saw": "4f0c2d…"}`` has them.

    Raises :class:`ConfigError` with one line for each mistake; none repeats a key.
    """
    problems: list[str] = []
    keys = _collect(_read_keys, path, "keys", problems)
    if problems:
        raise ConfigError(problems)
    return keys


def _read_keys(data: object, problems: list[str]) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    if not isinstance(data, Mapping):
        raise ConfigError(["expected an object of machines and their keys"])
    for machine, text in data.items():
        try:
            keys[machine] = read_secret(str(text))
        except ValueError as error:
            problems.append(f"{machine}: {error}")
    return keys


def _read_users(data: object, problems: list[str], kept: Callable[[UserEntry], Person]) -> dict[int, Person]:
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise ConfigError([f"expected a list of users, not {what_it_is(data)}"])
    entries = _validate(UserEntry, enumerate(data), problems, kept)
    problems += [_clash_message(entries, clash) for clash in user_clashes(entries)]
    return entries


def _itself(entry: Entry) -> Entry:
    return entry


def _validate(
    model: type[Entry], items: Iterable[tuple[Key, Any]], problems: list[str], kept: Callable[[Entry], Value]
) -> dict[Key, Value]:
    """Return what is ``kept`` of each entry that is right by itself (all entries of thousands of users at once would be
    many times the memory); what is wrong with the others goes to ``problems``.
    """
    entries: dict[Key, Value] = {}
    for key, value in items:
        try:
            entries[key] = kept(model.model_validate(value))
        except ValidationError as error:
            problems += [problem(key, details) for details in error.errors(include_url=False)]
    return entries


def read_json(path: Path) -> object:
    """Read a file of JSON. Raises :class:`ConfigError` with what is wrong, without the file's name."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        missing = (
            "there is no such file; MACHINES_CONFIG, USERS_CONFIG, SLACK_CONFIG and MAC_WEBHOOKS say where they are"
            f" (looked in {path.absolute().parent}; 'mac-actors init DIRECTORY' writes first ones)"
        )
        raise ConfigError([missing]) from None
    except OSError as error:
        hint = "; become root with sudo, or let this user read it" if isinstance(error, PermissionError) else ""
        raise ConfigError([f"cannot be read: {error.strerror}{hint}"]) from None
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


def _clash_message(users: Mapping[int, Person], clash: Clash[int]) -> str:
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
    if text[place : place + 1] == "," and text[place + 1 :].lstrip()[:1] in {"}", "]"}:  # Python 3.13 stops here,
        return " (this comma is one too many)"
    if text[:place].rstrip().endswith(",") and text[place : place + 1] in {"}", "]"}:  # earlier ones behind it
        return " (the comma before it is one too many)"
    here = text[place:]
    if not here.strip():
        return " (the file ends here: is a } or ] missing?)"
    if here[0] in '"[{' and not text[:place].rstrip().endswith(("[", "{", ",", ":")):
        return " (a comma is missing at the end of what stands before it)"
    if here[0].isalnum() and text[:place].rstrip().endswith('"'):
        return ' (a " within a text is written as \\")'
    seen = here[0].isascii() and here[0].isprintable()
    unseen = "" if seen else character(here[0])
    return next((f" ({hint})" for pattern, hint in _HINTS.items() if re.match(pattern, here)), unseen)


_HINTS = {
    "[“”„‟«»'‘’‚`]": 'texts and keys stand between "',
    "[TFN][A-Za-z]+": "true, false and null are written in small letters",
    r"\d": 'a number with zeroes before it stands between ", as a text',
    "[/#]": "JSON has no comments: take it out",
}
"""What may stand where the parser stopped, and what to do about it."""
