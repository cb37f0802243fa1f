"""Every metric of ours, in one table: what /metrics serves, what the reference lists, what the dashboard may ask for.

Names without the prefix ``mac_`` are those that dashboards in the field use. They are kept to the letter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from mac_actors.core.config import MachineConfig
from mac_actors.core.maintenance import upkeep
from mac_actors.core.outputs import Outputs
from mac_actors.core.snapshot import is_online
from mac_actors.core.state import MachineState, SessionKind, Status

MACHINE = ("machine_name", "display_name")
SECOND = (*MACHINE, "second_relay_alias")


class Kind(StrEnum):
    """What a metric is, in Prometheus's words."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name as it is served (a histogram's and a summary's without ``_count`` and so on)."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


class Seen(NamedTuple):
    """A machine at the moment of the scrape."""

    config: MachineConfig
    state: MachineState
    outputs: Outputs
    known_user: bool
    now: datetime


Value = bool | float | None
"""``None``: not known, and so no sample; a 0 would be a lie."""


@dataclass(frozen=True, slots=True)
class MachineGauge(Metric):
    """A gauge of each machine, and how it is read off. A ``dict`` has a value for each value of the last label."""

    value: Callable[[Seen], Value | dict[str, float]] = lambda seen: None


def _gauge(
    name: str, text: str, value: Callable[[Seen], Value | dict[str, float]], labels: tuple[str, ...] = MACHINE
) -> MachineGauge:
    return MachineGauge(name, Kind.GAUGE, text, labels, value)


def _time(at: datetime | None) -> Value:
    return None if at is None else at.timestamp()


def _light(seen: Seen) -> dict[str, float]:
    red, green, blue = seen.outputs.status_led_rgb
    return {"red": red, "green": green, "blue": blue, "brightness": seen.outputs.status_led_brightness}


MACHINE_GAUGES: tuple[MachineGauge, ...] = (
    _gauge("machine_relay_state", "Whether the machine has power: what its relay is told.", lambda m: m.outputs.relay),
    _gauge("machine_oops_state", "Whether the machine is oopsed.", lambda m: m.state.oops is not None),
    _gauge(
        "machine_lockout_state",
        "Whether the machine is locked out for maintenance.",
        lambda m: m.state.lock is not None,
    ),
    _gauge(
        "mac_machine_lock_pending",
        "Whether the machine is to be locked out when its session ends.",
        lambda m: m.state.lock_pending is not None,
    ),
    _gauge(
        "machine_override_login_state",
        "Whether an override session runs: somebody repairs an oopsed or locked machine.",
        lambda m: m.state.session is not None and m.state.session.kind is SessionKind.OVERRIDE,
    ),
    _gauge(
        "machine_unauth_warn_only_state",
        "Whether the configuration lets users without authorization in, with a warning (unauthorized_warn_only).",
        lambda m: m.config.unauthorized_warn_only,
    ),
    _gauge(
        "machine_last_checkin_timestamp",
        "Unix time of the reader's last report. Absent if there never was one.",
        lambda m: _time(m.state.last_checkin),
    ),
    _gauge(
        "machine_last_update_timestamp",
        "Unix time of the last report that changed card, oops or lock. Absent if there never was one.",
        lambda m: _time(m.state.last_update),
    ),
    _gauge("machine_rfid_present", "Whether a fob is in the reader.", lambda m: m.state.card is not None),
    _gauge(
        "machine_rfid_present_since_timestamp",
        "Unix time at which the fob was put into the reader. Absent while there is none.",
        lambda m: None if m.state.card is None else m.state.card.since.timestamp(),
    ),
    _gauge(
        "machine_current_amps",
        "Current that the machine draws, in A. Absent until the reader has reported.",
        lambda m: None if m.state.last_checkin is None else m.state.telemetry.amps,
    ),
    _gauge("machine_known_user", "Whether the fob in the reader is a user's.", lambda m: m.known_user),
    _gauge(
        "machine_uptime_seconds",
        "Seconds since the reader's boot, as it last said. Absent if unknown.",
        lambda m: m.state.telemetry.uptime,
    ),
    _gauge(
        "machine_wifi_signal_db",
        "WiFi signal at the reader in dBm, as it last said. Absent if unknown.",
        lambda m: m.state.telemetry.wifi_signal_db,
    ),
    _gauge(
        "machine_wifi_signal_percent",
        "WiFi signal at the reader, 0 to 100, as it last said. Absent if unknown.",
        lambda m: m.state.telemetry.wifi_signal_percent,
    ),
    _gauge(
        "machine_esp_temperature_c",
        "Temperature of the reader's chip in degrees Celsius, as it last said. Absent if unknown.",
        lambda m: m.state.telemetry.internal_temperature_c,
    ),
    _gauge(
        "machine_status_led",
        "The reader's light: red, green, blue and brightness, each 0 to 1.",
        _light,
        (*MACHINE, "led_attribute"),
    ),
    _gauge(
        "machine_second_relay_state",
        "Whether the second relay is told to be on.",
        lambda m: m.outputs.second_relay,
        SECOND,
    ),
    _gauge("machine_second_relay_configured", "1 for a machine with a second relay.", lambda m: 1.0, SECOND),
    _gauge(
        "machine_second_relay_unauth_warn_only",
        "Whether the configuration lets users without authorization use the second relay, with a warning.",
        lambda m: m.config.second_relay is not None and m.config.second_relay.unauthorized_warn_only,
        SECOND,
    ),
    _gauge(
        "machine_second_relay_always_enabled",
        "Whether the second relay is on whenever the machine is (always_enabled).",
        lambda m: m.config.second_relay is not None and m.config.second_relay.always_enabled,
        SECOND,
    ),
    _gauge(
        "mac_machine_online", "Whether the reader reported within the last 60 s.", lambda m: is_online(m.state, m.now)
    ),
    _gauge(
        "mac_machine_in_use",
        "Whether a session runs on a machine that is neither oopsed nor locked.",
        lambda m: m.state.status is Status.IN_USE,
    ),
    _gauge(
        "mac_machine_maintenance_left_hours",
        "Hours with power until it is due; negative: for so long it has been.",
        lambda m: {one.what: one.every_hours - one.hours for one in upkeep(m.config, m.state)},
        (*MACHINE, "what"),
    ),
    _gauge(
        "mac_machine_oopsed_since_timestamp_seconds",
        "Unix time at which the machine was oopsed. Absent while it is not.",
        lambda m: None if m.state.oops is None else m.state.oops.since.timestamp(),
    ),
    _gauge(
        "mac_machine_locked_since_timestamp_seconds",
        "Unix time at which the machine was locked out. Absent while it is not.",
        lambda m: None if m.state.lock is None else m.state.lock.since.timestamp(),
    ),
)
"""What is said of each machine."""

