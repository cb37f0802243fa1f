"""Times of the journal as seconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

from mac_actors.storage import codec


def stamp(instant: float) -> str:
    """Return an instant as the tables hold it."""
    return codec.timestamp(datetime.fromtimestamp(instant, UTC))
