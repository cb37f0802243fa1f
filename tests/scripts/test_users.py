"""``fleet.users`` in this process and of a server: the same calls, the same results, the same errors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from mac_actors import FleetClosed, MachineUnavailable, ServerError, UnknownMachine
from mac_actors.core.outcomes import AuthorizationGranted, Outcome
from mac_actors.errors import UnknownAuthorization, UnknownUser, UserRefused
from tests.fakes import ANN, BOB, NOBODY, wait_until
from tests.scripts.shop import TOKEN, Shop, serving, shop_here, shop_remote


@pytest.fixture(params=["here", "remote"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    if request.param == "here":
        with shop_here() as shop:
            yield shop
        return
    with serving(tmp_path_factory.mktemp("server"), token=TOKEN) as server, shop_remote(server) as shop:
        yield shop


def test_all_calls_do_the_same_here_and_at_a_server(shop: Shop) -> None:
    users = shop.fleet.users
    told: list[Outcome] = []
    shop.fleet.subscribe(told.append)
    shop.report("router", NOBODY)
    (unknown,) = users.unknown()
    assert (unknown.code, unknown.machine) == (NOBODY, "router")
    made = users.add("Zoë Zimmer", preferred_name="Zoe", email="zoe@example.org", expires=date(2099, 1, 1), by="me")
    zoe = made.user
    assert (zoe.full_name, zoe.preferred_name, zoe.expires, zoe.added) == ("Zoë Zimmer", "Zoe", date(2099, 1, 1), True)
    given = users.give_fob("zoe@example.org", seen_at="router")
    assert [item.value for item in given.user.fobs] == [NOBODY]
    granted = users.authorize("Zoë Zimmer", "router", until=date(2098, 1, 1), by="Tina", reason="course")
    (item,) = granted.user.authorizations
    assert (item.value, item.source, item.by, item.until) == ("router", "addition", "Tina", date(2098, 1, 1))
    (outcome,) = granted.outcomes
    assert isinstance(outcome, AuthorizationGranted)
    assert (outcome.user.full_name, outcome.reason, outcome.source, outcome.machine) == (
        "Zoë Zimmer",
        "course",
        "repl",
        None,
    )
    assert granted.durable
    assert users.authorize(zoe.account_id, "router", until=date(2098, 1, 1)).already == ("authorized",)
    assert users.show(zoe.account_id) == granted.user
    assert users.find("ZOE zim") == [granted.user]
    assert [user.account_id for user in users.find()][:3] == ["1", "2", "4"]
    assert users.withdraw("2", "laser").user.withdrawn[0].value == "laser"
    taken = users.take_fob("2", BOB, reason="lost")
    assert [item.value for item in taken.user.fobs_taken] == [BOB]
    assert users.give_fob("2", BOB).user.fobs_taken == ()
    wait_until(lambda: len(told) >= 7)
    with pytest.raises(UserRefused, match=r"this fob is Ann Able's \(1\)"):
        users.give_fob("2", ANN)
    with pytest.raises(UserRefused, match="has this e-mail address already"):
        users.add("Other", email="zoe@example.org")
    with pytest.raises(UnknownUser, match="No such user: nobody"):
        users.authorize("nobody", "mill")
    with pytest.raises(UnknownUser):
        users.show("")
    with pytest.raises(UnknownAuthorization, match="did you mean 'mill'") as refused:
        users.authorize("2", "mil")
    assert (refused.value.name, refused.value.nearest) == ("mil", "mill")
    with pytest.raises(UnknownAuthorization) as refused:
        users.withdraw("2", "???")
    assert refused.value.nearest is None
    with pytest.raises(UnknownMachine):
        users.give_fob("2", seen_at="nowhere")
    with pytest.raises(ValueError, match="fob"):
        users.give_fob("2", "000")


def test_a_closed_fleet_has_no_users(shop: Shop) -> None:
    shop.fleet.close()
    with pytest.raises(FleetClosed):
        shop.fleet.users.authorize("2", "mill")


def test_what_a_server_can_not_do_now_is_raised(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path_factory.mktemp("server"), token=TOKEN) as server, shop_remote(server) as shop:
        monkeypatch.setattr("mac_actors.actors.journal.BACKLOG_LIMIT", 0)
        with pytest.raises(MachineUnavailable, match="disk is not keeping up"):
            shop.fleet.users.authorize("2", "mill")
        monkeypatch.undo()
        monkeypatch.setattr("mac_actors.client.users.AT_ONCE", 3)
        assert [user.account_id for user in shop.fleet.users.find()] == ["1", "2", "4", "3"]
        server.stop()
        with pytest.raises(ServerError):
            shop.fleet.users.find()
