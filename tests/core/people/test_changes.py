"""Changes of users at the server: what they do to who counts, and what was so already."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from mac_actors.core.outcomes import AuthorizationGranted, AuthorizationWithdrawn, FobGiven, FobTaken, Person, UserAdded
from mac_actors.core.people import changes
from mac_actors.core.people.additions import Addition, Kind, check_given, end_of, last_day
from mac_actors.core.people.changes import AlreadySo
from mac_actors.core.people.people import People, settle
from mac_actors.core.people.view import Item, UserView
from mac_actors.core.state import Source
from tests.core.examples import T0
from tests.core.people.shop import AFTER, ANN, AUTHOR, BEFORE, BOB, DAY, FILE, LATER, LONG_AFTER, ZOE, Shop

NEW = "0000000077"


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_fob_that_is_given_is_found_and_what_happened_says_who_did_it(shop: Shop) -> None:
    change = shop.do("give_fob", BOB, NEW)
    (outcome,) = change.outcomes
    assert outcome == FobGiven(
        at=T0,
        user=Person(BOB.account_id, BOB.full_name),
        source=Source.HTTP,
        by="Tina",
        reason="course",
        confirmed=True,
        fob=NEW,
    )
    assert outcome.machine is None
    assert shop.people.directory.find(NEW) == shop.user(BOB.account_id)
    assert shop.user(BOB.account_id).fob_codes == ("0000000002", NEW)
    assert shop.people.directory.users[0] is ANN
    assert FILE.find(NEW) is None


def test_what_is_so_already_changes_nothing(shop: Shop) -> None:
    before = shop.people
    for what, user, value, already in (
        ("give_fob", ANN, "0000000001", AlreadySo.FOB_GIVEN),
        ("take_fob", ANN, "0000000002", AlreadySo.FOB_TAKEN),
        ("take_fob", ANN, NEW, AlreadySo.FOB_TAKEN),
    ):
        assert shop.do(what, user, value).already == (already,)
    assert shop.do("grant", ANN, "mill", None).already == (AlreadySo.AUTHORIZED,)
    assert shop.do("withdraw", BOB, "mill", None).already == (AlreadySo.NOT_AUTHORIZED,)
    assert shop.people is before
    assert not shop.kept


def test_a_fob_that_is_taken_away_counts_no_more_until_it_is_given_again(shop: Shop) -> None:
    (outcome,) = shop.do("take_fob", ANN, "0000000001").outcomes
    assert isinstance(outcome, FobTaken)
    assert shop.people.directory.find("0000000001") is None
    assert shop.user(ANN.account_id).fob_codes == ("0000000011",)
    assert shop.do("take_fob", ANN, "0000000001").already == (AlreadySo.FOB_TAKEN,)
    assert changes.owner(shop.people, "0000000001") == ANN
    shop.do("give_fob", ANN, "0000000001")
    assert shop.user(ANN.account_id) == ANN
    assert not shop.people.additions()


def test_a_fob_that_was_given_and_taken_can_be_given_to_somebody_else(shop: Shop) -> None:
    shop.do("give_fob", BOB, NEW)
    assert changes.owner(shop.people, NEW) == shop.user(BOB.account_id)
    shop.do("take_fob", BOB, NEW)
    assert changes.owner(shop.people, NEW) is None
    shop.do("give_fob", ANN, NEW)
    assert shop.people.directory.find(NEW) == shop.user(ANN.account_id)
    assert [one.id for one in shop.people.additions()] == [3]


def test_an_authorization_counts_until_it_is_withdrawn(shop: Shop) -> None:
    (outcome,) = shop.do("grant", BOB, "laser", None).outcomes
    assert isinstance(outcome, AuthorizationGranted)
    assert shop.held(BOB, LONG_AFTER) == {"laser"}
    assert shop.do("grant", BOB, "laser", None).already == (AlreadySo.AUTHORIZED,)
    (outcome,) = shop.do("withdraw", BOB, "laser", None).outcomes
    assert isinstance(outcome, AuthorizationWithdrawn)
    assert shop.held(BOB) == set()


def test_one_of_the_file_is_withdrawn_and_granted_again(shop: Shop) -> None:
    shop.do("withdraw", ANN, "mill", None)
    assert shop.held(ANN) == set()
    shop.do("grant", ANN, "mill", None)
    assert shop.held(ANN, LONG_AFTER) == {"mill"}
    assert not shop.people.additions()


def test_an_authorization_may_have_a_last_day(shop: Shop) -> None:
    shop.do("grant", BOB, "laser", DAY)
    assert shop.held(BOB, BEFORE) == {"laser"}
    assert shop.held(BOB, AFTER) == set()
    assert shop.do("grant", BOB, "laser", DAY).already == (AlreadySo.AUTHORIZED,)
    shop.do("grant", BOB, "laser", LATER)
    assert (shop.held(BOB, AFTER), shop.held(BOB, LONG_AFTER)) == ({"laser"}, set())
    shop.do("grant", BOB, "laser", None)
    assert shop.held(BOB, LONG_AFTER) == {"laser"}
    shop.do("grant", BOB, "laser", DAY)
    assert shop.held(BOB, AFTER) == set()


def test_a_last_day_may_come_sooner(shop: Shop) -> None:
    shop.do("grant", BOB, "laser", LATER)
    shop.do("grant", BOB, "laser", DAY)
    assert shop.held(BOB, AFTER) == set()
    assert len(shop.people.additions()) == 1


def test_a_withdrawal_may_have_a_last_day(shop: Shop) -> None:
    shop.do("withdraw", ANN, "mill", DAY)
    assert (shop.held(ANN, BEFORE), shop.held(ANN, AFTER)) == (set(), {"mill"})
    assert shop.do("withdraw", ANN, "mill", DAY).already == (AlreadySo.NOT_AUTHORIZED,)
    shop.do("withdraw", ANN, "mill", LATER)
    assert (shop.held(ANN, AFTER), shop.held(ANN, LONG_AFTER)) == (set(), {"mill"})
    shop.do("withdraw", ANN, "mill", None)
    assert shop.held(ANN, LONG_AFTER) == set()


def test_a_withdrawal_lies_over_what_was_granted_at_the_server(shop: Shop) -> None:
    shop.do("grant", BOB, "laser", LATER)
    shop.do("withdraw", BOB, "laser", DAY)
    assert [shop.held(BOB, at) for at in (BEFORE, AFTER, LONG_AFTER)] == [set(), {"laser"}, set()]
    shop.do("grant", BOB, "laser", None)
    shop.do("withdraw", BOB, "laser", DAY)
    assert [shop.held(BOB, at) for at in (BEFORE, AFTER, LONG_AFTER)] == [set(), {"laser"}, {"laser"}]


def test_a_withdrawal_longer_than_the_authorization_leaves_nothing(shop: Shop) -> None:
    shop.do("grant", BOB, "laser", DAY)
    shop.do("withdraw", BOB, "laser", LATER)
    assert [shop.held(BOB, at) for at in (BEFORE, AFTER, LONG_AFTER)] == [set(), set(), set()]


def test_what_was_withdrawn_is_granted_for_a_while(shop: Shop) -> None:
    shop.do("withdraw", ANN, "mill", None)
    shop.do("grant", ANN, "mill", DAY)
    assert (shop.held(ANN, BEFORE), shop.held(ANN, AFTER)) == ({"mill"}, set())
    shop.reload(ANN, BOB)
    assert (shop.held(ANN, BEFORE), shop.held(ANN, AFTER)) == ({"mill"}, set())


def test_a_withdrawal_of_what_is_over_is_so_already(shop: Shop) -> None:
    shop.do("grant", BOB, "laser", date(2026, 3, 1))
    assert shop.held(BOB) == set()
    assert shop.do("withdraw", BOB, "laser", None).already == (AlreadySo.NOT_AUTHORIZED,)
    shop.do("grant", BOB, "laser", None)
    assert shop.held(BOB) == {"laser"}


def test_somebody_is_added_and_gets_a_fob_and_an_authorization(shop: Shop) -> None:
    change = shop.add()
    assert change.outcomes == (
        UserAdded(
            at=T0, user=Person("added", "Zoe Zimmer"), source=Source.HTTP, by="Tina", reason="course", confirmed=True
        ),
    )
    shop.do("give_fob", "added", NEW)
    shop.do("grant", "added", "mill", None)
    zoe = shop.people.directory.find(NEW)
    assert zoe is not None
    assert (zoe.full_name, zoe.lcd_name, set(zoe.authorizations), zoe.expires_at) == (
        "Zoe Zimmer",
        "Zoe",
        {"mill"},
        None,
    )
    assert shop.people.directory.users[-1] is zoe


def test_changes_that_follow_each_other_are_one(shop: Shop) -> None:
    added = shop.add(new=replace(ZOE, expires=DAY))
    both = added.then(shop.do("give_fob", "added", NEW))
    assert len(both.outcomes) == len(both.new) == 2
    assert both.people is shop.people
    assert shop.user("added").expires_at == end_of(DAY)


def test_whatever_was_changed_it_is_the_same_when_it_is_computed_anew(shop: Shop) -> None:
    shop.add()
    shop.do("give_fob", "added", NEW)
    shop.do("take_fob", ANN, "0000000001")
    shop.do("grant", BOB, "laser", DAY)
    shop.do("withdraw", ANN, "mill", DAY)
    shop.do("take_fob", "added", NEW)
    shop.do("give_fob", BOB, NEW)
    assert shop.restart() == shop.people


def test_one_that_is_put_in_force_again_under_its_number_is_where_it_was(shop: Shop) -> None:
    shop.do("grant", BOB, "laser", LATER)
    shop.do("withdraw", BOB, "laser", DAY)
    first = shop.kept[1]
    renamed = replace(first, author=replace(first.author, by=""))
    shop.people = shop.people.changed([renamed], [first])
    assert (shop.held(BOB, BEFORE), shop.held(BOB, AFTER)) == (set(), {"laser"})
    assert shop.people.additions()[0] == renamed


def test_a_view_says_what_comes_from_where(shop: Shop) -> None:
    shop.do("take_fob", ANN, "0000000001")
    shop.do("give_fob", ANN, NEW)
    shop.do("grant", ANN, "laser", DAY)
    shop.do("withdraw", ANN, "mill", LATER)
    view = UserView.of(shop.people, shop.user(ANN.account_id), T0)
    mine: dict[str, Any] = {"source": "addition", "by": "Tina", "at": T0}
    assert view.fobs == (Item("0000000011"), Item(NEW, **mine))
    assert view.authorizations == (Item("laser", **mine, until=DAY),)
    assert view.fobs_taken == (Item("0000000001", **mine),)
    assert view.withdrawn == (Item("mill", **mine, until=LATER),)
    assert not view.added
    later = UserView.of(shop.people, shop.user(ANN.account_id), LONG_AFTER)
    assert (later.authorizations, later.withdrawn) == ((Item("mill"),), ())


def test_a_view_says_who_was_added(shop: Shop) -> None:
    shop.add(new=replace(ZOE, expires=DAY))
    view = UserView.of(shop.people, shop.user("added"), T0)
    assert (view.added, view.expires, view.email) == (True, DAY, "Zoe@Example.org")
    assert "example" not in repr(view).lower()


@pytest.mark.parametrize("day", [DAY, date.max, date.min, date(2000, 2, 29)])
def test_the_last_day_is_the_one_that_ends(day: date) -> None:
    assert last_day(end_of(day)) == day


def test_the_end_of_time_is_the_last_day_wherever_the_shop_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for zone in ("Pacific/Kiritimati", "UTC", "Pacific/Honolulu"):
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            assert last_day(end_of(date.max)) == date.max
    time.tzset()


def test_what_is_no_day_or_no_text_is_refused_by_its_name() -> None:
    check_given("Tina", None, until=None, expires=DAY)
    for day in (datetime(2027, 1, 31, 12), "2027-01-31"):
        with pytest.raises(TypeError, match=r"until: expected a day, as date\(2027, 1, 31\), not "):
            check_given(None, None, until=day)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="by: expected a text, not 5"):
        check_given(5, None)  # type: ignore[arg-type]


def test_with_an_account_of_which_a_change_can_not_be_read_nobody_gets_in(shop: Shop) -> None:
    unreadable = Addition(7, ANN.account_id, Kind.UNREADABLE, AUTHOR, given=False)
    for people in (
        People.of(FILE, [unreadable]),
        settle(FILE, [unreadable]).people,
        changes.give_fob(People.of(FILE, [unreadable]), ANN, NEW, AUTHOR, 8).people,
        changes.grant(People.of(FILE, [unreadable]), ANN, "laser", None, AUTHOR, 8).people,
    ):
        ann = people.directory.by_account[ANN.account_id]
        assert (ann.fob_codes, ann.authorizations, ann.limits) == ((), frozenset(), ())
        assert people.directory.find(ANN.fob_codes[0]) is None
        assert people.directory.find(BOB.fob_codes[0]) is BOB
        (closed,) = people.unreadable()
        assert str(closed).startswith(
            f"a change of account {ANN.account_id} can't be read (row 7 of the table addition)"
        )
        assert unreadable.word == "unreadable"
    assert shop.people.unreadable() == []
