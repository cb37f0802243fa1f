"""The commands on a PostgreSQL database, as they are typed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mac_actors.cluster.owning import open_as_owner
from mac_actors.errors import DirectoryInUse
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage.store import Store
from tests.conftest import Here, write_sample
from tests.e2e.processes import untraced
from tests.fakes import ANN, open_fleet, report, written
from tests.postgres import PASSWORD, Cluster, needs_postgres

pytestmark = needs_postgres

LEASE = {"MAC_LEASE_SECONDS": "1"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop with files and a state directory."""
    settings = write_sample(tmp_path)
    with open_fleet(Store.open(settings.state_dir.with_name("machine_state"))) as fleet:
        _use(fleet)
    return tmp_path


def _use(fleet: MachineFleet) -> None:
    report(fleet, "metal-mill", ANN)
    report(fleet, "router", oops=True)
    written(fleet)


def test_a_shop_is_moved_looked_at_backed_up_and_moved_back(here: Here, shop: Path, cluster: Cluster) -> None:
    name = cluster.create()
    url = cluster.tcp_url(name)
    on_postgres = {"MAC_DATABASE": url, **LEASE}
    try:
        first = here("copy", "--to", cwd=shop, **on_postgres)
        assert (first.returncode, "run mac-actors migrate" in first.stderr) == (1, True), first
        made = here("migrate", cwd=shop, **on_postgres)
        assert made.stdout == f"The database {name} at 127.0.0.1 was brought up to date: 0001_initial.\n", made
        assert here("migrate", cwd=shop, **on_postgres).stdout.endswith("is up to date already.\n")
        moved = here("copy", "--to", cwd=shop, **on_postgres)
        assert (moved.returncode, moved.stderr) == (0, ""), moved
        assert moved.stdout == (
            f"All that is in machine_state is now in the database {name} at 127.0.0.1, too. "
            "Set MAC_DATABASE for the server, and start it.\n"
        )
        again = here("copy", "--to", url, cwd=shop, **LEASE)
        assert (again.returncode, "is not empty" in again.stderr) == (1, True), again
        assert "others on this computer can see the password" in again.stderr
        looked = here("verify", cwd=shop, **on_postgres)
        assert looked.stdout == f"{name} at 127.0.0.1: 5 machines, 3 events; all is well.\n", looked
        assert here("check", cwd=shop, **on_postgres).returncode == 0
        saved = here("backup", "copy.sqlite3", cwd=shop, **on_postgres)
        assert saved.stdout.startswith(f"copy.sqlite3 is a whole copy of the database {name} at 127.0.0.1"), saved
        back = here("copy", "--from", cwd=shop, MACHINE_STATE_DIR="back", **on_postgres)
        assert (back.returncode, "is now in back, too" in back.stdout) == (0, True), back
        assert here("verify", cwd=shop, MACHINE_STATE_DIR="back").stdout == "back: 5 machines, 3 events; all is well.\n"
        said = "".join(one.stdout + one.stderr for one in (first, made, moved, again, looked, saved, back))
        assert PASSWORD not in said
    finally:
        cluster.drop(name)


def test_a_backup_is_restored_to_postgresql(here: Here, shop: Path, database: str) -> None:
    assert here("backup", "copy.sqlite3", cwd=shop).returncode == 0
    done = here("restore", "copy.sqlite3", cwd=shop, MAC_DATABASE=database, **LEASE)
    assert done.returncode == 0, done
    assert "is now the backup copy.sqlite3: 5 machines, 3 events" in done.stdout
    assert "Sessions that ran in the backup are over: metal-mill." in done.stdout


def test_what_a_server_has_is_neither_copied_nor_owned(here: Here, shop: Path, database: str) -> None:
    with closing(open_as_owner(database, 1.0)):
        refused = here("copy", "--from", cwd=shop, MAC_DATABASE=database, MACHINE_STATE_DIR="back", **LEASE)
        assert (refused.returncode, "is in use by another server" in refused.stderr) == (1, True), refused
        with pytest.raises(DirectoryInUse):
            open_as_owner(database, 1.0)
    with closing(open_as_owner(database, 1.0)) as store:
        store.commit([])


def test_the_shell_owns_a_database_that_no_server_has(here: Here, shop: Path, database: str) -> None:
    given = {"MAC_DATABASE": database, **LEASE}
    done = here(
        "shell", "-c", "m.router.oops().get(); print(len(fleet.journal.store.load_states()))", cwd=shop, **given
    )
    assert (done.returncode, done.stdout.strip()) == (0, "5"), done
    copy = here("shell", "--scratch", "-c", "print(fleet.journal.store.last_line())", cwd=shop, **given)
    assert (copy.returncode, copy.stdout.strip()) == (0, "0"), copy


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("copy",), "say --to or --from"),
        (("copy", "--to", "postgresql://x/y", "--from", "postgresql://x/y"), "say --to or --from"),
        (("copy", "--to"), "give the address of the database, or set MAC_DATABASE"),
        (("copy", "--to", "mysql://x/y"), "MAC_DATABASE is no database's address"),
        (("migrate",), "MAC_DATABASE is not set"),
    ],
)
def test_bad_use_says_what_is_right(here: Here, shop: Path, arguments: tuple[str, ...], said: str) -> None:
    done = here(*arguments, cwd=shop)
    assert (done.returncode, said in done.stderr) == (2, True), done


def test_without_the_extra_one_line_says_how_to_install_it(
    here: Here, shop: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith("mac_actors.storage.postgres")]:
        monkeypatch.delitem(sys.modules, module)
    for module in [name for name in sys.modules if name.partition(".")[0].startswith("psycopg")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for command in ("migrate", "verify", "serve"):
        done = here(command, cwd=shop, MAC_DATABASE=database)
        assert done.returncode == 2, done
        assert "pip install 'mac-actors[postgres]'" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_box_needs_no_psycopg(shop: Path) -> None:
    code = """
import sys
sys.modules["psycopg"] = None
import mac_actors.cli.server, mac_actors.cli.storage, mac_actors.cli.shell
from mac_actors import Fleet
with Fleet.open(machines={}, users=[], state=None):
    print("open")
"""
    command, env = [sys.executable, "-c", code], untraced(os.environ)
    done = subprocess.run(command, cwd=shop, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "open\n", done.stderr
