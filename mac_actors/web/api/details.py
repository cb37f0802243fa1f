"""``?details=1``: outcomes field by field, for :class:`mac_actors.RemoteFleet` and other programs."""

from __future__ import annotations

import json
from typing import Any

from mac_actors.core.outcomes import Outcome
from mac_actors.storage import codec
from mac_actors.web.api.openapi import query

DETAILS = query("details", "`1`: tell outcomes field by field too", type="string")


def outcome_details(outcome: Outcome) -> dict[str, Any]:
    """Return the fields of an outcome without fob, and without names where they are hidden, as JSON."""
    fields: dict[str, Any] = json.loads(codec.dump_outcome(outcome))
    return fields
