"""Personal tokens, sessions of the board and links: who is known by them, for how long, and what is on disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mac_actors.errors import UserRefused
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.people import logins as module
from mac_actors.fleet.people.logins import LINK_SECONDS, NOTED, UNUSED, Logins, Role, Session, csrf_of
from mac_actors.storage.store import Store
from tests.fakes import Clock, open_fleet, written


def aged(fleet: MachineFleet, session: Session, age: timedelta) -> None:
    """Have a session have been used last so long ago."""
    sessions = fleet.logins._sessions
    sessions[session.key] = replace(sessions[session.key], used_at=session.used_at - age)


def test_a_personal_token_is_known_until_it_is_revoked_and_over_restarts(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        token, latch = fleet.logins.add_admin("Ann  Able", "Olga")
        other, _ = fleet.logins.add_admin("Bob", None)
        assert latch.wait(20)
        assert token != other
        assert token not in repr(fleet.logins.admins)
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert [(one.name, one.by) for one in fleet.logins.admins] == [("Ann Able", "Olga"), ("Bob", None)]
        assert fleet.logins.admin(token) == "Ann Able"
        assert fleet.logins.admin("") is None
        with pytest.raises(UserRefused, match="has a personal login already"):
            fleet.logins.add_admin("ANN able", None)
        key, _ = fleet.logins.open(Role.ADMIN, "Ann Able")
        theirs, _ = fleet.logins.open(Role.TOKEN, "Ann Able")
        assert fleet.logins.revoke_admin("nobody") is None
        revoked = fleet.logins.revoke_admin("ann able")
        assert revoked is not None
        assert revoked.wait(20)
        assert fleet.logins.admin(token) is None
        assert fleet.logins.find(key) is None
        assert fleet.logins.find(theirs) is not None
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert [one.name for one in fleet.logins.admins] == ["Bob"]
        assert [one.role for one in fleet.logins.sessions()] == ["token"]


def test_no_token_and_no_key_is_on_disk(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        token, _ = fleet.logins.add_admin("Ann", None)
        key, session = fleet.logins.open(Role.TRAINER, "Ann Able", "1")
        link = fleet.logins.link(Role.ADMIN, "Ann")
        assert key not in repr(session)
        written(fleet)
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        for secret in (token, key, link.rpartition("/")[2], csrf_of(key)):
            assert secret.encode() not in files


def test_sessions_and_links_of_an_account_become_those_of_another(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        opened = [fleet.logins.open(Role.TRAINER, "Ann", account)[0] for account in ("1", "2", None)]
        link = fleet.logins.link(Role.TRAINER, "Ann", "1")
        fleet.logins.move({"1": "7"})
        sessions = [fleet.logins.find(key) for key in opened]
        assert [session and session.account_id for session in sessions] == ["7", "2", None]
        followed = fleet.logins.follow(link.rpartition("/")[2])
        assert followed
        assert followed[1].account_id == "7"


def test_a_session_goes_on_over_restarts_until_it_is_ended_or_not_used_for_long(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        opened = [fleet.logins.open(Role.TRAINER, "Ann Able", "1"), fleet.logins.open(Role.TOKEN, None)]
    with open_fleet(Store.open(tmp_path)) as fleet:
        (first, session), (second, other) = opened
        assert fleet.logins.find(first) == session
        assert len({first, second, csrf_of(first), csrf_of(second)}) == 4
        aged(fleet, other, UNUSED + timedelta(seconds=1))
        assert fleet.logins.sessions() == [session]
        assert fleet.logins.find(second) is None
        assert fleet.logins.end("nothing") is None
        aged(fleet, session, NOTED + timedelta(seconds=1))
        used = fleet.logins.find(first)
        assert used is not None
        assert used.used_at > session.used_at
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert fleet.logins.sessions() == [used]
        fleet.logins.forget("2")
        assert fleet.logins.find(first) == used
        fleet.logins.forget("1")
        assert fleet.logins.find(first) is None


def test_there_are_no_more_sessions_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SESSIONS", 3)
    with open_fleet() as fleet:
        keys = [fleet.logins.open(Role.TOKEN, str(number))[0] for number in range(5)]
        assert [key for key in keys if fleet.logins.find(key) is None] == keys[:2]
        written(fleet)
        assert len(fleet.logins.sessions()) == len(Logins(fleet.journal).sessions()) == 3


def test_a_link_logs_in_once_and_within_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINKS", 2)
    with open_fleet() as fleet:
        clock = Clock()
        logins = Logins(fleet.journal, clock)
        first, second, third = (logins.link(Role.TRAINER, "Ann Able", "1").rpartition("/")[2] for _ in range(3))
        assert logins.follow(first) is None
        followed = logins.follow(second)
        assert followed is not None
        key, session = followed
        assert (session.role, session.name, session.account_id) == ("trainer", "Ann Able", "1")
        assert logins.find(key) == session
        assert logins.follow(second) is None
        clock.now += LINK_SECONDS + 1
        assert logins.follow(third) is None
        assert logins.follow("") is None
