"""Where users come from. A new source is one module: a class with a name and ``records``, and its command.

The rest is common to all: the records are checked by the models of users.json (:mod:`mac_actors.imports.users.people`),
compared with the present file, shown, and written (:mod:`mac_actors.imports.users.update`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mac_actors.errors import ConfigError
from mac_actors.settings.problems import explain, printed


class Problem(NamedTuple):
    """What is wrong with a field: where in the record that is, and what. Both empty: with the record itself."""

    name: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One person, as the source has them.

    ``fields`` has keys of users.json: text, or for ``fob_codes`` and ``authorizations`` lists of text, and a truth
    for ``oops_override``; a key that the source has nothing for is left out. ``origin`` says where the record is
    (``line 7``), ``places`` where in it a field is (``column Expires``), or one of its fobs (``fob_codes[1]``).
    ``left_out`` says why it is not to be a user (empty: it is).
    """

    origin: str
    fields: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    left_out: str = ""

    def where(self, name: str, position: int | None = None) -> str:
        """Say where a field is; with a position, one of its fobs."""
        place = self.places.get(f"{name}[{position}]") or self.places.get(name, name)
        return f"{self.origin}, {place}" if place else self.origin

    @property
    def label(self) -> str:
        """The name of the person."""
        names = (str(self.fields.get(name, "")) for name in ("first_name", "last_name"))
        return str(self.fields.get("full_name") or " ".join(names).strip() or self.origin)


class UserSource(Protocol):
    """Something that has users."""

    name: str
    """Its name in errors: a file's path, or a service."""

    overrides: bool
    """Whether it knows who has ``oops_override``, once it was read; if not, the present users keep theirs."""

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
