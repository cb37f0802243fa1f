"""What Prometheus makes of our metrics, our alert rules and our dashboard."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml  # type: ignore[import-untyped]
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from mac_actors.web.metrics.table import TABLE
from tests.e2e.processes import PATIENCE, ROOT, ServerProcess
from tests.e2e.prometheus import ETC, Prometheus, needs_prometheus, promtool
from tests.e2e.test_slack_process import variables
from tests.slack.standin.workspace import Workspace
from tests.web.metrics.scrape import Scrape

GRAFANA = ROOT / "etc/grafana"
DASHBOARD = json.loads((GRAFANA / "mac-actors.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ETC / "mac-actors.rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
ALERTS = [rule for rule in RULES if "alert" in rule]

KNOWN_FINDINGS = {
    f'{name} non-histogram and non-summary metrics should not have "_count" suffix'
    for name in ("user_count", "fob_count")
}
"""Names in the field that are not as Prometheus wants them, and that are kept for the dashboards there."""

NEVER_IN_A_TEST = {"Actors restarted, per hour"}
"""Panels that are empty when all is well."""


class Panel(NamedTuple):
    """A panel's title and one of its expressions, with the variables filled in."""

    title: str
    expression: str
    instant: bool


def _panels() -> list[Panel]:
    variables = {"$machine": ".*", "$__rate_interval": "1m", "$__range_s": "3600", "$__range": "1h"}
    found = []
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in variables.items():
                expression = expression.replace(variable, value)
            assert "$" not in expression
            found.append(Panel(panel["title"], expression, target["instant"]))
    return found


PANELS = _panels()


def names_in(expression: str) -> set[str]:
    """The metrics in an expression."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|on)\s*\([^)]*\)", "", expression)
    functions = {"avg_over_time", "sort_desc", "histogram_quantile"}
    return set(re.findall(r"\b(?:[a-z]+_[a-z_]+|mac:[a-z_:]+|up)\b", bare)) - functions


@dataclass
class Shop:
    """A server with Slack, and a way to scrape it."""

    server: ServerProcess
    directory: Path

    def scrape(self) -> Scrape:
        """Scrape it as it is now."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/metrics")
            return Scrape(connection.getresponse().read())
        finally:
            connection.close()


def _things_happen(server: ServerProcess) -> None:
    """A session on one machine, another one that goes on, a refused fob, an oops, a wrong path."""
    for name in ("table-saw", "co2-laser", "metal-mill"):
        server.report(name)
    server.report("table-saw", "1000002")
    server.report("table-saw")
    server.report("co2-laser", "666")
    body = {"machine_name": "metal-mill", "oops": False, "rfid_value": "1000001", "uptime": 100.5}
    sensors = {"wifi_signal_db": -61, "wifi_signal_percent": 78, "internal_temperature_c": 53.3, "amps": 4.2}
    assert server.call("POST", "/api/machine/update", body | sensors)[0] == 200
    assert server.call("POST", "/api/machine/oops/wood-lathe", {"reason": "belt"})[0] == 200
    assert server.call("GET", "/nothing")[0] == 404


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("prometheus")
    with Workspace() as workspace, ServerProcess(directory, **variables(workspace)) as server:
        workspace.wait_connected()
        _things_happen(server)
        yield Shop(server, directory)


@pytest.fixture(scope="module")
def prometheus(shop: Shop) -> Iterator[Prometheus]:
    """A Prometheus that has seen things happen."""
    with Prometheus(shop.directory, shop.server.port) as prometheus:
        _things_happen(shop.server)
        prometheus.wait_for('increase(mac_transitions_total{kind="session_started"}[1m]) > 1')
        prometheus.wait_for("sum(increase(mac_refused_requests_total[1m])) > 0")
        prometheus.wait_for("sum(increase(mac_notices_sent_total[1m])) > 1")
        prometheus.wait_for("mac_slack_connected == 1")
        yield prometheus


# --- metrics ------------------------------------------------------------------------------------------


@needs_prometheus
def test_promtool_finds_no_fault_in_a_live_scrape_but_the_names_from_the_field(shop: Shop) -> None:
    done = promtool("check", "metrics", text=shop.scrape().text)
    assert done.stdout == ""
    assert set(done.stderr.splitlines()) == KNOWN_FINDINGS
    assert done.returncode == 3  # findings, and no error


@needs_prometheus
def test_prometheus_reads_all_that_is_served(shop: Shop, prometheus: Prometheus) -> None:
    [(_, samples)] = prometheus.query('scrape_samples_scraped{job="mac-actors"}')
    assert samples == len(shop.scrape().samples)
    metadata = prometheus.get("metadata")
    for metric in TABLE:
        name = metric.name.removesuffix("_total").removesuffix("_info")  # Prometheus asks for OpenMetrics
        assert [(known["type"], known["help"]) for known in metadata[name]] == [(metric.kind, metric.help)]


