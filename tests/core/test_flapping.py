"""A card that comes and goes all the time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mac_actors.core.config import User
from mac_actors.core.flapping import AT_MOST, Flapping
from mac_actors.core.inputs import Input
from mac_actors.core.outcomes import Outcome
from tests.core.examples import ANNA, BEN, MILL, PEOPLE, STRANGER, UP, fob_of, fresh, oops, report, run


def outcomes(cards: Sequence[User | str], every: float = 3, *more: Input) -> tuple[Outcome, ...]:
    """Return what comes of cards (and of no card, after each), one every few seconds."""
    events: list[Input] = []
    for number, card in enumerate(cards):
        at = every * number
        events += [report(card, at, uptime=UP), report(None, at + every / 2, uptime=UP)]
    return run(MILL, PEOPLE, fresh(MILL), [*events, *more]).outcomes


def hidden(given: Sequence[Outcome], flapping: Flapping) -> list[bool]:
    return [flapping.hides(outcome, outcome.at.timestamp()) for outcome in given]


@pytest.mark.parametrize("card", [ANNA, BEN, STRANGER])
def test_from_the_seventh_time_in_a_minute_on_the_journal_alone_has_it(card: User | str) -> None:
    flapping = Flapping()
    given = outcomes([card] * 20)
    shown = [outcome for outcome, hide in zip(given, hidden(given, flapping), strict=True) if not hide]
    assert len([outcome for outcome in shown if outcome.fob == fob_of(card)]) == AT_MOST
    assert len(shown) <= 2 * AT_MOST
    assert flapping.count == 20


def test_a_card_that_is_put_in_seldom_and_cards_of_several_people_are_shown_each_time() -> None:
    assert not any(hidden(outcomes([ANNA] * 20, 20), Flapping()))
    assert not any(hidden(outcomes([ANNA, BEN] * 10), Flapping()))


def test_it_is_over_once_after_a_minute_of_quiet() -> None:
    flapping = Flapping()
    given = outcomes([ANNA] * 8)
    assert not flapping.is_over(0)
    hidden(given, flapping)
    last = given[-2].at.timestamp()
    assert [flapping.is_over(last + seconds) for seconds in (1, 60, 61, 62)] == [False, False, True, False]
    assert not any(hidden(outcomes([ANNA] * 2), flapping))


def test_another_card_ends_it_and_an_oops_is_always_shown() -> None:
    flapping = Flapping()
    given = outcomes([ANNA] * 8, 3, oops(30), report(BEN, 40, uptime=UP))
    assert hidden(given, flapping)[-2:] == [False, False]
    assert not flapping.active
