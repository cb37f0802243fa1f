"""Names and fobs leave an outcome; what happened stays."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.core import outcomes as o
from mac_actors.core.outcomes import FORGOTTEN, Outcome, Person, kind
from mac_actors.core.people.additions import Author
from mac_actors.core.redaction import EVERYBODY, MEMBER, Redaction, without, without_author, without_names
from mac_actors.core.state import Flag, Refusal, SecondDecision, SessionKind, Source
from mac_actors.core.wording import full_text, public_text
from mac_actors.storage import codec
from tests.storage.test_store import NOW, outcomes

ANN = Person("7", "Ann Able")
REDACTION = Redaction(frozenset({"7"}), frozenset({"Ann Able", "ann@example.org"}), frozenset({"0001234567"}))
COMMON: dict[str, Any] = {"machine": "m", "display_name": "Mill", "at": NOW}


def started(person: Person = ANN) -> o.SessionStarted:
    return o.SessionStarted(
        user=person, session=SessionKind.AUTHORIZED, second=SecondDecision.NONE, fob="0001234567", **COMMON
    )


def persons(value: Any) -> list[Any]:
    """Everything in an outcome that says who: persons, fobs, who gave a command."""
    found: list[Any] = []
    for field in dataclasses.fields(value):
        part = getattr(value, field.name)
        if field.name in {"fob", "by"}:
            found.append(part or None)
        elif isinstance(part, Person):
            found.append(part)
        elif dataclasses.is_dataclass(part):
            found += persons(part)
    return [one for one in found if one is not None]


@given(outcomes)
def test_nobody_is_left_in_an_outcome_without_everybody(outcome: Outcome) -> None:
    changed = without(outcome, EVERYBODY)
    assert all(one == FORGOTTEN for one in persons(changed))
    assert (kind(changed), changed.at, changed.machine) == (kind(outcome), outcome.at, outcome.machine)
    row, former = codec.journal_row(changed), codec.journal_row(outcome)
    assert (row["seconds"], row["account_id"] or "") == (former["seconds"], "")
    assert codec.load_outcome(row["kind"], row["data"]) == changed
    assert without(changed, EVERYBODY) is changed


@given(outcomes)
def test_no_line_grows_by_forgetting(outcome: Outcome) -> None:
    row, former = codec.journal_row(without(outcome, EVERYBODY)), codec.journal_row(outcome)

    def size(one: dict[str, Any]) -> int:
        return len(one["data"].encode()) + len((one["account_id"] or "").encode())

    assert size(row) <= size(former)


@given(outcomes, st.sampled_from(["", "x" * 40]))
def test_an_outcome_in_which_they_are_not_is_the_same_one(outcome: Outcome, name: str) -> None:
    assert without(outcome, Redaction(frozenset({"no such account"}), frozenset({name}))) is outcome


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Lent(Outcome):
    """An outcome that nobody has heard of."""

    user: Person
    lender: Person | None
    flag: Flag


def test_whoever_is_in_a_new_outcome_is_found_by_the_type_of_the_field() -> None:
    lent = Lent(user=ANN, lender=Person("8", "Bob"), flag=Flag(NOW, Source.SLACK, "Ann Able", None), **COMMON)
    assert (lent.person, lent.origin, lent.ended_session) == (ANN, lent.flag, None)
    flag = dataclasses.replace(lent.flag, by="")
    assert without(lent, EVERYBODY) == dataclasses.replace(lent, user=FORGOTTEN, lender=FORGOTTEN, flag=flag)
    assert without(lent, REDACTION) == dataclasses.replace(lent, user=FORGOTTEN, flag=flag)
    assert persons(without_names(lent)) == [MEMBER, MEMBER]


def test_the_texts_say_someone() -> None:
    ended = o.Ended(ANN, SessionKind.AUTHORIZED, NOW, 720.0, o.EndReason.CARD_REMOVED)
    refused = o.SessionRefused(refusal=Refusal.UNKNOWN, user=None, fob="0001234567", **COMMON)
    oopsed = o.OopsSet(flag=Flag(NOW, Source.SLACK, "Ann Able", "Ann Able heard a noise"), ended=ended, **COMMON)
    assert full_text(without(started(), REDACTION)) == "Mill: someone logged in."
    assert (
        full_text(without(o.SessionEnded(ended=ended, **COMMON), REDACTION))
        == "Mill: someone's session ended after 12 min."
    )
    assert full_text(without(refused, REDACTION)) == "Mill: a card was refused: the fob is unknown."
    assert full_text(without(oopsed, REDACTION)) == (
        "Mill is oopsed, from Slack: someone heard a noise. someone's session ended after 12 min."
    )
    assert public_text(without(started(), REDACTION)) == public_text(started())


def test_others_stay_in_the_same_outcome() -> None:
    bob = o.Ended(Person("8", "Bob"), SessionKind.AUTHORIZED, NOW, 1.0, o.EndReason.OOPS)
    changed = without(o.OopsSet(flag=Flag(NOW, Source.SLACK, "ANN ABLE"), ended=bob, **COMMON), REDACTION)
    assert isinstance(changed, o.OopsSet)
    assert (changed.flag.by, changed.ended) == ("", bob)


def test_both_lifted_flags_and_the_order_itself_are_looked_at() -> None:
    flag = Flag(NOW, Source.CLI, "ann able", "by Ann Able's wish")
    cleared = o.Cleared(
        oops=flag, lock=flag, source=Source.CLI, by="Ann Able", reason="ann@example.org is back", still_oopsed=False,
        still_locked=False, power_on=False, **COMMON,
    )  # fmt: skip
    changed = without(cleared, REDACTION)
    assert isinstance(changed, o.Cleared)
    assert changed.oops == changed.lock == Flag(NOW, Source.CLI, "", "by someone's wish")
    assert (changed.by, changed.reason) == ("", "someone is back")


def test_what_is_so_now_stays() -> None:
    ended = o.Ended(ANN, SessionKind.AUTHORIZED, NOW, 720.0, o.EndReason.OOPS)
    flag = Flag(NOW, Source.SLACK, "Ann Able", "by Ann Able")
    changed = without(o.LockSet(flag=flag, ended=ended, **COMMON), REDACTION, current=True)
    assert isinstance(changed, o.LockSet)
    assert changed.flag == flag, "the state has it too"
    assert changed.ended is not None and changed.ended.user == FORGOTTEN
    assert without(started(), REDACTION, current=True) == started()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann Able broke it", "someone broke it"),
        ("told by ann able.", "told by someone."),
        ("Ann Ablest", "Ann Ablest"),
        ("Ann", "Ann"),
    ],
)
def test_a_name_is_taken_out_of_a_text_where_it_stands_alone(text: str, expected: str) -> None:
    assert REDACTION.out_of(text) == expected


@pytest.mark.parametrize(("name", "word"), [("Bo Li", "…"), ("Bo", "?"), ("Bo Liang", "someone")])
def test_what_stands_for_a_short_name_is_not_longer(name: str, word: str) -> None:
    assert Redaction(names=frozenset({name})).out_of(f"it was {name}!") == f"it was {word}!"


@pytest.mark.parametrize("written", ["Anna Strauß", "ANNA STRAUSS", "anna strauss", "anna STRAUß"])
def test_a_name_is_taken_out_however_its_letters_are_written(written: str) -> None:
    assert Redaction(names=frozenset({"Anna Strauß"})).out_of(f"ask {written}.") == "ask someone."


def test_a_name_is_taken_out_whether_or_not_its_accents_stand_apart() -> None:
    assert Redaction(names=frozenset({"Zoe\u0301 Able"})).out_of("ask Zo\u00e9 Able.") == "ask someone."
    assert Redaction(names=frozenset({"Zo\u00e9 Able"})).out_of("ask Zoe\u0301 Able.") == "ask someone."


def test_a_member_who_is_known_to_be_in_a_reason_leaves_it_with_the_others() -> None:
    flag = Flag(NOW, Source.SLACK, "Ada", "ask Bob", "ask a member")
    outcome = o.OopsSet(flag=flag, ended=None, **COMMON)
    changed = without(outcome, EVERYBODY)
    assert isinstance(changed, o.OopsSet)
    assert (changed.flag.reason, changed.flag.public_reason) == ("ask a member", "")
    hidden = without_names(outcome)
    assert full_text(hidden) == "Mill is oopsed, from Slack: ask a member."
    assert without(outcome, Redaction(names=frozenset({"Bob"}))).facts(Flag)["flag"].reason == "ask …"


def test_who_changed_a_user_is_forgotten_too() -> None:
    author = Author(NOW, Source.HTTP, "Ann Able", "for Ann Able")
    assert without_author(author, REDACTION).by != "Ann Able"
    assert "Ann Able" not in str(without_author(author, REDACTION).reason)