MACHINES_LOADED = Metric(
    "machine_config_load_timestamp", Kind.GAUGE, "Unix time at which the machines file was last read."
)
USERS_LOADED = Metric("user_config_load_timestamp", Kind.GAUGE, "Unix time at which the users file was last read.")
USERS_WRITTEN = Metric(
    "user_config_file_mtime", Kind.GAUGE, "Unix time at which the users file that was read had last been written."
)
STARTED = Metric("app_start_timestamp", Kind.GAUGE, "Unix time at which the server started.")
USERS = Metric("user_count", Kind.GAUGE, "Users in the configuration.")
FOBS = Metric("fob_count", Kind.GAUGE, "Fobs of these users.")

MACHINES = Metric("mac_machines", Kind.GAUGE, "Machines, by what they are now.", ("status",))
REPORT_SECONDS = Metric(
    "mac_report_duration_seconds",
    Kind.HISTOGRAM,
    "From a reader's whole report to its answer. Refused reports are not in it.",
)
OBEYED_SECONDS = Metric(
    "mac_command_to_report_seconds",
    Kind.HISTOGRAM,
    "From a command, or another change of what a reader is to do, to its next report: by then it obeys.",
)
POKES_SENT = Metric(
    "mac_pokes_sent_total", Kind.COUNTER, "Pokes of readers that take them, each of one to four datagrams."
)
POKES_ANSWERED = Metric("mac_pokes_answered_total", Kind.COUNTER, "Pokes after which the reader reported within 2 s.")
TRANSITIONS = Metric("mac_transitions_total", Kind.COUNTER, "What happened to machines, by kind of event.", ("kind",))
REFUSED_LOGINS = Metric(
    "mac_refused_logins_total", Kind.COUNTER, "Fobs that did not open a machine, by reason.", ("reason",)
)
REFUSED_REQUESTS = Metric(
    "mac_refused_requests_total",
    Kind.COUNTER,
    "Requests that were answered with an error, by HTTP status and what it stands for.",
    ("status", "reason"),
)
NOTICES_QUEUED = Metric(
    "mac_notices_queued_total",
    Kind.COUNTER,
    "Notices for the chat's channels and events for webhooks that were put into the outbox.",
    ("channel",),
)
NOTICES_SENT = Metric(
    "mac_notices_sent_total",
    Kind.COUNTER,
    "Notices that Slack has taken, also those said at once, which were in no outbox; events that webhooks have.",
    ("channel",),
)
NOTICES_RETRIED = Metric(
    "mac_notices_retried_total", Kind.COUNTER, "Posts that were not taken and that were tried again.", ("channel",)
)
NOTICES_GIVEN_UP = Metric(
    "mac_notices_given_up_total",
    Kind.COUNTER,
    "Events that a webhook has not taken for three days; Slack's notices are never given up.",
    ("channel",),
)
NOTICES_WAITING = Metric("mac_notices_waiting", Kind.GAUGE, "Notices in the outbox now.", ("channel",))
NOTICES_AGE = Metric(
    "mac_notices_oldest_age_seconds",
    Kind.GAUGE,
    "How long the oldest notice in the outbox has waited; 0 when none does.",
    ("channel",),
)
COMMITS = Metric("mac_commit_duration_seconds", Kind.SUMMARY, "Transactions that were written, and how long they took.")
OVER_BUDGET = Metric(
    "mac_commits_over_budget_total",
    Kind.COUNTER,
    "Changes that were answered before they were on disk, because the commit budget was over.",
)
JOURNAL_DEPTH = Metric("mac_journal_queue_depth", Kind.GAUGE, "Records that wait to be written.")
JOURNAL_AGE = Metric(
    "mac_journal_oldest_age_seconds", Kind.GAUGE, "How long the oldest of these records has waited; 0 when none does."
)
JOURNAL_LOST = Metric(
    "mac_journal_lost_records_total", Kind.COUNTER, "Records that could never be written; the log says which."
)
RESTARTS = Metric(
    "mac_actor_restarts_total", Kind.COUNTER, "Actors that had died and were restarted, by kind.", ("kind",)
)
LOG_LINES = Metric(
    "mac_log_lines_left_out_total",
    Kind.COUNTER,
    "Log lines that were not written: they could not be (nobody reads, disk full), or said the same again.",
    ("reason",),
)
SLACK = Metric("mac_slack_connected", Kind.GAUGE, "Whether Slack is connected. Absent where Slack is not set up.")
MQTT = Metric(
    "mac_mqtt_connected", Kind.GAUGE, "Whether the MQTT broker takes messages. Absent where MQTT is not set up."
)
CELL_OWNS = Metric(
    "mac_cell_owns",
    Kind.GAUGE,
    "Whether this server owns the machines, by a lease that is valid now. Absent without MAC_DATABASE.",
)
CELL_EPOCH = Metric("mac_cell_epoch", Kind.GAUGE, "The epoch that this server owns; 0: none. Absent as before.")
CELL_SKEW = Metric(
    "mac_cell_clock_skew_seconds",
    Kind.GAUGE,
    "Seconds by which this computer's clock is ahead of the database's. Absent as before.",
)
BUILD = Metric("mac_build_info", Kind.INFO, "1; its labels say which version runs.", ("version",))

TABLE: tuple[Metric, ...] = (
    *MACHINE_GAUGES,
    MACHINES_LOADED,
    USERS_LOADED,
    USERS_WRITTEN,
    STARTED,
    USERS,
    FOBS,
    MACHINES,
    REPORT_SECONDS,
    OBEYED_SECONDS,
    POKES_SENT,
    POKES_ANSWERED,
    TRANSITIONS,
    REFUSED_LOGINS,
    REFUSED_REQUESTS,
    NOTICES_QUEUED,
    NOTICES_SENT,
    NOTICES_RETRIED,
    NOTICES_GIVEN_UP,
    NOTICES_WAITING,
    NOTICES_AGE,
    COMMITS,
    OVER_BUDGET,
    JOURNAL_DEPTH,
    JOURNAL_AGE,
    JOURNAL_LOST,
    RESTARTS,
    LOG_LINES,
    SLACK,
    MQTT,
    CELL_OWNS,
    CELL_EPOCH,
    CELL_SKEW,
    BUILD,
)
"""All of them, in the order of the reference. Beside them are ``process_…`` and ``python_…`` of prometheus-client."""
