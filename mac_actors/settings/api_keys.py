"""The keys of the readers' native API: which machine has which."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mac_actors.errors import ConfigError
from mac_actors.settings.environment import MAC_READER_API_KEY, MAC_READER_API_KEYS, Settings
from mac_actors.settings.files import read_json
from mac_actors.settings.problems import printed
from mac_actors.settings.variables import api_key


@dataclass(frozen=True, slots=True, repr=False)
class ApiKeys:
    """Keys by machine, and the one of all others; never shown."""

    by_machine: Mapping[str, str]
    others: str | None

    def of(self, machine: str) -> str | None:
        """Return the key of a machine's reader; ``None``: it has none."""
        return self.by_machine.get(machine, self.others)


def load_api_keys(settings: Settings, machines: Iterable[str]) -> ApiKeys | None:
    """Return the keys that are set; ``None``: none, the native API is off.

    Raises :class:`ConfigError` with all that is wrong in the file, or where the package that speaks it is missing.
    """
    path = settings.reader_api_keys
    if path is None and settings.tokens.reader_api is None:
        return None
    if importlib.util.find_spec("aioesphomeapi") is None:
        variable = MAC_READER_API_KEYS if path else MAC_READER_API_KEY
        raise ConfigError([f"{variable.name} needs aioesphomeapi: pip install 'mac-actors[esphome]'"])
    try:
        keys = {} if path is None else _checked(read_json(path), [*machines])
    except ConfigError as error:
        raise ConfigError([f"{path}: {printed(line)}" for line in error.problems]) from error
    return ApiKeys(keys, settings.tokens.reader_api)


def _checked(data: object, machines: list[str]) -> dict[str, str]:
    if not isinstance(data, dict):
        raise ConfigError(["expected an object: machine name → the key of its reader's native API"])
    problems = []
    for name, key in data.items():
        if name not in machines:
            from rapidfuzz import process  # as in warnings.py

            nearest = process.extractOne(name, machines, score_cutoff=70)
            problems.append(f"{name}: is no machine" + (f"; did you mean {nearest[0]!r}?" if nearest else ""))
        try:
            api_key(key if isinstance(key, str) else "")
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ConfigError(problems)
    return data
