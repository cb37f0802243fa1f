"""How the post of an oops or a lock stands, and lines of the journal as programs see them."""

from __future__ import annotations

from mac_actors.core.events import event_fields
from mac_actors.core.notices import Channel, ThreadKey, standing
from mac_actors.core.outcomes import Cleared, OopsSet
from mac_actors.core.transitions import decide
from tests.core.examples import ADMIN, BOTH, FREE, MILL, PEOPLE, T0, clear, fresh, oops


def test_the_post_of_an_oops_says_of_a_lock_and_then_how_it_ended() -> None:
    both = fresh(MILL, BOTH)
    assert both.oops
    key = ThreadKey(MILL.name, "oops", both.oops.since)
    stands = standing(Channel.CONTROL, key, both, None)
    assert stands.locked
    assert not stands.over
    assert stands.lines[-1].startswith("Locked out by ")
    (cleared,) = decide(MILL, PEOPLE, both, clear(60)).outcomes
    assert isinstance(cleared, Cleared)
    ended = standing(Channel.CONTROL, key, None, cleared)
    assert ended.over
    assert ended.lines[0].startswith(f"Cleared by {ADMIN}")
    assert ADMIN not in standing(Channel.OOPS, key, None, cleared).lines[0]


def test_the_post_of_an_oops_that_is_not_the_present_one_shows_nothing() -> None:
    key = ThreadKey(MILL.name, "oops", T0)
    for state in (None, fresh(MILL, FREE), decide(MILL, PEOPLE, fresh(MILL), oops(60)).state):
        assert standing(Channel.CONTROL, key, state, None).lines == ()


def test_a_line_of_the_journal_names_whoever_did_it_only_where_names_are_shown() -> None:
    (outcome,) = decide(MILL, PEOPLE, fresh(MILL), oops()).outcomes
    assert isinstance(outcome, OopsSet)
    named, nameless = (event_fields(7, outcome, names=names) for names in (True, False))
    assert (named["id"], named["kind"], named["machine"]) == (7, "oops_set", MILL.name)
    assert named["by"] == ADMIN
    assert nameless["by"] is None
    assert ADMIN not in str(nameless)
