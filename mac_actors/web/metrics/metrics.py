"""``GET /metrics``: what the server counts, for Prometheus."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

import bottle
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    exposition,
)
from prometheus_client import metrics_core as core
from prometheus_client.openmetrics import exposition as openmetrics

from mac_actors.core.outcomes import KINDS, Outcome, SessionRefused, kind
from mac_actors.core.state import Refusal, Status
from mac_actors.errors import StorageError
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.version import VERSION
from mac_actors.web.api.openapi import Operation
from mac_actors.web.counts import Counts
from mac_actors.web.metrics import table
from mac_actors.web.metrics.machine_gauges import machine_text
from mac_actors.web.metrics.table import Metric

log = logging.getLogger(__name__)

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds: from a heartbeat on a PC to the age at which a report is too late to start anything."""

DISK_SECONDS = 1.0
"""While a record has waited longer than this for the disk, the outbox is not read: the reading might hang too."""

OBEYED_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: from a poke that is answered at once to more than one heartbeat."""

REASONS = {
    "400": "malformed",
    "401": "token",
    "403": "address",
    "404": "unknown",
    "405": "method",
    "408": "timeout",
    "409": "unsafe",
    "413": "body_too_long",
    "422": "invalid",
    "429": "too_many_tokens",
    "431": "headers_too_long",
    "500": "mistake_of_the_server",
    "503": "unavailable",
}
"""What an error's status stands for (docs/http.rst)."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the counters; Prometheus sees a restart without them


class Metrics:
    """All metrics of one server. ``refusals`` are counters of error answers by status."""

    def __init__(self, fleet: MachineFleet, *refusals: Counts) -> None:
        self._fleet = fleet
        self.refusals = list(refusals)
        self.slack_connected: Callable[[], bool] | None = None
        """Set where Slack is on."""
        self.mqtt_connected: Callable[[], bool] | None = None
        """Set where MQTT is on."""
        self.cell: CellNumbers | None = None
        """Set where the database may be shared with other servers."""
        self.log_lines_left_out: Callable[[], Counter[str]] = Counter
        """Set where there is a log: lines that were not written, by reason."""
        self._transitions = Counter(dict.fromkeys(KINDS, 0))
        self._refused_logins = Counter(dict.fromkeys((refusal.value for refusal in Refusal), 0))
        self._outbox = _Outbox(fleet)
        self._registry = CollectorRegistry()
        self._registry.register(_Numbers(self._collect))
        self.observe_report = self._histogram(table.REPORT_SECONDS, BUCKETS)
        """Takes the seconds from a whole report to its answer."""
        fleet.poker.observe = self._histogram(table.OBEYED_SECONDS, OBEYED_BUCKETS)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        fleet.subscribe(self._count)

    def _histogram(self, metric: Metric, buckets: tuple[float, ...]) -> Callable[[float], None]:
        """Add a histogram; returns what takes its seconds."""
        made = Histogram(metric.name, metric.help, buckets=buckets, registry=self._registry)
        return made.observe

    def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics and their content type: OpenMetrics where it is asked for, else Prometheus's text."""
        machines = machine_text(self._fleet)
        if wants_openmetrics(accept):
            rest: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            content_type = openmetrics.CONTENT_TYPE_LATEST
        else:
            rest, content_type = exposition.generate_latest(self._registry), exposition.CONTENT_TYPE_PLAIN_0_0_4
        return machines.encode("utf-8", "replace") + rest, content_type

    def _count(self, outcome: Outcome) -> None:
        """Count an outcome. One thread does this: the publisher's."""
        self._transitions[kind(outcome)] += 1
        if isinstance(outcome, SessionRefused):
            self._refused_logins[outcome.refusal.value] += 1

    def _collect(self) -> Iterator[core.Metric]:
        fleet, configuration = self._fleet, self._fleet.configuration
        directory, written = configuration.directory, configuration.users_mtime
        yield _single(table.MACHINES_LOADED, fleet.supervisor.machines_loaded_at.timestamp())
        yield _single(table.USERS_LOADED, configuration.loaded_at.timestamp())
        yield _single(table.USERS_WRITTEN, None if written is None else written.timestamp())
        yield _single(table.STARTED, fleet.started_at.timestamp())
        yield _single(table.USERS, len(directory.users))
        yield _single(table.FOBS, len(directory.by_fob))
        statuses = Counter({status.value: 0 for status in Status})
        statuses.update(state.status.value for _, state in fleet.published())
        yield _several(table.MACHINES, _by_one(statuses))
        yield _several(table.TRANSITIONS, _by_one(self._transitions))
        yield _several(table.REFUSED_LOGINS, _by_one(self._refused_logins))
        refused = Counter(dict.fromkeys(REASONS, 0))
        for counts in self.refusals:
            refused.update(counts.so_far())
        yield _several(
            table.REFUSED_REQUESTS,
            [((status, REASONS.get(status, "other")), n) for status, n in sorted(refused.items())],
        )
        yield from self._notices()
        yield _single(table.POKES_SENT, fleet.poker.sent)
        yield _single(table.POKES_ANSWERED, fleet.poker.answered)
        journal = fleet.journal
        commits = core.SummaryMetricFamily(table.COMMITS.name, table.COMMITS.help)
        commits.add_metric((), journal.batches, journal.commit_seconds)
        yield commits
        yield _single(table.OVER_BUDGET, fleet.supervisor.over_budget)
        yield _single(table.JOURNAL_DEPTH, journal.depth)
        yield _single(table.JOURNAL_AGE, journal.oldest_age)
        yield _single(table.JOURNAL_LOST, journal.lost)
        restarts = Counter(dict.fromkeys(fleet.supervisor.kinds_of_actors, 0))
        restarts.update(fleet.restarts.copy())
        yield _several(table.RESTARTS, _by_one(restarts))
        left_out = Counter(unwritable=0, repeated=0)
        left_out.update(self.log_lines_left_out())
        yield _several(table.LOG_LINES, _by_one(left_out))
        yield _single(table.MQTT, self.mqtt_connected() if self.mqtt_connected else None)
        yield _single(table.SLACK, self.slack_connected() if self.slack_connected else None)
        yield from cell_gauges(self.cell)
        yield core.InfoMetricFamily(table.BUILD.name.removesuffix("_info"), table.BUILD.help, {"version": VERSION})

    def _notices(self) -> Iterator[core.Metric]:
        """What happens to notices and to webhooks' events; without chat and webhooks there are none."""
        channels = self._fleet.outgoing.outlets()
        queued = self._fleet.journal.queued
        now = datetime.now(UTC)
        waiting = self._outbox.look() if channels else {}
        ages = {channel: max(0.0, (now - oldest).total_seconds()) for channel, (_, oldest) in waiting.items()}
        yield _several(table.NOTICES_QUEUED, [((channel,), queued[channel]) for channel in channels])
        yield _several(table.NOTICES_SENT, [((channel,), one.posted) for channel, one in channels.items()])
        yield _several(table.NOTICES_RETRIED, [((channel,), one.retried) for channel, one in channels.items()])
        yield _several(table.NOTICES_GIVEN_UP, [((channel,), one.given_up) for channel, one in channels.items()])
        yield _several(table.NOTICES_WAITING, [((c,), waiting[c][0] if c in waiting else 0) for c in channels])
        yield _several(table.NOTICES_AGE, [((channel,), ages.get(channel, 0.0)) for channel in channels])


