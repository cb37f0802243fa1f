"""The journal for programs: what happened, newest first."""

from __future__ import annotations

from mac_actors.core import outcomes
from mac_actors.core.redaction import MEMBER, without_fob, without_names
from mac_actors.core.wording import full_text, public_text
from mac_actors.storage.records import Entry
from mac_actors.web.api.details import outcome_details
from mac_actors.web.api.response_models import EventBody
from mac_actors.web.errors import RequestRefused

DEFAULT_LIMIT, HIGHEST_LIMIT = 100, 1000
"""Lines of the journal in one answer."""


def event_body(entry: Entry, *, names: bool, details: bool = False) -> EventBody:
    """Return a line of the journal as the API shows it; ``details``: field by field too."""
    wording, redact = (full_text, without_fob) if names else (public_text, without_names)
    outcome = redact(entry.outcome)
    origin, ended, user = outcome.origin, outcome.ended_session, outcome.person
    return EventBody(
        id=entry.id,
        at=outcome.at,
        machine=outcome.machine,
        display_name=outcome.display_name,
        kind=outcomes.kind(outcome),
        text=wording(entry.outcome),
        source=origin.source if origin else None,
        by=(origin.by or None) if origin else None,
        reason=origin.reason if origin else None,
        user=(user.full_name or None) if user and user != MEMBER else None,
        seconds=ended.seconds if ended else None,
        outcome=outcome_details(outcome) if details else None,
    )


def _kind(value: str | None) -> str | None:
    if value is not None and value not in outcomes.KINDS:
        raise RequestRefused(422, f"kind: expected one of {', '.join(sorted(outcomes.KINDS))}")
    return value
