"""The users file is written whole or not at all, by whoever, and the server is told."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from mac_actors.errors import ConfigError, MacError
from mac_actors.imports.users.update import Change, Update, compare, present_users, write
from mac_actors.settings.files import users_of
from mac_actors.settings.user_entries import UserEntry
from tests.conftest import Here
from tests.fakes import user
from tests.scripts.shop import serving


def entries(*users: dict[str, Any]) -> list[UserEntry]:
    return users_of(list(users))


ANN = user("1", "Ann Able", ["1000001"], ["mill", "laser"])
BOB = user("2", "Bob Baker", ["2"], [])
EVE = user("3", "Eve Early", ["3", "33"], ["saw"], oops_override=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "users.json"
    path.write_text(json.dumps([ANN, BOB]))
    return path


def planned(path: Path, *new: dict[str, Any], force: bool = False) -> Update:
    before, old = present_users(path, force=force)
    return compare(path, before, old, entries(*new))


# what changes


def test_each_change_is_told_with_what_of_it_and_fobs_by_their_end(path: Path) -> None:
    changed = {
        **ANN,
        "fob_codes": ["55"],
        "authorizations": ["laser", "saw"],
        "email": "x@y",
        "expiration_ymd": "2030-01-01",
    }
    ann, eve = entries(changed, EVE)
    got = planned(path, changed, EVE)
    assert got.changes == (
        Change("removed", entries(BOB)[0], ("−fob …0002",)),
        Change("added", eve, ("+fob …0003", "+fob …0033", "+authorization saw", "oops_override")),
        Change(
            "changed",
            ann,
            (
                *("−fob …0001", "+fob …0055", "−authorization mill", "+authorization saw", "email"),
                "expiration_ymd: 2099-12-31 → 2030-01-01",
            ),
        ),
    )
    assert [got.count(what) for what in ("added", "removed", "changed")] == [1, 1, 1]


def test_the_order_of_users_fobs_and_authorizations_and_zeroes_before_a_fob_are_no_change(path: Path) -> None:
    same = {**ANN, "fob_codes": ["0001000001"], "authorizations": ["laser", "mill"]}
    assert planned(path, BOB, same).changes == ()


def test_a_right_that_comes_or_goes_is_told(path: Path) -> None:
    (change,) = planned(path, {**ANN, "oops_override": True}, BOB).changes
    assert change.details == ("oops_override: nothing → True",)


@pytest.mark.parametrize(
    ("before", "after", "refused"), [(20, 10, False), (20, 9, True), (19, 1, False), (19, 0, True)]
)
def test_a_source_that_has_lost_more_than_half_is_refused(
    tmp_path: Path, before: int, after: int, refused: bool
) -> None:
    everybody = [user(str(n), f"N {n}", [str(n)], []) for n in range(1, before + 1)]
    path = tmp_path / "users.json"
    path.write_text(json.dumps(everybody))
    got = planned(path, *everybody[:after])
    if refused:
        with pytest.raises(MacError, match=f"nothing was changed: {before - after} of {before} users would go"):
            got.refuse_loss()
    else:
        got.refuse_loss()


def test_a_present_file_that_is_not_right_is_replaced_only_with_force(path: Path) -> None:
    path.write_text("[1]")
    with pytest.raises(ConfigError, match="expected an object"):
        present_users(path)
    assert present_users(path, force=True) == (b"[1]", ())
    assert present_users(path.with_name("nothing.json")) == (None, ())
    with pytest.raises(MacError, match="Is a directory"):
        present_users(path.parent)


# how it is written


def test_the_new_file_is_right_and_the_old_one_is_kept(path: Path) -> None:
    before = path.read_bytes()
    path.chmod(0o604)
    kept = write(planned(path, ANN, EVE))
    assert users_of(path) == entries(ANN, EVE)
    assert kept == path.with_name("users.json.previous")
    assert kept.read_bytes() == before
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, kept)] == [0o604, 0o604]
    assert sorted(p.name for p in path.parent.iterdir()) == ["users.json", "users.json.previous"]


def test_a_file_that_was_not_there_is_made_for_its_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    assert write(planned(path, {**ANN, "full_name": "Änn Åble"})) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert "Änn Åble" in path.read_text(encoding="utf-8")


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    write(planned(link, EVE, ANN))
    assert link.is_symlink()
    assert users_of(path) == entries(EVE, ANN)


def test_the_owner_stays_who_it_is(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, 1234, 1235)
    kept = write(planned(path, ANN))
    assert kept
    about = [p.stat() for p in (path, kept)]
    expected = (1234, 1235) if os.geteuid() == 0 else (os.getuid(), path.stat().st_gid)
    assert [(a.st_uid, a.st_gid) for a in about] == [expected] * 2


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_whatever_fails_the_old_file_stays_and_nothing_lies_about(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    update, before = planned(path, EVE, BOB), path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr(os, step, full)
    with pytest.raises(MacError, match=r"No space left on device.*The users file is as it was"):
        write(update)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["users.json"]


def test_what_somebody_else_has_written_meanwhile_is_not_lost(path: Path) -> None:
    update = planned(path, EVE)
    path.write_text(json.dumps([BOB]))
    with pytest.raises(MacError, match="was changed by somebody else meanwhile"):
        write(update)
    assert users_of(path) == entries(BOB)
    path.unlink()
    with pytest.raises(MacError, match="was changed by somebody else meanwhile"):
        write(update)
    assert list(path.parent.iterdir()) == []


def test_a_file_that_the_server_would_not_take_is_never_put_in_place(path: Path) -> None:
    before, old = present_users(path)
    twice = [*entries(ANN), *entries(ANN)]
    with pytest.raises(ConfigError, match="expected an id of its own"):
        write(Update(path, before, old, tuple(twice), ()))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["users.json"]


# the command, beside a server or without one

HEAD = "account_id,full_name,fob_codes,expiration_ymd,authorizations\n"


def members(directory: Path, numbers: range) -> None:
    rows = "".join(f"{n},N {n},{n},2099-12-31,mill\n" for n in numbers)
    (directory / "members.csv").write_text(HEAD + rows)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "machines.json").write_text('{"mill": {"authorizations_or": ["mill"]}}')
    (tmp_path / "users.json").write_text(json.dumps([user(str(n), f"N {n}", [str(n)], []) for n in range(1, 31)]))
    members(tmp_path, range(1, 32))
    return tmp_path


FILES = {"MACHINES_CONFIG": "machines.json", "USERS_CONFIG": "users.json"}
NOBODY = {"MAC_URL": "http://127.0.0.1:1"}


def test_a_running_server_takes_the_new_users_at_once(shop: Path, here: Here) -> None:
    with serving(shop, token="secret") as server:
        assert server.outputs("mill", "31", uptime=10)["display"] == "Unknown RFID"
        assert server.outputs("mill", uptime=20)["relay"] is False
        where = {"MAC_URL": server.url, "MAC_ADMIN_TOKEN": "secret"}
        done = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, **where)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "The server has taken it: 1 added, 30 updated."
        assert server.outputs("mill", "31", uptime=30)["relay"] is True
        again = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, **where)
        assert again.stdout == "users.json has these 31 users already; nothing was changed.\n"

        # A server that does not take it says so, and the file is written all the same.
        members(shop, range(1, 33))
        refused = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, **{**where, "MAC_ADMIN_TOKEN": "x"})
        assert refused.returncode == 1
        assert "users.json is written" in refused.stdout
        assert "The MAC_ADMIN_TOKEN that is set here is not the server's." in refused.stderr
        later = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, **where)
        assert later.stdout.splitlines()[-1] == "The server has taken it: 1 added."

        members(shop, range(1, 5))
        lost = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, **where)
        assert lost.returncode == 1
        assert lost.stderr == (
            "Error: nothing was changed: 28 of 32 users would go. Is the source whole? --force takes it all the same\n"
        )
        forced = here("users", "import", "csv", "members.csv", "--yes", "--force", cwd=shop, **where)
        assert forced.stdout.splitlines()[-1] == "The server has taken it: 28 removed."
        assert len(users_of(shop / "users.json")) == 4


def test_a_server_that_refuses_what_the_file_lost_says_how_to_force_it(shop: Path, here: Here) -> None:
    with serving(shop) as server:
        everybody = (shop / "users.json").read_text()
        (shop / "users.json").write_text(json.dumps(json.loads(everybody)[:4]))  # by hand, and the server was not told
        members(shop, range(1, 6))
        done = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, MAC_URL=server.url)
        assert done.returncode == 1
        assert "users.json is written" in done.stdout
        assert "the users file has lost 25 of 30 users" in done.stderr
        assert "?force=1" in done.stderr
        forced = here("users", "import", "csv", "members.csv", "--yes", "--force", cwd=shop, MAC_URL=server.url)
        assert forced.stdout.splitlines()[-1] == "The server has taken it: 25 removed, 5 updated."


def test_without_a_server_the_file_is_written_and_that_is_said(shop: Path, here: Here) -> None:
    dry = here("users", "import", "csv", "members.csv", "--dry-run", cwd=shop, **NOBODY)
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout.splitlines()[-2:] == [
        "30 users → 31 users: 1 added, 0 removed, 30 changed.",
        "Nothing was changed (--dry-run).",
    ]
    asked = here("users", "import", "csv", "members.csv", cwd=shop, **NOBODY)
    assert asked.returncode == 1
    assert asked.stderr == (
        "Error: nothing was changed: there is no terminal to ask at: Write this to users.json? "
        "--yes agrees beforehand\n"
    )
    assert not (shop / "users.json.previous").exists()
    done = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, **NOBODY)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].endswith("users.json.previous.")
    assert done.stderr.startswith("No server was told (no answer from http://127.0.0.1:1 (")
    assert done.stderr.endswith("It reads the file when it starts.\n")
    same = here("users", "import", "csv", "members.csv", "--dry-run", cwd=shop, **NOBODY)
    assert (same.stdout, same.stderr) == ("users.json has these 31 users already; nothing was changed.\n", "")


def test_who_has_an_account_id_of_somebody_else_does_not_get_their_override_and_that_is_said(
    shop: Path, here: Here
) -> None:
    (shop / "users.json").write_text(json.dumps([EVE, ANN]))
    (shop / "members.csv").write_text(HEAD + "1,Ann Able,1000001,2099-12-31,\n3,Nora New,1000009,2099-12-31,\n")
    done = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, **NOBODY)
    assert done.stderr.splitlines()[0] == (
        "Nora New has the account id 3, which was Eve Early's, and neither their name, e-mail address nor a fob of "
        "theirs: oops_override is not kept. If it is to be, write it into users.json."
    )
    assert [user.oops_override for user in users_of(shop / "users.json")] == [False, False]


def test_mistakes_are_listed_and_nothing_is_written(shop: Path, here: Here) -> None:
    before = (shop / "users.json").read_bytes()
    (shop / "members.csv").write_text(HEAD + "1,Ada,1,soon,\n2,,2,2099-12-31,\n")
    done = here("users", "import", "csv", "members.csv", "--yes", cwd=shop, **NOBODY)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(" column")[0] for line in done.stderr.splitlines()] == [
        "members.csv: line 2,",
        "members.csv: line 3,",
    ]
    assert (shop / "users.json").read_bytes() == before
    bad = here("users", "import", "csv", "members.csv", "--column", "Fob", cwd=shop)
    assert (bad.returncode, bad.stderr) == (2, "--column: expected NAME=VALUE, not 'Fob'\n")
    bad = here("users", "import", "csv", "members.csv", "--column", "fob=x", cwd=shop)
    assert bad.returncode == 2
    assert bad.stderr.startswith("options: fob: is not a field of a user")


def test_a_mapping_file_and_options_say_the_same_and_options_come_first(shop: Path, here: Here) -> None:
    (shop / "members.csv").write_text("Nr;Name;Fob;Until;Laser ok\n1;Ada Example;1;31.12.2099;x\n")
    (shop / "mapping.toml").write_text(
        'date_format = "%d.%m.%Y"\n[columns]\naccount_id = "Nr"\nfull_name = "Name"\nfob_codes = "Nothing"\n'
        'expiration_ymd = "Until"\n[authorization_columns]\n"Laser ok" = "Laser"\n'
    )
    options = ["--mapping", "mapping.toml", "--column", "fob_codes=Fob", "--default", "email=a@b", "--yes", "--force"]
    done = here("users", "import", "csv", "members.csv", *options, cwd=shop, **NOBODY)
    assert done.returncode == 0, done.stderr
    (written,) = users_of(shop / "users.json")
    assert (written.account_id, written.fob_codes, written.authorizations) == ("1", ["0000000001"], ["Laser"])
    assert (written.email, written.expiration_ymd) == ("a@b", "2099-12-31")
    wrong = here("users", "import", "csv", "members.csv", "--mapping", "machines.json", cwd=shop)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("machines.json: not TOML: ")


def test_a_long_list_is_cut_in_the_table_and_who_has_no_fob_is_counted(shop: Path, here: Here) -> None:
    members(shop, range(1, 101))
    with (shop / "members.csv").open("a") as file:
        file.write("x,No Fob,,,\n")
    done = here("users", "import", "csv", "members.csv", "--dry-run", cwd=shop, **NOBODY)
    lines = done.stdout.splitlines()
    assert lines[0] == "Left out, because they have no fob: 1 (No Fob)."
    assert "… and 50 more (--show-all shows them)." in lines
    assert len([line for line in lines if line.startswith(("added", "changed"))]) == 50
    done = here("users", "import", "csv", "members.csv", "--dry-run", "--show-all", cwd=shop, **NOBODY)
    assert len([line for line in done.stdout.splitlines() if line.startswith(("added", "changed"))]) == 100
    assert "more" not in done.stdout

    with (shop / "members.csv").open("a") as file:
        file.write("".join(f"x{n},Fobless {n},,,\n" for n in range(59)))
    done = here("users", "import", "csv", "members.csv", "--dry-run", cwd=shop, **NOBODY)
    assert done.stdout.splitlines()[0].endswith("Fobless 47, Fobless 48, … and 10 more).")


def test_what_options_say_of_ticks_and_of_whom_to_take_is_as_in_the_mapping(shop: Path, here: Here) -> None:
    head = "account_id,full_name,fob_codes,expiration_ymd,Saw,Status\n"
    rows = "1,Ada Example,1,2099-12-31,12.03.2026,Active\n2,Bob Baker,2,2099-12-31,applied,Active\n3,Eve,3,,,Lapsed\n"
    (shop / "members.csv").write_text(head + rows)
    ticks = ("--authorization-column", "Saw", "--yes-word", "*", "--no-word", "applied", "--where", "Status = Active")
    done = here("users", "import", "csv", "members.csv", *ticks, "--yes", "--force", cwd=shop, **NOBODY)
    assert done.stdout.splitlines()[0] == "Left out, because Status is Lapsed: 1 (Eve)."
    assert [user.authorizations for user in users_of(shop / "users.json")] == [["Saw"], []]