CellNumbers = Callable[[], tuple[bool, int, float]]
"""Whether this server's lease is valid, the epoch that it owns (0: none), and its clock's skew in seconds."""


def cell_gauges(numbers: CellNumbers | None) -> Iterator[core.Metric]:
    """Return what each server of a cell tells of itself, be it the owner or not."""
    values = numbers() if numbers else (None, None, None)
    for metric, value in zip((table.CELL_OWNS, table.CELL_EPOCH, table.CELL_SKEW), values, strict=True):
        yield _single(metric, value)


class CellCollector:
    """These metrics alone, for a server that owns nothing."""

    def __init__(self, numbers: CellNumbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[core.Metric]:
        """Return them."""
        return cell_gauges(self._numbers)


class _Numbers:
    """Our metrics, as a collector. Without ``describe``, for the names are in the table."""

    def __init__(self, collect: Callable[[], Iterable[core.Metric]]) -> None:
        self.collect = collect


class _Outbox:
    """What waits in the outbox. A scrape never waits for a disk that hangs: it gets what was so before."""

    def __init__(self, fleet: MachineFleet) -> None:
        self._fleet = fleet
        self._reading = threading.Lock()
        self._last: dict[str, tuple[int, datetime]] = {}

    def look(self) -> dict[str, tuple[int, datetime]]:
        """Return, by channel, how many notices wait and since when the oldest does."""
        if self._fleet.journal.oldest_age < DISK_SECONDS and self._reading.acquire(blocking=False):
            try:
                self._last = self._fleet.store.waiting_by_channel()
            except StorageError as error:
                log.warning("metrics: %s", error)
            finally:
                self._reading.release()
        return self._last


def _single(metric: Metric, value: float | None) -> core.Metric:
    """Return a metric without labels; ``None``: without a sample."""
    return _several(metric, [] if value is None else [((), value)])


def _several(metric: Metric, samples: Iterable[tuple[tuple[str, ...], float]]) -> core.Metric:
    """Return a gauge or a counter with a sample for each tuple of label values."""
    family = core.CounterMetricFamily if metric.kind is table.Kind.COUNTER else core.GaugeMetricFamily
    made = family(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        made.add_metric(labels, float(value))
    return made


def _by_one(counter: Counter[str]) -> list[tuple[tuple[str, ...], float]]:
    return [((word,), number) for word, number in sorted(counter.copy().items())]


def wants_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics 1 is asked for, and no less than plain text; whatever the header looks like."""
    wishes = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.lower().split(","):
        name, *parameters = (field.strip() for field in part.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        version = given.get("version", "1").strip('"')
        if name in wishes and (name == "text/plain" or version.split(".")[0] == "1"):
            weight = given.get("q", "1")
            known = re.fullmatch(r"[01](\.\d{0,3})?", weight)
            wishes[name] = max(wishes[name], float(weight) if known else 0.0)
    return wishes["application/openmetrics-text"] > 0 and wishes["application/openmetrics-text"] >= wishes["text/plain"]


def routes(app: bottle.Bottle, metrics: Metrics) -> None:
    """Add ``/metrics``. It is open, as all reading; there is no name of a member and no fob in it."""
    text = {media: {"schema": {"type": "string"}} for media in ("text/plain", "application/openmetrics-text")}
    operation = Operation(
        "What Prometheus scrapes: every machine's state, and how the server is",
        responses={200: {"description": "Done", "content": text}},
    )

    @app.get("/metrics", api=operation)
    def show() -> bytes:
        body, bottle.response.content_type = metrics.scrape(bottle.request.environ.get("HTTP_ACCEPT", ""))
        return body
