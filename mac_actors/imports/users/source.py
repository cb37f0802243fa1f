"""Where users come from. A new source is one module: a class with a name and ``records``, and its command.

The rest is common to all: the records are checked by the models of users.json (:mod:`mac_actors.imports.users.people`),
compared with the present file, shown, and written (:mod:`mac_actors.imports.users.update`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mac_actors.core.text import one_line
from mac_actors.errors import ConfigError
from mac_actors.settings.problems import explain, printed

YES: Final = frozenset({"1", "true", "yes", "y", "x", "✓", "✔"})
NO: Final = frozenset({"", "0", "false", "no", "n", "-"})

ROUNDED = re.compile(r"\d(\.\d*)?e\+?\d+|\d+\.\d+", re.IGNORECASE)
"""What a spreadsheet makes of the number of a fob when it takes it for a quantity."""


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One person, as the source has them.

    ``fields`` has keys of users.json: text, or for ``fob_codes`` and ``authorizations`` lists of text, and a truth
    for ``oops_override``; a key that the source has nothing for is left out. ``origin`` says where the record is
    (``line 7``), ``places`` where in it a field is (``column Expires``). ``problems`` is what is wrong by field;
    with an empty name, with the record itself.
    """

    origin: str
    fields: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def where(self, name: str) -> str:
        """Say where a field is."""
        return f"{self.origin}, {self.places.get(name, name)}" if name else self.origin


class UserSource(Protocol):
    """Something that has users."""

    name: str
    """Its name in errors: a file's path, or a service."""

    @property
    def overrides(self) -> bool:
        """Whether it knows who has ``oops_override``; if it does not, the present users keep theirs."""
        raise NotImplementedError

    def records(self) -> Iterator[UserRecord]:
        """Yield all people. Raises :class:`~mac_actors.errors.MacError` when they can't be had, or not all of them."""
        raise NotImplementedError


class SourceSettings(BaseModel):
    """What a source needs to know: a file, or options."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def problems(self) -> list[str]:
        """Say what is wrong in it beside types."""
        return []


Settings = TypeVar("Settings", bound=SourceSettings)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file with the settings of a source. Raises :class:`ConfigError`: not there, or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8; save it as UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None


def checked(model: type[Settings], data: Mapping[str, Any], label: str) -> Settings:
    """Return the settings of a source. Raises :class:`ConfigError` with a line for each mistake in ``label``."""
    try:
        settings = model.model_validate(data)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in details['loc'])}: {explain(details)}"
            for details in error.errors(include_url=False)
        ]
    else:
        problems = settings.problems()
        if not problems:
            return settings
    raise ConfigError([printed(f"{label}: {problem}") for problem in problems])


def listed(texts: Iterable[str], separators: str) -> list[str]:
    """Split texts at any of the separators, and at line ends; what is empty or there twice is left out."""
    pattern = f"[{re.escape(separators)}\n\r]"
    parts = (one_line(part) for text in texts for part in re.split(pattern, text))
    return list(dict.fromkeys(part for part in parts if part))


def truth(text: str) -> bool | None:
    """Understand a yes or a no; ``None``: it is neither."""
    folded = text.strip().casefold()
    return True if folded in YES else False if folded in NO else None


def understand(fields: dict[str, Any], problems: dict[str, str]) -> None:
    """Turn what is text in any source into what users.json has; what can't be understood goes to ``problems``."""
    if problem := fob_problem(fields["fob_codes"]):
        problems["fob_codes"] = problem
    if "oops_override" in fields:
        given = truth(fields["oops_override"])
        if given is None:
            problems["oops_override"] = f"expected yes or no, not {fields['oops_override']!r}"
        fields["oops_override"] = bool(given)


def fob_problem(fobs: Iterable[str]) -> str | None:
    """Say that a spreadsheet has spoilt the number of a fob, if it has."""
    if any(ROUNDED.fullmatch(fob) for fob in fobs):
        return "the spreadsheet has made a rounded number of a fob: set the column's format to text, and enter it anew"
    return None
