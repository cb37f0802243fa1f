"""What a report tells of its reader, beside card and button.

Is it an older one than the last? Is it late? Has the reader restarted? Had it been silent for a while? Times are on the
server's clock, which nobody sets; after a restart of the server the wall clock must do for the first report.
"""

from __future__ import annotations

from mac_actors.core.config import MachineConfig
from mac_actors.core.inputs import Report
from mac_actors.core.state import MachineState

REBOOT_TOLERANCE_SECONDS = 120
"""How much shorter an uptime may be than it must have come to by now: firmware measures it once a minute."""

UPTIME_SLACK_SECONDS = 15.0
"""How far an uptime may be from where it would have come to by now: firmware measures it now and then."""

WRAP_SECONDS = 2**32 / 1000
"""Where an uptime that is counted in milliseconds, with 32 bits, begins anew: after 49.7 days."""

WRAP_WITHIN_SECONDS = 120
"""So near to that an uptime may begin anew without a restart."""

LATE_SECONDS = 5.0
"""A report that has waited longer than this starts no session: its reader has hung up, its card may be out by now."""

GAP_REPORTS = 3.5
"""So many reports must a reader have left out, to have been silent for a while."""

ORDER_SLACK_SECONDS = 0.05
"""The kernel's times of arrival are no more exact than this."""


def arrival(report: Report) -> float:
    """Return when a report came; where nobody said so, when it was made."""
    return report.at.timestamp() if report.arrived is None else report.arrived


def is_heartbeat(state: MachineState, report: Report) -> bool:
    """Whether there is nothing new: the same card or none, no oops or a known one, by which nothing runs any more."""
    pressed_anew = report.oops and (state.oops is None or state.session is not None)
    return report.fob == (state.card.fob if state.card else None) and not pressed_anew


def is_older(state: MachineState, report: Report) -> bool:
    """Whether a report was sent before the last one that was decided: then what it says is no longer so."""
    last, this = state.telemetry, report.telemetry
    if this.boot is not None and this.boot == last.boot and this.count is not None and last.count is not None:
        return this.count < last.count
    return state.last_arrival is not None and arrival(report) < state.last_arrival - ORDER_SLACK_SECONDS


def elapsed(state: MachineState, report: Report) -> float | None:
    """Return the seconds from the last report to this one; ``None``: it is the first."""
    if state.last_checkin is None:
        return None
    if state.last_arrival is None:
        return (report.at - state.last_checkin).total_seconds()
    return arrival(report) - state.last_arrival


def has_rebooted(state: MachineState, report: Report) -> bool:
    """Whether the reader has restarted since its last report."""
    last, this = state.telemetry, report.telemetry
    if last.boot is not None and this.boot is not None:
        return this.boot != last.boot
    if this.uptime is None:
        return last.uptime is not None
    gone = elapsed(state, report)
    if gone is None:
        return False
    if last.uptime is not None and this.uptime < last.uptime:
        return not _has_wrapped(last.uptime, this.uptime, gone)
    # Where the server has run all the time, the reader's clock must have gone on as its own did.
    expected = gone if state.last_arrival is None else (last.uptime or 0.0) + gone
    return this.uptime < expected - REBOOT_TOLERANCE_SECONDS


def _has_wrapped(last: float, now: float, gone: float) -> bool:
    """Whether an uptime has begun anew by itself: near the wrap, and just as far on as it must be by now."""
    near = last >= WRAP_SECONDS - WRAP_WITHIN_SECONDS and now <= WRAP_WITHIN_SECONDS
    return near and abs(now + WRAP_SECONDS - last - gone) <= UPTIME_SLACK_SECONDS


def was_silent(config: MachineConfig, state: MachineState, report: Report) -> bool:
    """Whether the reader, which has not restarted, has left out reports: a request of it may have hung.

    Firmware that does not say what it is keeps a card that was in and out meanwhile. Other firmware knows better. What
    any reader has reported since a backup, a restored database does not have.
    """
    if state.restored:
        return True
    gone = elapsed(state, report)
    if not config.report_seconds or report.telemetry.firmware is not None or gone is None:
        return False
    last, now = state.telemetry.uptime, report.telemetry.uptime
    if last is not None and now is not None:
        gone = (now - last) % WRAP_SECONDS
    return gone > GAP_REPORTS * config.report_seconds
