"""Makes the Grafana dashboard from the metric definitions: ``python etc/grafana/generate.py``.

It writes ``mac-actors.json`` beside itself. Each metric in an expression is looked up in the table of metrics, whose
help texts become the panels' descriptions. The types are those of Grafana 10.1, so 10.1 and all later ones load it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    TableSortByFieldState,
    VizLegendOptions,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from mac_actors.web.metrics import table
from mac_actors.web.metrics.table import MACHINE_GAUGES, TABLE

FILE = Path(__file__).with_name("mac-actors.json")
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
ONE = '{display_name=~"$machine"}'
"""Picks the machines that are chosen at the top of the dashboard."""

OF_SERVER = "Of the server's process."
HELP = {metric.name: metric.help for metric in TABLE}
STATES = {"0": ("idle", "green"), "1": ("in use", "blue"), "2": ("offline", "text")}
STATES |= {"3": ("oopsed", "red"), "4": ("locked out", "orange")}


def gauge(name: str) -> str:
    """Return a gauge of the chosen machines; raises ``KeyError`` if there is no such one."""
    return {metric.name: f"{metric.name}{ONE}" for metric in MACHINE_GAUGES}[name]


IN_USE, ONLINE = gauge("mac_machine_in_use"), gauge("mac_machine_online")
OOPSED, LOCKED = gauge("machine_oops_state"), gauge("machine_lockout_state")
STATE = f"(4 * {LOCKED} > 0) or (3 * {OOPSED} > 0) or (2 * ({ONLINE} == bool 0) > 0) or 1 * {IN_USE}"
"""A machine's state as a number, the first that fits: locked out, oopsed, offline, in use or idle. (The ``1 *`` takes
the metric's name away, so that all are one series.)"""


def query(expression: str, legend: str = "", *, now: bool = False, as_table: bool = False) -> prometheus.Dataquery:
    """Return a query; ``now``: its value at this moment alone."""
    made = prometheus.Dataquery().expr(expression).legend_format(legend or "__auto")
    made = made.instant() if now else made.range()
    return made.format(PromQueryFormat.TABLE) if as_table else made


def panel(
    kind: Any, title: str, queries: list[prometheus.Dataquery], width: int, height: int = 8, *, note: str = ""
) -> Any:
    """Return a panel, described by the help texts of the metrics in it."""
    expressions = " ".join(each.build().expr for each in queries)
    words = [
        word if word in HELP else re.sub("_(bucket|count|sum)$", "", word) for word in re.findall(r"\w+", expressions)
    ]
    helps = [f"{word}: {HELP[word]}" for word in dict.fromkeys(words) if word in HELP]
    made = kind().title(title).description("\n\n".join([*([note] if note else []), *helps])).datasource(SOURCE)
    for letter, each in zip("ABCDEFGH", queries, strict=False):
        made = made.with_target(each.ref_id(letter).datasource(SOURCE))
    return made.span(width).height(height)


def number(
    title: str, expression: str, color: str, *, width: int = 4, unit: str = "short", bad: float | None = None
) -> Any:
    """Return a panel with one large number; from ``bad`` on it is red."""
    steps = [models.Threshold(value=None, color=color)]
    if bad is not None:
        steps.append(models.Threshold(value=bad, color="red"))
    made = panel(stat.Panel, title, [query(expression, now=True)], width, 4)
    made = made.reduce_options(ReduceDataOptions().calcs(["lastNotNull"])).unit(unit)
    return made.thresholds(dashboard.ThresholdsConfig().steps(steps)).graph_mode(looks.BigValueGraphMode.NONE)


def lines(title: str, queries: list[prometheus.Dataquery], unit: str, *, width: int = 8, note: str = "") -> Any:
    """Return a panel with lines over time."""
    legend = (
        VizLegendOptions()
        .display_mode(looks.LegendDisplayMode.LIST)
        .show_legend(True)
        .placement(looks.LegendPlacement.BOTTOM)
    )
    made = panel(timeseries.Panel, title, queries, width, note=note).unit(unit).legend(legend)
    return made.fill_opacity(8).show_points(looks.VisibilityMode.NEVER)


def bars(title: str, queries: list[prometheus.Dataquery], *, width: int = 8, note: str = "") -> Any:
    """Return a panel with stacked bars over time."""
    made = lines(title, queries, "short", width=width, note=note).draw_style(looks.GraphDrawStyle.BARS).fill_opacity(80)
    return made.stacking(StackingConfig().mode(looks.StackingMode.NORMAL)).min(0).decimals(0)


