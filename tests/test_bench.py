"""The comparisons that ``make bench`` runs, at a small size."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from benchmarks.table import bars, curves
from tests.e2e.processes import untraced
from tests.postgres import needs_postgres

needs_tools = pytest.mark.skipif(
    (shutil.which("wrk") is None or shutil.which("cc") is None) and "CI" not in os.environ,
    reason="wrk or cc is not on this computer (Debian: apt install wrk gcc libc6-dev)",
)

GOALS = [
    "mac-actors --version",
    "mac-actors health",
    "start, ",
    "constant",
    "bare cheroot",
    "heartbeats, ",
    "signed heartbeats",
    "durable transitions",
    "PostgreSQL: durable transitions",
    "PostgreSQL with a synchronous standby",
    "memory after load",
    "heartbeats kept, 10 → 50 machines",
    "50 reports a second, one of ten a change",
    "20 reports a second beside 64 silent",
    "50 readers at once",
    "a scrape of /metrics",
    "Slack's status",
    "Slack's command acknowledged",
    "50 reports a second, the disk hangs",
    "kill -9 under load",
]
"""What the rows of the table begin with."""


def run(module: str, *options: str) -> list[str]:
    """Run a comparison at its small size; returns the lines that it has printed."""
    command = [sys.executable, "-m", f"benchmarks.{module}", "--small", *options]
    env = untraced(os.environ)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def missing(rows: list[str], printed: list[str]) -> list[str]:
    return [row for row in rows if not any(line.startswith(row) for line in printed)]


GROWTH = [
    "20 machines",
    "10 users",
    "1,000 lines in the journal",
    "5 open boards",
    "100 waiting notices",
    "Raspberry Pi 3, computed",
]


@needs_tools
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("options", "rows"), [([], GOALS), pytest.param(["--growth"], GROWTH, marks=pytest.mark.nightly)]
)
def test_the_comparison_runs_and_measures_every_row(options: list[str], rows: list[str]) -> None:
    assert missing(rows, run("bench", *options)) == []


@needs_postgres
@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_the_figures_of_a_cell_are_measured() -> None:
    rows = ["passed on, p99", "killed, lease 1 s", "SIGTERM, lease 1 s", "cluster release", "the database hangs"]
    assert missing(rows, run("cell")) == []


def test_the_chart_has_a_bar_for_each_share() -> None:
    assert bars({"constant": 1.0, "heartbeats": 1.5}).count("<rect") == 3, "and what is behind them"


@pytest.mark.parametrize("sizes", [[10, 100, 1000], [0, 100, 1000], [0, 5], [7]])
def test_a_curve_has_a_point_for_each_size_within_the_picture(sizes: list[int]) -> None:
    chart = curves("machines", sizes, {"start": [0.1, 0.2, 9.0][: len(sizes)], "rate": [0.0, 1.0, 2.0][: len(sizes)]})
    assert chart.count("<polyline") == 2
    for line in chart.split('points="')[1:]:
        points = [tuple(map(float, point.split(","))) for point in line.split('"')[0].split()]
        assert len(points) == len(sizes)
        assert all(0 <= x <= 680 and 0 <= y <= 300 for x, y in points)
