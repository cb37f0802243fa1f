"""What stands in the file of the webhooks, as a model."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from mac_actors.core.config import WebhookConfig
from mac_actors.core.outcomes import KINDS
from mac_actors.settings.strict import Strict
from mac_actors.settings.variables import address_parts


def _url(text: str) -> str:
    parts = address_parts(text, "http", "https")
    if not parts or "@" in parts.netloc or not re.fullmatch(r"[\x21-\x7e]+", text) or "#" in text:
        raise ValueError("a URL that begins with http:// or https://, plain ASCII, without a user and password")
    return text


def _kinds(value: object) -> object:
    if value == "all":
        return sorted(KINDS)
    if isinstance(value, str) or value == []:
        raise ValueError('"all", or a list of kinds of events, not empty')
    return value


def _kind(text: str) -> str:
    if text not in KINDS:
        from rapidfuzz import process  # as in warnings.py

        nearest = process.extractOne(text, sorted(KINDS), score_cutoff=70)
        raise ValueError(
            f"a kind of event: did you mean {nearest[0]!r}?" if nearest else f"one of {', '.join(sorted(KINDS))}"
        )
    return text


def _secret(text: str) -> str:
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError(
            "whsec_ and 24 to 64 random bytes in Base64, for example from: echo whsec_$(openssl rand -base64 32)"
        )
    return text


class WebhookEntry(Strict):
    """One webhook of MAC_WEBHOOKS."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="Where events are sent, by POST: ``https://…`` or ``http://…``. It is not shown anywhere."
    )
    secret: Annotated[str, AfterValidator(_secret)] = Field(
        description="What they are signed with, and the receiver knows too: ``whsec_`` and 24 to 64 random bytes in "
        "Base64. ``echo whsec_$(openssl rand -base64 32)`` makes one."
    )
    kinds: Annotated[list[Annotated[str, AfterValidator(_kind)]], BeforeValidator(_kinds)] = Field(
        default="all",
        validate_default=True,
        description="Which kinds of events (:doc:`http`) are sent; ``all`` in place of a list: all of them.",
    )
    names: bool = Field(default=False, description="``true``: names of people are in them.")

    def config(self, name: str) -> WebhookConfig:
        """Return the core's value for this entry."""
        return WebhookConfig(name, self.url, frozenset(self.kinds), self.secret, self.names)
