"""``?details=1``: outcomes field by field, for :class:`mac_actors.RemoteFleet` and other programs."""

from __future__ import annotations

import json
from typing import Any

import bottle

from mac_actors.core.outcomes import Outcome
from mac_actors.core.redaction import without_fob, without_names
from mac_actors.storage import codec
from mac_actors.web.api.openapi import query

DETAILS = query("details", "`1`: tell outcomes field by field too", type="string")


def wants_details() -> bool:
    """Whether the request asks for outcomes field by field."""
    return str(bottle.request.query.get("details")) == "1"


def outcome_details(outcome: Outcome, *, names: bool) -> dict[str, Any]:
    """Return an outcome's fields as JSON: never a fob, and no names where they are hidden."""
    told = without_fob(outcome) if names else without_names(outcome)
    fields: dict[str, Any] = json.loads(codec.dump_outcome(told))
    return fields
