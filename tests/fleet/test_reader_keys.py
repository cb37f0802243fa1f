"""The readers' keys and the disk: a key is shown only once it is there, and nobody is locked out by a restore."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mac_actors.core.config import MachineConfig
from mac_actors.core.signing import sign
from mac_actors.errors import StorageError
from mac_actors.fleet import reader_keys
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.reader_keys import KeyRefused
from mac_actors.storage.records import Record
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.backup import backup, restore
from mac_actors.storage.upkeep.verify import verify
from tests.fakes import RefusingStore, open_fleet, written


def mill(fleet: MachineFleet) -> MachineConfig:
    return fleet.configuration.machines["metal-mill"]


def is_good(fleet: MachineFleet, key: str) -> bool:
    try:
        return fleet.reader_keys.signer("metal-mill", sign(bytes.fromhex(key), b"body"), b"body") is not None
    except KeyRefused:
        return False


def test_a_key_that_is_not_on_disk_is_no_key_then_and_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RefusingStore.open(tmp_path)
    assert isinstance(store, RefusingStore)
    with open_fleet(store) as fleet:
        store.refuse()
        with monkeypatch.context() as soon, pytest.raises(StorageError, match="try again"):
            soon.setattr(reader_keys, "WRITE_SECONDS", 0.05)
            fleet.reader_keys.add(mill(fleet), "")
        assert fleet.reader_keys.get("metal-mill") is None
        store.mend()
        written(fleet)
        assert store.reader_keys() == {}
        key = fleet.reader_keys.add(mill(fleet), "")
        store.refuse()
        monkeypatch.setattr(reader_keys, "WRITE_SECONDS", 0.05)
        for change in (fleet.reader_keys.rotate, fleet.reader_keys.revoke):
            with pytest.raises(StorageError):
                change(mill(fleet), "")
        assert is_good(fleet, key)
        store.mend()
        written(fleet)
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert is_good(fleet, key)
        keys = fleet.reader_keys.get("metal-mill")
        assert keys is not None
        assert keys.new is None


@pytest.mark.parametrize(
    "change", ["key = 'no key'", "key = substr(key, 1, 62)", "since = 'yesterday'", "new_key = key, new_since = NULL"]
)
def test_a_key_that_can_not_be_read_locks_its_reader_out_and_no_other(
    tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        key = fleet.reader_keys.add(mill(fleet), "")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute(f"UPDATE reader_key SET {change}")
    with open_fleet(Store.open(tmp_path)) as fleet:
        with pytest.raises(KeyRefused):
            fleet.reader_keys.signer("metal-mill", None)
        assert not is_good(fleet, key)
        assert fleet.reader_keys.signer("laser", None) is None
        assert is_good(fleet, fleet.reader_keys.rotate(mill(fleet), ""))
    assert "metal-mill" in caplog.text
    assert key not in caplog.text


def test_a_use_that_comes_when_the_key_was_revoked_gives_it_to_nobody(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.reader_keys.add(mill(fleet), "")
        keys = fleet.reader_keys.get("metal-mill")
        assert keys is not None
        fleet.reader_keys.revoke(mill(fleet), "")
        fleet.reader_keys._note_use("metal-mill", keys.key)
        assert not fleet.reader_keys
    with closing(Store.open(tmp_path)) as store:
        assert store.reader_keys() == {}


def test_no_key_is_in_a_record_s_repr_or_said_by_verify(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        key = fleet.reader_keys.add(mill(fleet), "")
    assert key not in repr(Record(keys=(("metal-mill", {"key": key}),)))
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("UPDATE reader_key SET since = key")
    found: list[str] = []
    verify(tmp_path, found.append)
    assert key not in "".join(found)


def test_a_restore_leaves_the_readers_the_keys_that_they_have(tmp_path: Path) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy"
    with open_fleet(Store.open(state)) as fleet:
        laser = fleet.configuration.machines["laser"]
        old = fleet.reader_keys.add(mill(fleet), "")
        stolen = fleet.reader_keys.add(laser, "")
        backup(state, copy)
        new = fleet.reader_keys.rotate(mill(fleet), "")
        assert is_good(fleet, new)
        fleet.reader_keys.revoke(laser, "")
    assert restore(state, copy).old_keys == 0
    with open_fleet(Store.open(state)) as fleet:
        assert is_good(fleet, new)
        assert not is_good(fleet, old)
        assert fleet.reader_keys.get("laser") is None
    assert restore(tmp_path / "new-computer", copy).old_keys == 2
    with open_fleet(Store.open(tmp_path / "new-computer")) as fleet:
        assert is_good(fleet, old)
        assert fleet.reader_keys.signer("laser", sign(bytes.fromhex(stolen), b"x"), b"x")
