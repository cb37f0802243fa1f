"""What /metrics says. That Prometheus understands it: tests/e2e/test_prometheus.py."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.core.inputs import Oops
from mac_actors.core.outcomes import KINDS
from mac_actors.core.state import Source
from mac_actors.errors import ChatError, MachineUnavailable, StorageError
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings import Tokens
from mac_actors.storage.store import Store
from mac_actors.web.metrics.metrics import BUCKETS, REASONS, Metrics, wants_openmetrics
from mac_actors.web.metrics.table import TABLE
from tests.conftest import MakeServer
from tests.fakes import (
    ANN,
    BOB,
    NOBODY,
    HangingStore,
    RecordingChat,
    RefusingStore,
    open_fleet,
    wait_until,
    written,
)
from tests.web.client import Running
from tests.web.metrics.scrape import FIELD_NAMES, Scrape, scrape

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}


# --- the whole ----------------------------------------------------------------------------------------


def test_what_is_served_is_what_the_table_says(make_server: MakeServer) -> None:
    shown = scrape(make_server(RecordingChat()))
    ours = {n: f.type for n, f in shown.families.items() if not n.startswith(("process_", "python_"))}
    suffixes = {"counter": "_total"}  # the parser calls counters without it, and knows no info in this format
    assert ours == {
        metric.name.removesuffix(suffixes.get(metric.kind, "\0")): metric.kind.replace("info", "gauge")
        for metric in TABLE
    }
    assert {n: shown.families[n.removesuffix("_total")].documentation for n in (m.name for m in TABLE)} == {
        metric.name: metric.help for metric in TABLE
    }


def test_labels_are_those_of_the_table(make_server: MakeServer) -> None:
    server = make_server(RecordingChat())
    server.report("laser", ANN, uptime=5.5)
    server.post("/api/machine/oops/router")
    server.post("/api/machine/locked_out/router")
    plain = [
        metric
        for metric in TABLE
        if metric.kind in {"gauge", "counter", "info"}
        and metric.name not in {"mac_slack_connected", "mac_machine_maintenance_left_hours"}
    ]
    found = scrape(server).labels(metric.name for metric in plain)
    assert found == {metric.name: set(metric.labels) for metric in plain}


def test_the_names_that_dashboards_in_the_field_ask_for_are_there(make_server: MakeServer) -> None:
    server = make_server()
    server.report("laser", ANN)
    found = {name for name, _ in scrape(server).samples}
    assert set(FIELD_NAMES) <= found
    others = {name for name in found if name not in FIELD_NAMES}
    assert all(name.startswith(("mac_", "process_", "python_")) for name in others), others


def test_every_help_text_is_a_plain_sentence() -> None:
    for metric in TABLE:
        # " and \ would need escapes that differ between the two formats
        assert metric.help.endswith("."), metric
        assert not set(metric.help) & set('"\\\n'), metric


def test_openmetrics_says_the_same_as_plain_text(make_server: MakeServer) -> None:
    server = make_server(RecordingChat())
    server.report("laser", ANN)
    reply = server.get("/metrics", headers=OPENMETRICS)
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0;")
    assert reply.body.endswith(b"\n# EOF\n")
    moving = ("process_", "python_", "mac_transitions", "mac_commit_", "mac_notices", "mac_journal")
    open_, plain = Scrape(reply.body, openmetrics=True), scrape(server)
    assert {k: v for k, v in open_.samples.items() if not k[0].startswith(moving)} == {
        k: v for k, v in plain.samples.items() if not k[0].startswith(moving)
    }


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", True),
        ('application/openmetrics-text;version="1.0.0"', True),
        (OPENMETRICS["Accept"], True),
        ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;q=0.6", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;version=abc", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=nan", False),
        (";;=,,;q,=;version=", False),
    ],
)
def test_openmetrics_is_served_where_it_is_asked_for(shared_server: Running, accept: str, wanted: bool) -> None:
    reply = shared_server.get("/metrics", headers={"Accept": accept})
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text" if wanted else "text/plain;")


@given(st.text(st.characters(codec="latin-1")))
def test_no_accept_header_is_too_odd(accept: str) -> None:
    assert wants_openmetrics(accept) in {True, False}


def test_metrics_are_open_as_all_reading(make_server: MakeServer) -> None:
    server = make_server(tokens=Tokens(admin="a" * 20, reader="r" * 20))
    assert server.get("/metrics").status == 200
    assert server.request("HEAD", "/metrics").status == 200
    assert server.post("/metrics").status == 405


@pytest.mark.parametrize("public", [True, False])
def test_no_name_of_a_member_and_no_fob_is_ever_in_it(make_server: MakeServer, public: bool) -> None:
    server = make_server(public_names=public)
    server.outputs("metal-mill", ANN)
    server.outputs("laser", "DEADBEEF12")
    server.post("/api/machine/oops/router", {"by": "Grace Hidden", "reason": "it smells"})
    text = scrape(server).text
    assert scrape(server).value("mac_machine_in_use", machine_name="metal-mill") == 1
    for secret in ("Ann", "Able", ANN, ANN.lstrip("0"), "DEADBEEF", "Grace", "Hidden", "smells", "example.org"):
        assert secret not in text


# --- what happened ------------------------------------------------------------------------------------


def test_what_never_happened_is_0_from_the_start(make_server: MakeServer) -> None:
    shown = scrape(make_server(RecordingChat()))
    assert shown.by("mac_transitions_total", "kind") == dict.fromkeys(KINDS, 0)
    assert set(shown.by("mac_refused_logins_total", "reason").values()) == {0}
    assert shown.by("mac_refused_requests_total", "status") == dict.fromkeys(REASONS, 0)
    parts = ["machine", "journal", "publisher", "poker", "control notifier", "oops notifier", "direct notifier"]
    assert shown.by("mac_actor_restarts_total", "kind") == dict.fromkeys(parts, 0)
    assert shown.by("mac_notices_sent_total", "channel") == {"control": 0, "oops": 0, "direct": 0}


def test_transitions_and_refused_logins_are_counted(server: Running) -> None:
    server.outputs("metal-mill", ANN)
    server.outputs("metal-mill")
    for _ in range(2):
        server.outputs("router", NOBODY)
        server.outputs("router")
    server.outputs("router", BOB)
    server.post("/api/machine/oops/router")
    happened = {"session_started": 1, "session_ended": 1, "session_refused": 3, "oops_set": 1}
    wait_until(lambda: scrape(server).by("mac_transitions_total", "kind") == dict.fromkeys(KINDS, 0) | happened)
    refused = scrape(server).by("mac_refused_logins_total", "reason")
    assert {reason: count for reason, count in refused.items() if count} == {"unknown": 2, "unauthorized": 1}


def test_reports_are_timed_and_refused_ones_are_not(server: Running) -> None:
    for _ in range(3):
        server.outputs("router")
    server.report("nowhere")
    server.post("/api/machine/update", b"nonsense")
    shown = scrape(server)
    assert shown.value("mac_report_duration_seconds_count") == 3
    assert 0 < (shown.value("mac_report_duration_seconds_sum") or 0) < 60
    buckets = shown.by("mac_report_duration_seconds_bucket", "le")
    assert [float(bound) for bound in buckets] == [*BUCKETS, float("inf")]
    assert sorted(buckets.values()) == list(buckets.values())


def test_a_report_that_could_not_be_decided_is_timed_too(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*_: object) -> None:
        raise MachineUnavailable("it does not answer")

    monkeypatch.setattr(server.fleet, "begin", unable)
    assert server.report("router").status == 503
    assert scrape(server).value("mac_report_duration_seconds_count") == 1


def test_refused_requests_are_counted_by_status_wherever_they_were_refused(server: Running) -> None:
    server.report("nowhere")
    server.get("/nothing")
    server.post("/api/machine/update", b"[]")
    with server.connect() as raw:
        raw.send(b"nonsense\r\n\r\n")
        assert raw.reply().status == 400
    refused = scrape(server).by("mac_refused_requests_total", "reason")
    assert {reason: n for reason, n in refused.items() if n} == {"unknown": 2, "invalid": 1, "malformed": 1}


def test_a_status_that_is_not_in_the_list_is_counted_all_the_same(server: Running) -> None:
    server.service.shop.app.refusals.add("418")
    assert scrape(server).value("mac_refused_requests_total", status="418", reason="other") == 1


def test_without_a_chat_there_is_nothing_about_notices_or_slack(fleet: MachineFleet) -> None:
    shown = Scrape.of(Metrics(fleet))
    assert not [name for name, _ in shown.samples if name.startswith(("mac_notices", "mac_slack"))]


def test_notices_that_the_chat_refuses_wait_and_are_tried_again() -> None:
    chat = RecordingChat()
    chat.errors += [ChatError("down", retry_after=3600.0)]
    with open_fleet(chat=chat) as fleet:
        metrics = Metrics(fleet)
        fleet.ask("router", Oops(datetime.now(UTC), Source.HTTP))
        written(fleet)
        wait_until(lambda: sum(Scrape.of(metrics).by("mac_notices_retried_total", "channel").values()) == 1)
        wait_until(lambda: sum(Scrape.of(metrics).by("mac_notices_waiting", "channel").values()) == 1)
        shown = Scrape.of(metrics)
        assert shown.by("mac_notices_queued_total", "channel") == {"control": 1, "oops": 1, "direct": 0}
        assert sum(shown.by("mac_notices_sent_total", "channel").values()) == 1
        retried = shown.by("mac_notices_retried_total", "channel")
        assert shown.by("mac_notices_waiting", "channel") == retried  # in the channel that was refused, and there alone
        ages = shown.by("mac_notices_oldest_age_seconds", "channel")
        assert {channel for channel, age in ages.items() if age > 0} == {c for c, n in retried.items() if n}


def test_what_is_said_at_once_counts_as_sent(fleet: MachineFleet) -> None:
    chat = RecordingChat()
    with open_fleet(chat=chat) as talking:
        talking.notify("the disk is slow", at_once=True)
        chat.texts(1)
        wait_until(lambda: Scrape.of(Metrics(talking)).value("mac_notices_sent_total", channel="control") == 1)
        assert Scrape.of(Metrics(talking)).value("mac_notices_queued_total", channel="control") == 0


def test_commits_and_what_the_disk_holds_up() -> None:
    store = HangingStore.open(None)
    assert isinstance(store, HangingStore)
    with open_fleet(store, commit_budget=0.01) as fleet:
        metrics = Metrics(fleet)
        written(fleet)
        before = Scrape.of(metrics)
        assert before.value("mac_commit_duration_seconds_count") == fleet.journal.batches > 0
        assert before.value("mac_journal_queue_depth") == 0
        store.entered.clear()
        store.gate.clear()
        try:
            assert not fleet.ask("router", Oops(datetime.now(UTC), Source.HTTP)).durable
            during = Scrape.of(metrics)
            assert during.value("mac_journal_queue_depth") == 1
            over_budget = [each.value("mac_commits_over_budget_total") or 0 for each in (before, during)]
            assert over_budget[1] == over_budget[0] + 1
            assert (during.value("mac_journal_oldest_age_seconds") or 0) > 0
        finally:
            store.gate.set()
        written(fleet)
        after = Scrape.of(metrics)
        assert after.value("mac_journal_queue_depth") == after.value("mac_journal_oldest_age_seconds") == 0
        assert after.value("mac_commit_duration_seconds_sum") == fleet.journal.commit_seconds > 0


def test_records_that_are_lost_are_counted() -> None:
    with open_fleet() as fleet:
        fleet.journal.lost += 1
        assert Scrape.of(Metrics(fleet)).value("mac_journal_lost_records_total") == 1


def test_a_refused_commit_is_no_commit() -> None:
    store = RefusingStore.open(None)
    assert isinstance(store, RefusingStore)
    with open_fleet(store, commit_budget=0.01) as fleet:
        written(fleet)
        batches = fleet.journal.batches
        store.refuse()
        fleet.ask("router", Oops(datetime.now(UTC), Source.HTTP))
        wait_until(lambda: fleet.journal.error)
        assert Scrape.of(Metrics(fleet)).value("mac_commit_duration_seconds_count") == batches
        store.mend()


def test_a_scrape_waits_for_no_disk_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_fleet(chat=RecordingChat()) as fleet:
        metrics = Metrics(fleet)
        release, entered = threading.Event(), threading.Event()

        def hang() -> dict[Any, Any]:
            entered.set()
            assert release.wait(60)
            return {}

        monkeypatch.setattr(fleet.store, "waiting_by_channel", hang)
        first = threading.Thread(target=metrics.scrape)
        first.start()
        assert entered.wait(60)
        try:
            assert Scrape.of(metrics).by("mac_notices_waiting", "channel") == {"control": 0, "oops": 0, "direct": 0}
        finally:
            release.set()
            first.join()


def test_while_changes_wait_for_the_disk_the_outbox_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_fleet(chat=RecordingChat()) as fleet:
        monkeypatch.setattr(type(fleet.journal), "oldest_age", 7.0)
        monkeypatch.delattr(type(fleet.store), "waiting_by_channel")
        shown = Scrape.of(Metrics(fleet))
        assert shown.value("mac_journal_oldest_age_seconds") == 7
        assert shown.by("mac_notices_waiting", "channel") == {"control": 0, "oops": 0, "direct": 0}


def test_an_outbox_that_cannot_be_read_leaves_all_other_numbers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Store) -> None:
        raise StorageError("cannot read the outbox: disk I/O error")

    with open_fleet(chat=RecordingChat()) as fleet:
        monkeypatch.setattr(Store, "waiting_by_channel", fail)
        assert Scrape.of(Metrics(fleet)).value("user_count") == 4
        assert "disk I/O error" in caplog.text


@pytest.mark.actor_dies
def test_restarts_of_actors_are_counted_by_kind(fleet: MachineFleet) -> None:
    metrics = Metrics(fleet)
    fleet.supervisor.refs["router"].tell("no event at all")
    wait_until(lambda: fleet.restarts["machine"] == 1)
    assert Scrape.of(metrics).by("mac_actor_restarts_total", "kind") == {
        "machine": 1,
        "journal": 0,
        "publisher": 0,
        "poker": 0,
    }


def test_two_servers_in_one_process_count_for_themselves(
    server: Running, make_server: MakeServer, fleet: MachineFleet
) -> None:
    server.outputs("router")
    assert Scrape.of(Metrics(fleet)).value("mac_report_duration_seconds_count") == 0
    assert scrape(server).value("mac_report_duration_seconds_count") == 1
