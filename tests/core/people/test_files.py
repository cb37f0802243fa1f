"""The users file is read again: who wins, and what falls away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mac_actors.core.config import Directory, MachineConfig, SecondRelay, User
from mac_actors.core.outcomes import FobTaken
from mac_actors.core.people.additions import Addition, Kind
from mac_actors.core.people.changes import AlreadySo
from mac_actors.core.people.people import Conflict
from mac_actors.core.people.trainers import asked_for, teachable, trained_by
from tests.core.examples import T0, someone
from tests.core.people.shop import AFTER, ANN, AUTHOR, BEFORE, BOB, DAY, LATER, LONG_AFTER, ZOE, Shop

NEW = "0000000077"


@pytest.fixture
def shop() -> Shop:
    return Shop()


def with_fobs(user: User, *fobs: str) -> User:
    return replace(user, fob_codes=(*user.fob_codes, *fobs))


def can(user: User, *names: str) -> User:
    return replace(user, authorizations=user.authorizations | set(names))


def test_a_file_that_knows_nothing_of_it_removes_no_addition(shop: Shop) -> None:
    shop.do("give_fob", BOB, NEW)
    shop.do("grant", BOB, "laser", None)
    shop.add()
    shop.reload(BOB, ANN)
    assert shop.held(BOB) == {"laser"}
    assert shop.people.directory.find(NEW) == shop.user(BOB.account_id)
    assert [user.account_id for user in shop.people.directory.users] == [BOB.account_id, ANN.account_id, "added"]
    assert len(shop.people.additions()) == 3


def test_what_the_file_has_come_to_say_falls_away(shop: Shop) -> None:
    shop.do("give_fob", BOB, NEW)
    shop.do("grant", BOB, "laser", None)
    shop.reload(ANN, can(with_fobs(BOB, NEW), "laser"))
    assert not shop.people.additions()
    assert {one.counts for one in shop.kept.values()} == {False}
    shop.reload(ANN, BOB)
    assert shop.user(BOB.account_id) == BOB


def test_a_file_that_is_read_while_the_clock_is_years_ahead_ends_nothing_by_its_last_day(shop: Shop) -> None:
    shop.do("grant", BOB, "laser", DAY)
    shop.do("withdraw", ANN, "mill", DAY)
    shop.reload(ANN, BOB)
    assert (shop.held(BOB, BEFORE), shop.held(BOB, AFTER)) == ({"laser"}, set())
    assert (shop.held(ANN, BEFORE), shop.held(ANN, AFTER)) == (set(), {"mill"})


def test_a_grant_for_a_while_over_a_withdrawal_for_a_while_leaves_what_the_file_gives(shop: Shop) -> None:
    shop.do("withdraw", ANN, "mill", DAY)
    shop.do("grant", ANN, "mill", DAY)
    assert shop.held(ANN, BEFORE) == shop.held(ANN, AFTER) == {"mill"}
    assert not shop.people.additions()
    shop.do("withdraw", ANN, "mill", None)
    shop.reload(ANN, BOB)
    assert shop.held(ANN, AFTER) == set()


def test_a_withdrawal_for_good_holds_under_a_grant_and_a_withdrawal_for_a_while(shop: Shop) -> None:
    shop.do("withdraw", ANN, "mill", None)
    shop.do("grant", ANN, "mill", LATER)
    shop.do("withdraw", ANN, "mill", DAY)
    for _ in range(2):
        assert [shop.held(ANN, at) for at in (BEFORE, AFTER, LONG_AFTER)] == [set(), {"mill"}, set()]
        shop.reload(ANN, BOB)
    shop.do("grant", ANN, "mill", None)
    assert shop.held(ANN, LONG_AFTER) == {"mill"}
    assert not shop.people.additions()


def test_a_withdrawal_for_a_while_outlives_what_it_withdraws(shop: Shop) -> None:
    shop.do("withdraw", ANN, "mill", DAY)
    shop.reload(replace(ANN, authorizations=frozenset()), BOB)
    assert (shop.held(ANN), shop.held(ANN, AFTER)) == (set(), set())


def test_a_withdrawal_holds_whatever_the_file_says(shop: Shop) -> None:
    shop.do("withdraw", ANN, "mill", None)
    shop.do("take_fob", ANN, "0000000001")
    for file in ((ANN, BOB), (BOB,), (can(ANN, "mill"), with_fobs(BOB))):
        shop.reload(*file)
        assert shop.people.directory.find("0000000001") is None
    assert shop.held(ANN) == set()


def test_a_fob_that_was_taken_away_counts_for_nobody_to_whom_the_file_gives_it(shop: Shop) -> None:
    shop.do("take_fob", ANN, "0000000001")
    shop.reload(replace(ANN, fob_codes=()), with_fobs(BOB, "0000000001"))
    assert shop.people.directory.find("0000000001") is None
    assert shop.user(BOB.account_id).fob_codes == ("0000000002",)


def test_a_fob_that_was_taken_away_and_moves_in_the_file_is_said_until_it_is_given(shop: Shop) -> None:
    shop.do("take_fob", ANN, "0000000001")
    assert shop.people.conflicts() == []
    shop.reload(replace(ANN, fob_codes=()), with_fobs(BOB, "0000000001"))
    (conflict,) = shop.people.conflicts()
    said = str(conflict)
    assert "users.json gives the fob ending in '0001' to Bob Baker, for whom it opens nothing" in said
    assert f"taken away from account {ANN.account_id}; if Bob Baker has it by now, give it to them" in said
    shop.do("give_fob", BOB, "0000000001")
    assert shop.people.conflicts() == []
    assert shop.people.directory.find("0000000001") == shop.user(BOB.account_id)


def test_the_file_wins_where_it_gives_a_fob_to_somebody_else(shop: Shop) -> None:
    shop.do("give_fob", BOB, NEW)
    ann = with_fobs(ANN, NEW)
    shop.reload(ann, BOB)
    assert shop.people.directory.find(NEW) == ann
    assert shop.user(BOB.account_id) == BOB
    (conflict,) = shop.people.conflicts()
    assert (conflict.addition.account_id, conflict.owner) == (BOB.account_id, ann)
    shop.reload(ANN, BOB)
    assert shop.people.conflicts() == []
    assert shop.people.directory.find(NEW) == shop.user(BOB.account_id)


def test_a_fob_that_the_file_gives_to_somebody_else_is_taken_from_one_and_stays_the_others(shop: Shop) -> None:
    shop.do("give_fob", BOB, NEW)
    shop.reload(with_fobs(ANN, NEW), BOB)
    assert shop.do("take_fob", BOB, NEW).outcomes
    assert shop.people.conflicts() == []
    assert shop.people.directory.find(NEW) == with_fobs(ANN, NEW)
    assert shop.do("take_fob", BOB, NEW).already == (AlreadySo.FOB_TAKEN,)


def test_a_fob_that_is_taken_from_whom_the_file_gives_it_to_is_nobodys_and_says_whose_it_was_at_the_server(
    shop: Shop,
) -> None:
    shop.do("give_fob", BOB, NEW)
    ann = with_fobs(ANN, NEW)
    shop.reload(ann, BOB)
    change = shop.do("take_fob", ann, NEW)
    assert [(type(one), one.user.account_id) for one in change.outcomes] == [
        (FobTaken, BOB.account_id),
        (FobTaken, ANN.account_id),
    ]
    assert [(one.id, one.account_id, one.counts) for one in change.new] == [
        (2, BOB.account_id, False),
        (3, ANN.account_id, True),
    ]
    assert [one.id for one in change.ended] == [1]
    assert shop.people.directory.find(NEW) is None
    assert shop.restart() == shop.people


def test_a_fob_is_taken_though_whoever_had_it_from_the_server_has_vanished(shop: Shop) -> None:
    shop.do("give_fob", BOB, NEW)
    ann = with_fobs(ANN, NEW)
    shop.reload(ann)
    (outcome,) = shop.do("take_fob", ann, NEW).outcomes
    assert outcome.user.account_id == ANN.account_id
    assert shop.people.directory.find(NEW) is None


def test_somebody_who_vanishes_from_the_file_and_comes_back_has_what_was_added(shop: Shop) -> None:
    shop.do("give_fob", BOB, NEW)
    shop.do("grant", BOB, "laser", None)
    shop.reload(ANN)
    assert shop.people.directory.find(NEW) is None
    assert shop.people.directory.users == (ANN,)
    shop.reload(ANN, BOB)
    assert shop.people.directory.find(NEW) == shop.user(BOB.account_id)
    assert shop.held(BOB) == {"laser"}


def test_a_fob_of_somebody_who_has_vanished_can_be_given_to_another(shop: Shop) -> None:
    shop.do("give_fob", BOB, NEW)
    shop.reload(ANN)
    shop.do("give_fob", ANN, NEW)
    shop.reload(ANN, BOB)
    assert shop.people.directory.find(NEW) == shop.user(ANN.account_id)
    assert shop.user(BOB.account_id) == BOB


@pytest.mark.parametrize(
    "zoe",
    [
        replace(someone("Zoë", "Zimmer"), email="ZOE@example.org"),
        someone("Zoe", "Other", NEW),
        replace(someone("Zoe", "Zimmer"), account_id="added"),
    ],
    ids=["e-mail", "fob", "account"],
)
def test_an_added_user_who_turns_up_in_the_file_becomes_that_one(shop: Shop, zoe: User) -> None:
    shop.add()
    shop.do("give_fob", "added", NEW)
    shop.do("grant", "added", "mill", None)
    shop.reload(ANN, BOB, zoe)
    (found,) = shop.found
    assert found.added
    assert (found.added.user, found.before.account_id, found.now) == (ZOE, "added", zoe)
    assert str(found).startswith(f"{zoe.full_name}, who was added at the server, is in users.json now")
    assert shop.held(zoe) == {"mill"}
    assert shop.people.directory.find(NEW) == shop.user(zoe.account_id)
    assert len(shop.people.directory.users) == 3
    assert not [one for one in shop.people.additions() if one.user]
    shop.reload(ANN, BOB, zoe)
    assert shop.found == ()


@pytest.mark.parametrize("fobs", [(NEW,), ("0000000078",)], ids=["first", "last"])
def test_an_added_user_is_recognized_by_any_fob(shop: Shop, fobs: tuple[str, ...]) -> None:
    shop.add()
    shop.do("give_fob", "added", NEW)
    shop.do("give_fob", "added", "0000000078")
    zoe = someone("Zoe", "Other", *fobs)
    shop.reload(ANN, BOB, zoe)
    assert [found.now for found in shop.found] == [zoe]
    assert set(shop.user(zoe.account_id).fob_codes) == {NEW, "0000000078"}


ANNA = replace(ANN, account_id="01", full_name="Anna Able")


@pytest.mark.parametrize(
    "anew",
    [
        replace(ANNA, fob_codes=("0000000078",), email="ANN@example.org"),
        replace(ANNA, full_name="ann  ABLE", email=""),
    ],
    ids=["e-mail", "fob and name"],
)
def test_somebody_whose_account_id_the_file_changes_keeps_what_was_changed(shop: Shop, anew: User) -> None:
    shop.do("withdraw", ANN, "mill", None)
    shop.do("grant", ANN, "laser", None)
    shop.reload(anew, BOB)
    assert shop.held(anew) == {"laser"}
    (found,) = shop.found
    assert found.has_same_address() is bool(anew.email)
    assert str(found).startswith(f"{anew.full_name} has the account id 01 in users.json now, not {ANN.account_id}: ")
    assert shop.doubts == ()
    assert shop.restart() == shop.people
    shop.reload(anew, BOB)
    assert shop.found == ()


@pytest.mark.parametrize(
    "file",
    [
        (replace(ANNA, email=""), BOB),
        (with_fobs(BOB, "0000000001"),),
        (replace(BOB, email=ANN.email),),
    ],
    ids=["fob alone", "somebody else's fob", "somebody else's address"],
)
def test_whoever_has_a_fob_or_the_address_of_somebody_who_is_gone_may_be_another_and_that_is_said(
    shop: Shop, file: tuple[User, ...]
) -> None:
    shop.do("grant", ANN, "laser", None)
    shop.reload(*file)
    assert (shop.found, shop.doubts) == ((), ())
    assert "laser" not in shop.held(file[0])
    shop.reload(ANN, BOB)
    shop.do("withdraw", ANN, "mill", None)
    shop.reload(*file)
    assert shop.found == ()
    (doubt,) = shop.doubts
    assert (doubt.gone.account_id, doubt.now) == (ANN.account_id, file[0])
    assert f"and {file[0].full_name} ({file[0].account_id}) has a fob or the e-mail address of theirs" in str(doubt)
    shop.reload(ANN, BOB)
    assert shop.held(ANN) == {"laser"}


def test_an_address_that_two_shared_tells_not_who_it_was(shop: Shop) -> None:
    bob = replace(BOB, email=ANN.email)
    shop.reload(ANN, bob)
    shop.do("withdraw", ANN, "mill", None)
    shop.reload(replace(ANNA, fob_codes=()))
    assert shop.found == ()
    assert len(shop.doubts) == 1


def test_of_two_who_may_be_somebody_who_is_gone_it_is_neither(shop: Shop) -> None:
    shop.do("withdraw", ANN, "mill", None)
    shop.reload(*(replace(ANN, account_id=fob, fob_codes=(fob,), email="") for fob in ANN.fob_codes))
    assert shop.found == ()
    assert len(shop.doubts) == 1


def test_an_address_that_two_users_of_the_file_share_tells_nothing(shop: Shop) -> None:
    shop.add()
    shop.reload(*(replace(user, email=ZOE.email) for user in (ANN, BOB)))
    assert shop.found == ()
    assert len(shop.people.directory.users) == 3


def test_an_added_user_without_address_and_fob_stays(shop: Shop) -> None:
    shop.add(new=replace(ZOE, email=""))
    shop.reload(replace(ANN, email=""), BOB)
    assert shop.found == ()


TRAINER = someone("Tina", "Trainer", can={"teach laser"})
LASER = MachineConfig(
    "laser", frozenset({"laser"}), second_relay=SecondRelay(frozenset({"tube"})), trainers_or=frozenset({"teach laser"})
)
MILL = MachineConfig("mill", frozenset({"mill"}))


def test_trainers_teach_what_their_machine_and_its_second_relay_ask_for() -> None:
    directory = Directory.of([TRAINER, ANN])
    assert trained_by(TRAINER, directory, [LASER, MILL], T0) == [LASER]
    assert teachable([LASER]) == {"laser", "tube"}
    assert asked_for([LASER, MILL]) == {"laser", "tube", "mill", "teach laser"}
    assert trained_by(ANN, directory, [LASER, MILL], T0) == []
    assert trained_by(None, directory, [LASER, MILL], T0) == []
    assert asked_for([]) == set()


def test_a_trainer_whose_membership_is_over_teaches_nothing() -> None:
    over = replace(TRAINER, expires_at=T0)
    assert trained_by(over, Directory.of([over], enforce_expiration=True), [LASER], T0) == []


def test_a_fob_that_is_given_twice_is_said_with_both(shop: Shop) -> None:
    given = Addition(1, BOB.account_id, Kind.FOB, AUTHOR, NEW)
    assert given.word == "fob_given"
    said = str(Conflict(given, ANN))
    assert repr(NEW[-4:]) in said
    assert ANN.full_name in said
    assert BOB.account_id in said
