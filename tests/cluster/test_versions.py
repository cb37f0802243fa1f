"""Two versions side by side: what the older one does with the tables of the newer one, and an upgrade under load."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cluster.loaded import LoadedCell
from tests.fakes import wait_until
from tests.faults.load import SPARE, fob
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres

NEWER = [
    sys.executable,
    "-c",
    """
from mac_actors.storage.postgres import migrations
from mac_actors.slack.gateway import SlackChat
SlackChat.seconds_per_post = 0.05
step = "ALTER TABLE machine_state ADD COLUMN later text; CREATE TABLE later (id bigint PRIMARY KEY)"
migrations.MIGRATIONS = {**migrations.MIGRATIONS, "0002_later": step}
from mac_actors.cli import main
main(prog_name="mac-actors")
""",
]
"""The same program with one more step of its tables."""


@pytest.mark.timeout(300)
def test_a_cell_is_upgraded_server_by_server_and_the_older_version_owns_nothing_of_the_newer(tmp_path: Path) -> None:
    postgres = Cluster()
    cell = LoadedCell(tmp_path, postgres.tcp_url(postgres.create_with_tables()))
    try:
        a = cell.start("a")
        wait_until(lambda: cell.row()[1] == cell.url("a"))
        b = cell.start("b")
        wait_until(lambda: not cell.row()[2])
        cell.load.start()
        cell.sample()
        cell.wait_for_answers(2)

        cell.newest = NEWER
        done = cell.command("migrate", command=NEWER)
        assert done.returncode == 0, done.stderr
        cell.wait_for_answers(2)
        assert b.terminate() == 0
        b = cell.start("b", NEWER)
        epoch = cell.row()[0]
        done = cell.command("cluster", "release")
        assert f"{cell.url('b')} owns the machines now, after" in done.stdout, done
        cell.wait_for_owner("b", epoch)
        errors = [one for one in cell.ledger.troubles if one.what.startswith("report") and one.status is not None]
        assert errors == []

        # The older one passes on, holds, and does no more.
        wait_until(lambda: a.call("GET", "/healthz?serving")[0] == 200)
        assert a.machine(SPARE[0])["alias"] == SPARE[0].title()
        b.kill()
        cell.undurable_is_lost()
        wait_until(lambda: a.call("GET", "/readyz")[0] == 503)
        assert "the database is that of a newer mac-actors (it has 0002_later)" in str(a.call("GET", "/readyz")[1])
        wait_until(lambda: cell.status()["beat_seconds_ago"] > 3)
        assert cell.row()[0] == epoch + 1
        wait_until(lambda: a.call("GET", "/healthz?serving")[0] == 503)
        assert a.report(SPARE[0], fob("1", 1), 100.0)["relay"] is False

        cell.start("b", NEWER)
        cell.wait_for_owner("b", epoch + 1)
        assert a.terminate() == 0
        cell.start("a", NEWER)
        cell.wait_for_answers(2)
        assert cell.audit() == []
    finally:
        cell.end()
        postgres.remove()