def yes_or_no() -> list[models.ValueMapping]:
    """Return words and colours for 0 and 1."""
    no, yes = (models.ValueMappingResult(text=text, color=color) for text, color in (("no", "red"), ("yes", "green")))
    return [models.ValueMap(options={"0": no, "1": yes})]


def states() -> list[models.ValueMapping]:
    """Return what the numbers of :data:`STATE` are called, and their colours."""
    named = enumerate(STATES.items())
    options = {value: models.ValueMappingResult(text=text, color=color, index=i) for i, (value, (text, color)) in named}
    return [models.ValueMap(options=options)]


def machines_now() -> Any:
    """Return the table of all machines, the broken ones first."""
    hidden = dict.fromkeys(("Time", "instance", "job", "machine_name"), True)
    columns = {"display_name": "Machine", "Value": "State"}
    organize = {"excludeByName": hidden, "indexByName": {"display_name": 0, "Value": 1}, "renameByName": columns}
    made = panel(tables.Panel, "Machines now", [query(STATE, now=True, as_table=True)], 8, 12)
    made = made.mappings(states()).with_transformation(
        models.DataTransformerConfig(id_val="organize", options=organize)
    )
    colored = models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background"})
    made = made.override_by_name("State", [colored])
    return made.sort_by([TableSortByFieldState().display_name("State").desc(True)])


def machines_then() -> Any:
    """Return the states of all machines over time."""
    made = panel(statetimeline.Panel, "Machines over time", [query(STATE, "{{display_name}}")], 16, 12)
    return made.mappings(states()).merge_values(True).show_value(looks.VisibilityMode.NEVER).row_height(0.9)


def hours_in_use() -> Any:
    """Return how long each machine was in use, the busiest first."""
    hours = f"sort_desc(topk(20, avg_over_time({IN_USE}[$__range]) * $__range_s / 3600 > 0))"
    made = panel(
        bargauge.Panel,
        "Hours in use, in this range",
        [query(hours, "{{display_name}}", now=True)],
        8,
        note="The busiest 20.",
    )
    made = made.reduce_options(ReduceDataOptions().calcs(["lastNotNull"])).unit("h").decimals(1).min(0)
    return made.orientation(looks.VizOrientation.HORIZONTAL).display_mode(looks.BarGaugeDisplayMode.BASIC)


def quantile(share: float, metric: table.Metric = table.REPORT_SECONDS, over: str = "$__rate_interval") -> str:
    """Return the seconds that this share of a histogram stays below."""
    return f"histogram_quantile({share}, sum by (le) (rate({metric.name}_bucket[{over}])))"


def hourly(metric: table.Metric, label: str) -> prometheus.Dataquery:
    """Return how much a counter grew in the hour before, by one of its labels; what did not happen is left out."""
    return query(f"sum by ({label}) (increase({metric.name}[1h])) > 0", f"{{{{{label}}}}}")


