"""The journal for programs: what happened, newest first."""

from __future__ import annotations

from mac_actors.core import outcomes, wording
from mac_actors.core.outcomes import Cleared, Outcome
from mac_actors.core.state import Flag
from mac_actors.storage.records import Entry
from mac_actors.web.api.response_models import (
    EventBody,
)
from mac_actors.web.errors import RequestRefused

DEFAULT_LIMIT, HIGHEST_LIMIT = 100, 1000
"""Lines of the journal in one answer."""


def event_body(entry: Entry, *, names: bool) -> EventBody:
    """Return a line of the journal as the API shows it."""
    outcome = entry.outcome
    origin: Flag | Cleared | None = outcome if isinstance(outcome, Cleared) else getattr(outcome, "flag", None)
    ended = getattr(outcome, "ended", None)
    user = ended.user if ended else getattr(outcome, "user", None)
    return EventBody(
        id=entry.id,
        at=outcome.at,
        machine=outcome.machine,
        display_name=outcome.display_name,
        kind=outcomes.kind(outcome),
        text=_text(outcome, names),
        source=origin.source if origin else None,
        by=(origin.by or None) if origin and names else None,
        reason=origin.reason if origin else None,
        user=(user.full_name or None) if user and names else None,
        seconds=ended.seconds if ended else None,
        outcome=None,
    )


def _text(outcome: Outcome, names: bool) -> str:
    return wording.full_text(outcome) if names else wording.public_text(outcome)


def _kind(value: str | None) -> str | None:
    if value is not None and value not in outcomes.KINDS:
        raise RequestRefused(422, f"kind: expected one of {', '.join(sorted(outcomes.KINDS))}")
    return value
