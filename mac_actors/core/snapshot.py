"""What can be seen of a machine from outside, at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mac_actors.core.config import MachineConfig, Offline
from mac_actors.core.maintenance import Upkeep, upkeep
from mac_actors.core.outputs import relay_on, second_relay_on
from mac_actors.core.readable import Readable
from mac_actors.core.state import Details, Flag, MachineState, Session, Status, Telemetry

ONLINE_WITHIN = timedelta(seconds=60)
"""A machine is online while its reader's last report is no older than this."""


@dataclass(frozen=True, slots=True, repr=False)
class Snapshot(Readable):
    """One machine, as pages, APIs and scripts see it."""

    name: str
    alias: str | None
    display_name: str = field(repr=False)
    status: Status
    status_since: datetime
    online: bool
    relay: bool
    second_relay: bool
    oops: Flag | None
    lock: Flag | None
    lock_pending: Flag | None = field(kw_only=True, default=None)
    session: Session | None
    telemetry: Telemetry
    last_checkin: datetime | None
    last_update: datetime | None
    area: str | None = None
    description: str | None = None
    link: str | None = None
    details: Details | None = None
    offline: Offline = field(default=Offline(), repr=False)
    """What its reader does while the server does not answer."""
    maintenance: tuple[Upkeep, ...] = field(default=(), compare=False)
    """What is to be done again and again, and how far it is."""
    maintenance_due: tuple[str, ...] = ()
    refused: str | None = field(default=None, compare=False)
    """Why its reader's reports are refused: then it can't be stopped from here. The machine itself is as it was."""
    obeyed_after: float | None = field(default=None, compare=False)
    """Seconds from the last command that its reader has learned of to the report by which it did."""
    keyed: bool = field(default=False, compare=False)
    """Whether its reader has a key, and so signs its reports."""

    @classmethod
    def of(
        cls,
        config: MachineConfig,
        state: MachineState,
        now: datetime,
        refused: str | None = None,
        obeyed_after: float | None = None,
        *,
        keyed: bool = False,
    ) -> Snapshot:
        """Take a snapshot of a machine at ``now``."""
        return cls(
            name=config.name,
            alias=config.alias,
            display_name=config.display_name,
            status=state.status,
            status_since=state.status_since,
            online=is_online(state, now),
            relay=relay_on(config, state),
            second_relay=second_relay_on(config, state),
            oops=state.oops,
            lock=state.lock,
            lock_pending=state.lock_pending,
            details=state.details,
            maintenance=upkeep(config, state),
            maintenance_due=tuple(kept.what for kept in state.maintenance if kept.due),
            session=state.session,
            telemetry=state.telemetry,
            last_checkin=state.last_checkin,
            last_update=state.last_update,
            area=config.area,
            description=config.description,
            link=config.link,
            offline=config.offline,
            refused=refused,
            obeyed_after=obeyed_after,
            keyed=keyed,
        )

    @property
    def clearable(self) -> bool:
        """Whether there is anything that a clear would lift."""
        return bool(self.oops or self.lock or self.lock_pending)

    def without_names(self) -> Snapshot:
        """Return it without saying who: nobody in ``by``, and a session whose names are empty."""
        if not (self.clearable or self.session):
            return self
        return replace(
            self,
            oops=self.oops and self.oops.without_names(),
            lock=self.lock and self.lock.without_names(),
            lock_pending=self.lock_pending and self.lock_pending.without_names(),
            details=self.details and self.details.without_names(),
            session=self.session and replace(self.session, account_id="", full_name="", lcd_name=""),
        )


def is_online(state: MachineState, now: datetime) -> bool:
    """Whether the machine's reader has reported lately."""
    return state.last_checkin is not None and now - state.last_checkin <= ONLINE_WITHIN


def tally(machines: Iterable[Snapshot]) -> str:
    """Say how many machines there are and what they do: ``8 machines: 2 in use, 1 oopsed``."""
    counts = Counter(machine.status for machine in machines)
    idle = counts.pop(Status.IDLE, 0)
    total = idle + counts.total()
    busy = ", ".join(f"{counts[status]} {_TALLIED[status]}" for status in Status if counts[status]) or "all idle"
    return f"{total} machine{'' if total == 1 else 's'}" + (f": {busy}" if total else "")


_TALLIED = {
    Status.IN_USE: "in use",
    Status.OOPSED: "oopsed",
    Status.LOCKED_OUT: "locked out",
    Status.OOPSED_LOCKED_OUT: "oopsed and locked out",
}
