"""A line of the journal as programs see it: in the API, and in what webhooks send."""

from __future__ import annotations

from typing import Any

from mac_actors.core.outcomes import Outcome, kind
from mac_actors.core.redaction import without_names
from mac_actors.core.wording import full_text, public_text


def event_fields(number: int, outcome: Outcome, *, names: bool) -> dict[str, Any]:
    """Return the fields of line ``number`` of the journal; without ``names`` nobody is named in them."""
    origin, ended, user = (outcome if names else without_names(outcome)).origin, outcome.ended_session, outcome.person
    return {
        "id": number,
        "at": outcome.at,
        "machine": outcome.machine,
        "display_name": outcome.display_name,
        "kind": kind(outcome),
        "text": full_text(outcome) if names else public_text(outcome),
        "source": origin.source if origin else None,
        "by": (origin.by or None) if origin and names else None,
        "reason": (origin.reason or None) if origin else None,
        "user": (user.full_name or None) if user and names else None,
        "seconds": ended.seconds if ended else None,
    }
