"""Times of the journal as seconds since 1970, in SQL and out of it."""

from __future__ import annotations

from datetime import UTC, datetime

from mac_actors.storage import codec

EPOCH = "(CAST((julianday(at) - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) / 1000.0)"
"""The column ``at`` as such an instant. What SQLite says in days is exact to a millisecond."""


def stamp(instant: float) -> str:
    """Return an instant as the tables hold it."""
    return codec.timestamp(datetime.fromtimestamp(instant, UTC))
