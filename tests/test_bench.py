"""The comparison of ``make bench`` runs, at a small size."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from benchmarks.bench import Table
from tests.e2e.processes import untraced
from tests.postgres import needs_postgres


@pytest.mark.skipif(
    shutil.which("wrk") is None and "CI" not in os.environ,
    reason="wrk is not on this computer (Debian: apt install wrk)",
)
@pytest.mark.timeout(300)
def test_the_comparison_runs_and_measures_every_row() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", "--small"],
        env=untraced(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    for row in (
        "constant",
        "bare cheroot",
        "heartbeats",
        "signed heartbeats",
        "durable transitions",
        "memory",
        "start",
    ):
        assert any(line.startswith(row) for line in done.stdout.splitlines()), done.stdout
    assert "50 readers at once" in done.stdout


@needs_postgres
@pytest.mark.timeout(300)
def test_the_figures_of_a_cell_are_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cell", "--small"],
        env=untraced(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    for row in ("passed on, p99", "killed, lease 1 s", "SIGTERM, lease 1 s", "cluster release", "the database hangs"):
        assert any(line.startswith(row) for line in done.stdout.splitlines()), done.stdout


def test_the_chart_has_a_bar_for_each_share() -> None:
    table = Table(shares={"constant": 1.0, "heartbeats": 1.5})
    assert table.chart().count("<rect") == 2
