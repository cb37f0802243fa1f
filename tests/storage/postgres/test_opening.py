"""What is said of a database that can't be used: one line, what to do, and never the password."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from mac_actors.core.state import MachineState
from mac_actors.errors import ConfigError, StorageError
from mac_actors.storage.postgres import migrations
from mac_actors.storage.postgres.address import Address, check_server
from mac_actors.storage.postgres.database import PostgresDatabase
from mac_actors.storage.records import Record, record_state
from mac_actors.storage.schema import metadata
from mac_actors.storage.store import Store
from tests.e2e.processes import free_port
from tests.fakes import open_fleet, report, wait_until, written
from tests.places import Place
from tests.postgres import PASSWORD, USER, Cluster, needs_postgres
from tests.storage.test_store import NOW

pytestmark = needs_postgres

PGBOUNCER = "/usr/sbin/pgbouncer"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            f"postgresql://{USER}:{PASSWORD}@127.0.0.1:1/shop",
            "shop at 127.0.0.1: .*refused.* Does PostgreSQL run",
        ),
        (f"postgresql://{USER}:{PASSWORD}-not@127.0.0.1:PORT/DATABASE", "password.* Look at the user and the password"),
        (f"postgresql://{USER}:{PASSWORD}@127.0.0.1:PORT/nothing", '"nothing" does not exist. Make it'),
        ("postgresql://nobody@/DATABASE?host=DIRECTORY&port=PORT", 'role "nobody" does not exist. Look at the user'),
    ],
)
def test_a_database_that_can_not_be_reached_is_said_in_one_line(
    cluster: Cluster, database: str, url: str, said: str
) -> None:
    name = database.partition("@/")[2].partition("?")[0]
    url = url.replace("PORT", str(cluster.port)).replace("DATABASE", name).replace("DIRECTORY", str(cluster.directory))
    with pytest.raises(StorageError, match=said) as refused:
        Store.open(url)
    assert "\n" not in str(refused.value)
    assert PASSWORD not in _everything(refused.value)


@pytest.mark.parametrize("url", ["postgresql://u:se%cret@h/x", "postgresql://u:secret@h:port/x?nonsense=1", "secret"])
def test_an_address_that_is_none_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"MAC_DATABASE can.t be read") as refused:
        Address.parse(url)
    assert "cret" not in _everything(refused.value)


def test_the_password_is_in_no_repr(cluster: Cluster, database: str) -> None:
    with closing(Store.open(cluster.tcp_url(database.partition("@/")[2].partition("?")[0]))) as store:
        store.load_states()
        assert isinstance(store.database, PostgresDatabase)
        shown = f"{store.database.address!r} {store.database.engine!r} {store.database.engine.url!r}"
        assert PASSWORD not in shown
        assert "127.0.0.1" in shown


def _everything(error: BaseException) -> str:
    """Return all that a traceback would show of an error, and of those that it comes from."""
    said = []
    while error:
        said.append(f"{error!r} {error}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)  # type: ignore[assignment]
    return "\n".join(said)


# tables


def test_a_database_without_tables_says_how_to_make_them(empty_database: str) -> None:
    with pytest.raises(StorageError, match="no tables of mac-actors yet: run mac-actors migrate"):
        Store.open(empty_database)


def test_migrations_run_once_and_end_at_the_schema(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        assert migrations.migrate(connection) == list(migrations.MIGRATIONS)
        assert migrations.migrate(connection) == []
        assert list(migrations.MIGRATIONS) == sorted(migrations.MIGRATIONS)
        for table in metadata.tables.values():
            columns = connection.execute(
                "SELECT column_name, is_nullable = 'YES', data_type, collation_name FROM information_schema.columns "
                "WHERE table_name = %s ORDER BY ordinal_position",
                (table.name,),
            ).fetchall()
            assert [(name, nullable) for name, nullable, *_ in columns] == [(c.name, c.nullable) for c in table.columns]
            assert {collation for _, _, kind, collation in columns if kind == "text"} <= {"C"}
            indices = connection.execute("SELECT indexname FROM pg_indexes WHERE tablename = %s", (table.name,))
            assert {name for (name,) in indices} == {f"{table.name}_pkey", *(str(one.name) for one in table.indexes)}


def test_a_step_that_fails_leaves_nothing_behind(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {**migrations.MIGRATIONS, "9998_fails": "CREATE TABLE half (x text); nonsense"}
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        with pytest.raises(StorageError, match="cannot bring the database up to date: syntax error"):
            migrations.migrate(connection)
        assert migrations.applied(connection) == set()


def test_tables_of_an_older_version_are_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", {**migrations.MIGRATIONS, "9998_next": ""})
    with pytest.raises(StorageError, match=r"older mac-actors .*9998_next.*: run mac-actors migrate"):
        Store.open(database)


def test_tables_of_a_newer_version_can_be_read_and_not_owned(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        migrations.migrate(connection)
        connection.execute("INSERT INTO migration VALUES ('9999_future', '2031-01-01')")
        with pytest.raises(StorageError, match=r"newer mac-actors .*9999_future"):
            migrations.migrate(connection)
    with closing(Store.open(empty_database)) as store:
        assert store.load_states() == {}
        with pytest.raises(StorageError, match=r"newer mac-actors .*9999_future.*install that version"):
            store.own(1, "me")


class _Old(psycopg.Connection):
    """Says that it is to another server than it is to."""

    answer: tuple[object, ...]

    def execute(self, *_: object, **__: object) -> psycopg.Cursor:
        return super().execute("SELECT %s::int, %s::text", self.answer)


@pytest.mark.parametrize(
    ("answer", "said"),
    [((140012, "UTF8"), "PostgreSQL 14: mac-actors needs 15"), ((150002, "LATIN1"), "encoding LATIN1: .*UTF8")],
)
def test_a_server_that_will_not_do_is_refused(empty_database: str, answer: tuple[object, ...], said: str) -> None:
    with _Old.connect(empty_database) as connection:
        connection.answer = answer
        with pytest.raises(StorageError, match=said):
            check_server(connection)


# what lies between


@pytest.fixture
def bouncer(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[str]:
    """The address of the database through PgBouncer, where each transaction may be on another connection."""
    directory = cluster.directory / "bouncer"
    port, name = free_port(), database.partition("@/")[2].partition("?")[0]
    directory.mkdir()
    (directory / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={cluster.directory} port={cluster.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {directory}/users\n"
        f"pool_mode = transaction\nserver_reset_query_always = 1\n"
    )
    for path in (directory, *directory.iterdir()):
        path.chmod(0o755)
    process = subprocess.Popen(
        [PGBOUNCER, "-q", str(directory / "pgbouncer.ini")], **cluster.user, cwd="/", stderr=subprocess.DEVNULL
    )
    url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{name}"
    wait_until(lambda: process.poll() is None and _answers(url))
    yield url
    process.terminate()
    process.wait(20)
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.skipif(
    not Path(PGBOUNCER).exists() and "CI" not in os.environ,
    reason="PgBouncer is not on this computer (Debian: apt install pgbouncer)",
)
def test_commits_and_reads_go_through_pgbouncer_in_transaction_mode(bouncer: str) -> None:
    with open_fleet(Place(bouncer).open(Store)) as fleet:
        for _ in range(5):
            report(fleet, "metal-mill", "0001234567")
            report(fleet, "metal-mill")
        written(fleet)
        assert len(fleet.store.page(machine="metal-mill").entries) == 10
        assert fleet.store.load_states()["metal-mill"] == fleet.store.load_state("metal-mill")


def test_two_stores_read_while_one_writes(database: str) -> None:
    with closing(Place(database).open(Store)) as owner, closing(Store.open(database)) as other:
        owner.commit([Record(record_state("m", MachineState(NOW)))])
        assert other.load_states() == {"m": MachineState(NOW)}
        with other.reading("read twice") as connection:
            first = connection.exec_driver_sql("SELECT count(*) FROM machine_state").scalar()
            owner.commit([Record(record_state("n", MachineState(NOW)))])
            assert connection.exec_driver_sql("SELECT count(*) FROM machine_state").scalar() == first == 1
        with pytest.raises(StorageError, match="read-only"), other.reading("write") as connection:
            connection.exec_driver_sql("DELETE FROM machine_state")
