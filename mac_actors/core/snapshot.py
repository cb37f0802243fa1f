"""What can be seen of a machine from outside, at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mac_actors.core.config import MachineConfig
from mac_actors.core.outputs import relay_on, second_relay_on
from mac_actors.core.state import Flag, MachineState, Session, Status, Telemetry

ONLINE_WITHIN = timedelta(seconds=60)
"""A machine is online while its reader's last report is no older than this."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One machine, as boards, APIs and scripts see it."""

    name: str
    alias: str | None
    display_name: str
    status: Status
    status_since: datetime
    online: bool
    relay: bool
    second_relay: bool
    oops: Flag | None
    lock: Flag | None
    session: Session | None
    telemetry: Telemetry
    last_checkin: datetime | None
    last_update: datetime | None

    @classmethod
    def of(cls, config: MachineConfig, state: MachineState, now: datetime) -> Snapshot:
        """Take a snapshot of a machine at ``now``."""
        return cls(
            name=config.name,
            alias=config.alias,
            display_name=config.display_name,
            status=state.status,
            status_since=state.status_since,
            online=state.last_checkin is not None and now - state.last_checkin <= ONLINE_WITHIN,
            relay=relay_on(config, state),
            second_relay=second_relay_on(config, state),
            oops=state.oops,
            lock=state.lock,
            session=state.session,
            telemetry=state.telemetry,
            last_checkin=state.last_checkin,
            last_update=state.last_update,
        )