ROWS: list[tuple[str, list[Any]]] = [
    (
        "The shop",
        [
            number("In use", f"sum({IN_USE})", "blue"),
            number("Oopsed", f"sum({OOPSED})", "green", bad=1),
            number("Locked out", f"sum({LOCKED})", "green", bad=1),
            number("Offline", f"sum({ONLINE} == bool 0)", "green", bad=1),
            number(
                "Longest oops",
                f"max(time() - {gauge('mac_machine_oopsed_since_timestamp_seconds')}) or vector(0)",
                "green",
                unit="s",
                bad=7 * 86400,
            ),
            number("Machines", f"count({ONLINE})", "text"),
            machines_now(),
            machines_then(),
        ],
    ),
    (
        "Sessions and refusals",
        [
            bars(
                "Sessions started, per hour",
                [query(f'sum(increase({table.TRANSITIONS.name}{{kind="session_started"}}[1h]))', "sessions")],
            ),
            bars("Refused logins, per hour", [hourly(table.REFUSED_LOGINS, "reason")]),
            hours_in_use(),
            bars("Events, per hour", [hourly(table.TRANSITIONS, "kind")], width=12),
            bars(
                "Refused requests, per hour",
                [hourly(table.REFUSED_REQUESTS, "reason")],
                width=12,
                note="A reader without the right token shows as token; then it can't be stopped from the server.",
            ),
        ],
    ),
    (
        "Readers",
        [
            lines("WiFi signal", [query(gauge("machine_wifi_signal_db"), "{{display_name}}")], "dBm"),
            lines(
                "Temperature of the chip", [query(gauge("machine_esp_temperature_c"), "{{display_name}}")], "celsius"
            ),
            lines(
                "Uptime",
                [query(gauge("machine_uptime_seconds"), "{{display_name}}")],
                "s",
                note="A line that falls to 0 again and again is a reader with a bad supply.",
            ),
            lines(
                "Time since the last report",
                [query(f"time() - {gauge('machine_last_checkin_timestamp')}", "{{display_name}}")],
                "s",
                width=12,
                note="Below 10 s when all is well.",
            ),
            lines("Current", [query(gauge("machine_current_amps"), "{{display_name}}")], "amp", width=12),
            lines(
                "From a command to the reader's next report",
                [
                    query(quantile(share, table.OBEYED_SECONDS, "1h"), label)
                    for share, label in ((0.5, "half below"), (0.99, "99 % below"))
                ],
                "s",
                width=12,
                note="Far below a second where readers take pokes.",
            ),
            bars(
                "Pokes, per hour",
                [
                    query(f"increase({metric.name}[1h])", word)
                    for metric, word in ((table.POKES_SENT, "sent"), (table.POKES_ANSWERED, "answered"))
                ],
                width=12,
            ),
        ],
    ),
    (
        "The server",
        [
            lines(
                "Answers to reports",
                [query(quantile(0.5), "half below"), query(quantile(0.99), "99 % below")],
                "s",
                note="Readers wait for it.",
            ),
            lines(
                "Reports per second",
                [query(f"sum(rate({table.REPORT_SECONDS.name}_count[$__rate_interval]))", "reports")],
                "reqps",
            ),
            lines(
                "Writing to the disk",
                [
                    query(
                        f"rate({table.COMMITS.name}_sum[$__rate_interval]) / "
                        f"(rate({table.COMMITS.name}_count[$__rate_interval]) > 0)",
                        "a transaction",
                    ),
                    query(table.JOURNAL_AGE.name, "oldest that waits"),
                ],
                "s",
            ),
            bars(
                "Answered before it was on disk, per hour",
                [query(f"increase({table.OVER_BUDGET.name}[1h])", "over budget")],
            ),
            lines("Waiting for the disk", [query(table.JOURNAL_DEPTH.name, "records")], "short"),
            bars("Actors restarted, per hour", [hourly(table.RESTARTS, "kind")]),
            lines(
                "Notices in the outbox",
                [query(table.NOTICES_WAITING.name, "{{channel}}")],
                "short",
                note="Empty without Slack and webhooks.",
            ),
            lines("Age of the oldest notice", [query(table.NOTICES_AGE.name, "{{channel}}")], "s"),
            bars(
                "Notices, per hour",
                [
                    query(f"sum(increase({table.NOTICES_SENT.name}[1h]))", "sent"),
                    query(f"sum(increase({table.NOTICES_RETRIED.name}[1h]))", "tried again"),
                    query(f"sum(increase({table.NOTICES_GIVEN_UP.name}[1h]))", "given up"),
                ],
            ),
            lines(
                "Memory",
                [query("process_resident_memory_bytes", "{{instance}}")],
                "bytes",
                width=12,
                note=OF_SERVER,
            ),
            lines(
                "Processor",
                [query("rate(process_cpu_seconds_total[$__rate_interval])", "of a core")],
                "percentunit",
                width=12,
                note=OF_SERVER,
            ),
            number("Running for", f"time() - max({table.STARTED.name})", "green", unit="s"),
            number("Slack connected", f"min({table.SLACK.name})", "green").mappings(yes_or_no()).no_value("not set up"),
            number("Users", f"max({table.USERS.name})", "text"),
            number("Fobs", f"max({table.FOBS.name})", "text"),
            number("Age of the users file", f"time() - max({table.USERS_WRITTEN.name})", "text", unit="s"),
            number("Records lost", f"max({table.JOURNAL_LOST.name})", "green", bad=1),
        ],
    ),
]


def build() -> str:
    """Return the dashboard's JSON."""
    made = (
        dashboard.Dashboard("mac-actors")
        .uid("mac-actors")
        .description("Machines, sessions, readers and the server of a makerspace. Made by etc/grafana/generate.py.")
        .tags(["makerspace"])
        .timezone("browser")
        .time("now-24h", "now")
        .refresh("30s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("machine")
            .label("Machine")
            .datasource(SOURCE)
            .query(f"label_values({MACHINE_GAUGES[0].name}, display_name)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(models.VariableOption(selected=True, text="All", value="$__all"))
        )
    )
    for title, panels in ROWS:
        made = made.with_row(dashboard.Row(title))
        for each in panels:
            made = made.with_panel(each)
    built = made.build()
    for identity, each in enumerate(built.panels or [], 1):
        each.id_val = identity
    return json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(built)), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(build(), encoding="utf-8")
