"""While the server is away: whose fobs may start a machine by its reader alone, and what came of that afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mac_actors.core.access import Granted, authorize
from mac_actors.core.config import Directory, MachineConfig, User
from mac_actors.core.inputs import OfflineSession, Report
from mac_actors.core.outcomes import Ended, EndReason, Person
from mac_actors.core.state import MachineState, SessionKind

MOST_FOBS = 500
"""A reader keeps no more. A list that had more is empty: nobody could say who is left out."""

LIFETIME_SECONDS = 24 * 3600.0
"""For so long a list is good; less where a membership or an authorization in it ends before."""

TAKEN_KEPT = 200
"""So many offline sessions of a machine are remembered, so that none is taken twice; a report has half as many."""

UPTIME_SLACK_SECONDS = 2.0
"""A reader counts whole seconds: so much later than its uptime may a session have ended."""

MOST_SECONDS_AGO = 366 * 24 * 3600.0
"""No session is told of that began before this."""


@dataclass(frozen=True, slots=True)
class FobList:
    """Who may start a machine without the server; nobody, while it is oopsed or locked, or is to be once it is free.

    ``too_many``: how many fobs there would be, where those are more than a reader keeps. ``expires_at``: when the first
    membership in it is over, if that counts, or an authorization begins or ends.
    """

    oops: bool
    lock: bool
    fobs: tuple[str, ...] = field(default=(), repr=False)
    too_many: int = 0
    expires_at: datetime | None = None

    def lifetime_seconds(self, at: datetime) -> float:
        """Return for how long it is good, from ``at``."""
        if self.expires_at is None:
            return LIFETIME_SECONDS
        return max(0.0, min(LIFETIME_SECONDS, (self.expires_at - at).total_seconds()))


def fob_list(config: MachineConfig, directory: Directory, state: MachineState, at: datetime) -> FobList:
    """Return the list of a machine as it is at this moment: the fobs that would open an authorized session."""
    state = replace(state, lock=state.lock or state.lock_pending)
    oops, lock = state.oops is not None, state.lock is not None
    holders = _holders(config, directory, state, at)
    if len(holders) > MOST_FOBS:
        return FobList(oops, lock, too_many=len(holders))
    expiries = [one.expires_at for one in holders.values() if one.expires_at and directory.enforce_expiration]
    limits = [one for user in directory.users for one in user.limits if one.authorization in config.authorizations_or]
    expiries += [moment for one in limits for moment in (one.begins, one.ends) if moment and moment > at]
    return FobList(oops, lock, tuple(sorted(holders)), expires_at=min(expiries, default=None))


def possible_fobs(config: MachineConfig, directory: Directory, at: datetime) -> int:
    """Return how many fobs there would be, be they too many or not, with the machine neither oopsed nor locked."""
    return len(_holders(config, directory, MachineState(at), at))


def _holders(config: MachineConfig, directory: Directory, state: MachineState, at: datetime) -> dict[str, User]:
    accesses = {fob: authorize(config, directory, state, fob, at) for fob in directory.by_fob}
    return {
        fob: access.user
        for fob, access in accesses.items()
        if isinstance(access, Granted) and access.kind is SessionKind.AUTHORIZED
    }


def ended_offline(directory: Directory, report: Report, session: OfflineSession) -> Ended | str:
    """Return a session that a reader had by itself; or why there can't have been such a one."""
    uptime = report.telemetry.uptime
    user = directory.find(session.fob or "")
    if session.wrong:
        why = session.wrong
    elif (
        uptime is None
        or not 0 <= session.started <= session.ended <= uptime + UPTIME_SLACK_SECONDS
        or uptime - session.started > MOST_SECONDS_AGO
    ):
        why = "its times can't be"
    elif user is None:
        why = f"its fob (ending in {(session.fob or '')[-4:]}) is unknown"
    else:
        since = report.at - timedelta(seconds=uptime - session.started)
        return Ended(Person.of(user), SessionKind.OFFLINE, since, session.ended - session.started, EndReason.OFFLINE)
    return f"offline session {session.id} of its reader is not in the journal: {why}"
