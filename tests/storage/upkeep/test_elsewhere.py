"""A shop moves to PostgreSQL and back, is backed up from there and restored to there: nothing is lost or changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mac_actors.core.notices import Channel, Notice, ThreadKey
from mac_actors.errors import StorageError
from mac_actors.storage.codec import timestamp
from mac_actors.storage.postgres.database import migrate
from mac_actors.storage.records import Record, SlackLink, Thread
from mac_actors.storage.schema import metadata
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep import elsewhere
from mac_actors.storage.upkeep.verify import verify
from tests.fakes import ANN, BOB, open_fleet, report, written
from tests.places import Place
from tests.postgres import needs_postgres

pytestmark = needs_postgres

NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)


def fill_shop(store: Store) -> None:
    """Have something in every table."""
    at = timestamp(NOW)
    login = {"name": "Tina", "token": "t", "at": at, "by": None}
    session = {"id": "s", "key": "k", "role": "admin", "name": None, "account_id": "1", "at": at, "used_at": at}
    keys = {"key": "00" * 32, "since": at, "used_since": None, "new_key": None, "new_since": None}
    odd = Notice(Channel.CONTROL, "tab\t back\\slash \\N Größe \U0001f986\nnew line")
    with open_fleet(store) as fleet:
        report(fleet, "metal-mill", ANN)
        report(fleet, "laser", BOB)
        report(fleet, "router", oops=True)
        fleet.users.authorize("2", "mill")
        fleet.journal.record(
            Record(
                threads=(Thread(ThreadKey("laser", "oops", NOW), "oops", "1.5", unsettled=True),),
                put=(("admin", login), ("board_session", session)),
                notices=((NOW, odd),),
                seen=("E1", NOW),
                links=(SlackLink("U1", "1", "admin", NOW),),
                wait=(("laser", "U1", NOW),),
                notes=(("retention", "{}"),),
                keys=(("laser", keys),),
            )
        )
        written(fleet)


def content(place: Path | str) -> dict[str, list[Any]]:
    """Return all rows of all tables but that of the migrations."""
    connection = sqlite3.connect(place / DATABASE) if isinstance(place, Path) else psycopg.connect(place)
    with closing(connection):
        return {
            name: sorted(connection.execute(f"SELECT {', '.join(_quoted(table))} FROM {name}").fetchall(), key=repr)
            for name, table in metadata.tables.items()
            if name != "migration"
        }


def _quoted(table: Any) -> list[str]:
    return [f'"{column.name}"' for column in table.columns]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    fill_shop(Store.open(tmp_path / "box"))
    return tmp_path / "box"


@pytest.fixture
def other(empty_database: str) -> str:
    migrate(empty_database)
    return empty_database


def test_a_shop_moves_to_postgresql_and_back(shop: Path, database: str, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    before = content(shop)
    assert all(before.values()), before
    elsewhere.copy_to(database, shop, lambda done, total: steps.append((done, total)))
    assert content(database) == content(shop) == before
    assert steps[-1] == (sum(map(len, before.values())),) * 2
    elsewhere.copy_from(database, tmp_path / "back")
    assert content(tmp_path / "back") == before
    found: list[str] = []
    verify(tmp_path / "back", found.append)
    assert found == []
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == ["lock", DATABASE]


def test_ids_go_on_where_they_were(shop: Path, database: str) -> None:
    elsewhere.copy_to(database, shop)
    with closing(Place(database).open(Store)) as store:
        last = store.last_line()
        with open_fleet(store) as fleet:
            report(fleet, "router", ANN)
            written(fleet)
            assert store.last_line() > last


def test_nothing_is_copied_over_something(shop: Path, database: str, tmp_path: Path) -> None:
    fill_shop(Place(database).open(Store))
    before = content(database)
    with pytest.raises(StorageError, match=r"is not empty: there is something in .*journal.* Nothing was changed"):
        elsewhere.copy_to(database, shop)
    assert content(database) == before
    with pytest.raises(StorageError, match=r"mac.sqlite3 is there already"):
        elsewhere.copy_from(database, shop)
    with pytest.raises(StorageError, match="there is no database in"):
        elsewhere.copy_to(database, tmp_path / "nothing")


def test_a_copy_that_fails_leaves_nothing_behind(shop: Path, database: str) -> None:
    with closing(sqlite3.connect(shop / DATABASE)) as connection, connection:
        connection.execute("UPDATE slack_user SET how = ?", ("a\x00b",))
    with pytest.raises(StorageError, match=r"cannot copy .*slack_user.* nothing was changed: .*NUL"):
        elsewhere.copy_to(database, shop)
    assert not any(content(database).values())


def test_a_shop_in_use_is_not_copied(shop: Path, database: str) -> None:
    with closing(Store.open(shop)), pytest.raises(StorageError, match="in use by process"):
        elsewhere.copy_to(database, shop)


def test_a_backup_is_of_one_moment_and_is_a_sqlite_file(database: str, tmp_path: Path) -> None:
    store = Place(database).open(Store)
    fill_shop(store)
    (tmp_path / "box").mkdir()
    file = tmp_path / "box" / DATABASE
    assert elsewhere.backup(database, file) == file.stat().st_size
    assert content(tmp_path / "box") == content(database)
    assert elsewhere.verify_copy(database, pytest.fail).machines == 5
    with pytest.raises(StorageError, match="--force"):
        elsewhere.backup(database, file)
    elsewhere.backup(database, file, force=True)


def test_a_backup_that_fails_leaves_the_former_one(database: str, empty_database: str, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    elsewhere.backup(database, file)
    before = file.read_bytes()
    with pytest.raises(StorageError, match="no tables of mac-actors"):
        elsewhere.backup(empty_database, file, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]
    assert file.read_bytes() == before


def test_a_restore_to_postgresql_ends_the_sessions(shop: Path, database: str, other: str, tmp_path: Path) -> None:
    elsewhere.copy_to(database, shop)
    file = tmp_path / "backup"
    elsewhere.backup(database, file)
    done = elsewhere.restore(other, file)
    assert (done.machines, done.ended) == (5, ("laser", "metal-mill"))
    with closing(Store.open(other)) as store:
        state = store.load_state("metal-mill")
        assert getattr(state, "session", "unreadable") is None
        assert store.reader_keys()
    with pytest.raises(StorageError, match="is not empty"):
        elsewhere.restore(other, file)
    with pytest.raises(StorageError, match="there is no file"):
        elsewhere.restore(other, tmp_path / "nothing")
    (tmp_path / "garbage").write_text("nonsense" * 1000)
    with pytest.raises(StorageError, match="garbage is damaged, or no database"):
        elsewhere.restore(other, tmp_path / "garbage")
