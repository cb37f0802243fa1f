"""What an import from the Neon CRM needs: which fields are which, and the secrets, from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from mac_actors.imports.users.source import SourceSettings
from mac_actors.settings.variables import Reader, Variable, refused, secret

URL = "https://api.neoncrm.com/v2"


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise refused(text, "a URL that begins with http:// or https://")
    return text.rstrip("/")


NEON_ORG_ID = Variable("NEON_ORG_ID", secret, "organization id")
NEON_API_KEY = Variable("NEON_API_KEY", secret, "API key")
NEON_API_URL = Variable("NEON_API_URL", _address, "the base address of Neon's API", URL)

Name = str | int
"""A field of Neon's by its name, or a custom field by its number."""


class Fields(SourceSettings):
    """Which field of Neon's is which of a user's."""

    fob_codes: list[Name] = Field(min_length=1)
    account_id: str = "Account ID"
    full_name: Name | None = None
    first_name: Name | None = "First Name"
    last_name: Name | None = "Last Name"
    preferred_name: Name | None = "Preferred Name"
    email: Name | None = "Email 1"
    expiration_ymd: Name = "Membership Expiration Date"
    oops_override: Name | None = None


class Authorizations(SourceSettings):
    """Where trainings are: each a field of its own that has an option ``done``, or several in one field."""

    done: str | None = None
    fields: list[Name] = Field(default_factory=list)
    separator: str = "|"


class Search(SourceSettings):
    """Which accounts are asked for: one condition, as Neon has them."""

    field: str
    operator: str
    value: str | None = None


class NeonConfig(SourceSettings):
    """The configuration file of ``mac-actors users import neon``."""

    fields: Fields
    authorizations: Authorizations = Authorizations()
    expired_days: int = Field(default=7, ge=0)
    """For how many days after the end of the membership somebody is still taken."""
    search: list[Search] = Field(
        default_factory=lambda: [Search(field="Account Type", operator="EQUAL", value="Individual")]
    )

    def problems(self) -> list[str]:
        """Say what is wrong in it beside types."""
        if self.authorizations.done is None and not self.authorizations.fields:
            return ["authorizations: expected done (an option of the fields of trainings), or fields"]
        if len(self.authorizations.separator) != 1:
            return [f"authorizations.separator: expected one character, not {self.authorizations.separator!r}"]
        return []


@dataclass(frozen=True, slots=True)
class NeonAccess:
    """Where Neon is, and the secrets that it wants; they are in no ``repr`` and no error."""

    organization: str = field(repr=False)
    key: str = field(repr=False)
    url: str = URL

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> NeonAccess:
        """Read NEON_ORG_ID, NEON_API_KEY and NEON_API_URL. Raises :class:`ConfigError`."""
        reader = Reader(environ)
        organization, key = (
            reader.require(variable, f"Neon's {variable.meaning} (docs/users.rst says where to find it)")
            for variable in (NEON_ORG_ID, NEON_API_KEY)
        )
        url = reader.read(NEON_API_URL)
        reader.raise_problems()
        return cls(organization, key, url)