# --- alert rules --------------------------------------------------------------------------------------


@needs_prometheus
def test_promtool_finds_no_fault_in_the_rules_and_the_sample_configuration() -> None:
    for done in (
        promtool("check", "rules", ETC / "mac-actors.rules.yml"),
        promtool("check", "config", ETC / "prometheus.yml"),
    ):
        assert done.returncode == 0, done.stderr
        assert "11 rules found" in done.stdout


@needs_prometheus
def test_each_alert_fires_and_is_silent_as_its_tests_say() -> None:
    done = promtool("test", "rules", ETC / "mac-actors.tests.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_shown_firing_and_not_firing() -> None:
    tests = yaml.safe_load((ETC / "mac-actors.tests.yml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in ALERTS}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


@needs_prometheus
def test_prometheus_evaluates_every_rule(prometheus: Prometheus) -> None:
    def evaluated() -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = prometheus.get("rules")["groups"][0]["rules"]
        return rules if all(rule["health"] != "unknown" for rule in rules) else []

    prometheus.wait_for("up", lambda _: evaluated())
    assert {rule["name"]: (rule["health"], rule.get("lastError", "")) for rule in evaluated()} == {
        rule.get("alert") or rule["record"]: ("ok", "") for rule in RULES
    }
    assert prometheus.query("ALERTS") == []


def test_rules_ask_for_nothing_that_is_not_there(shop: Shop) -> None:
    there = {name for name, _ in shop.scrape().samples} | {"up", *(rule.get("record", "") for rule in RULES)}
    for rule in RULES:
        assert names_in(rule["expr"]) <= there, rule
        assert names_in(rule["expr"]), rule


def test_the_documentation_says_what_to_do_at_each_alert() -> None:
    page = (ROOT / "docs/monitoring.rst").read_text(encoding="utf-8")
    headings = re.findall(r"^(Mac\w+)\n~{3,}$", page, flags=re.MULTILINE)
    assert headings == [rule["alert"] for rule in ALERTS]
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/monitoring.rst#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"warning", "critical"}


# --- dashboard ----------------------------------------------------------------------------------------


def test_the_dashboard_is_what_the_script_makes() -> None:
    build = runpy.run_path(str(GRAFANA / "generate.py"))["build"]
    assert (GRAFANA / "mac-actors.json").read_text(encoding="utf-8") == build(), "run: python etc/grafana/generate.py"


def test_grafanas_own_types_read_the_dashboard_back_whole() -> None:
    again = JSONEncoder(sort_keys=True).encode(Dashboard.from_json(DASHBOARD))
    assert json.loads(again) == DASHBOARD


def test_panels_have_a_place_and_a_number_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


@pytest.mark.parametrize("panel", PANELS, ids=[f"{panel.title}: {panel.expression[:40]}" for panel in PANELS])
def test_a_panel_asks_for_nothing_that_is_not_there(shop: Shop, panel: Panel) -> None:
    names = names_in(panel.expression)
    assert names
    assert names <= {name for name, _ in shop.scrape().samples}


@needs_prometheus
def test_prometheus_answers_every_panel_with_data(prometheus: Prometheus) -> None:
    empty = set()
    for panel in PANELS:
        ask: Callable[[str], list[Any]] = prometheus.query if panel.instant else prometheus.over_time
        if not ask(panel.expression):
            empty.add(panel.title)
    assert empty <= NEVER_IN_A_TEST


@needs_prometheus
def test_each_machine_is_one_line_of_the_states_whatever_happens_to_it(prometheus: Prometheus) -> None:
    states = {panel.title: panel for panel in PANELS}
    lines = prometheus.over_time(states["Machines over time"].expression)
    machines = [labels["machine_name"] for labels in lines]
    assert len(machines) == len(set(machines)) == 8
    now = {labels["machine_name"]: value for labels, value in prometheus.query(states["Machines now"].expression)}
    assert {name: now[name] for name in ("metal-mill", "table-saw", "wood-lathe", "welder")} == {
        "metal-mill": 1,
        "table-saw": 0,
        "wood-lathe": 3,
        "welder": 2,
    }


def test_the_reference_to_a_metric_that_does_not_exist_is_found() -> None:
    assert names_in("sum by (kind) (rate(mac_made_up_total{machine_name=~'x'}[5m])) or up") == {
        "mac_made_up_total",
        "up",
    }
    generator = runpy.run_path(str(GRAFANA / "generate.py"))
    with pytest.raises(KeyError):
        generator["gauge"]("machine_made_up")
