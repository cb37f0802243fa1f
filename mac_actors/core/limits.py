"""The limits of a session that its machine may have: how long it may be, and for how long nothing may run in it.

They are looked at in each report. Nothing turns on by them. An override session, which is for repairs, has none.
"""

from __future__ import annotations

from dataclasses import replace

from mac_actors.core.config import Limits
from mac_actors.core.outcomes import EndReason
from mac_actors.core.state import Session, Telemetry, TimeLimit

WARN_SECONDS = 300.0
"""So long before the end of its time a session is warned."""

GAP_SECONDS = 60.0
"""After a longer time without a report nobody knows whether something ran meanwhile."""


def hold_to_limits(session: Session, limits: Limits, telemetry: Telemetry, now: float, gap: float | None) -> Session:
    """Return the session as a report at ``now`` leaves it, ``gap`` seconds after the one before."""
    left = None if limits.session_seconds is None else limits.session_seconds - session.seconds(now)
    time_limit = None
    if left is not None and left <= WARN_SECONDS:
        time_limit = TimeLimit.SOON if left > 0 else TimeLimit.OVER
    idle_from = session.idle_from
    if limits.idle_seconds is None or not telemetry.measures or telemetry.amps >= limits.amps:
        idle_from = None
    elif idle_from is None or gap is None or not 0 <= gap <= GAP_SECONDS:
        idle_from = now
    return replace(session, time_limit=time_limit, idle_from=idle_from)


def cut_by(session: Session, limits: Limits, now: float) -> EndReason | None:
    """Return by which of its limits the session ends now."""
    if not limits.cut:
        return None
    if session.time_limit is TimeLimit.OVER:
        return EndReason.TIME_LIMIT
    if session.idle_from is None or limits.idle_seconds is None or now - session.idle_from < limits.idle_seconds:
        return None
    return EndReason.IDLE
