"""What is wrong with a machine, said after the stop: it changes nothing, and is gone with the incident."""

from __future__ import annotations

import pytest

from mac_actors.core.decision import Already, Decision
from mac_actors.core.inputs import AddDetails, Input
from mac_actors.core.notices import Channel, Notice, notices
from mac_actors.core.outcomes import DetailsAdded
from mac_actors.core.outputs import outputs
from mac_actors.core.redaction import Redaction, without
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import MachineState, Severity, Source
from mac_actors.core.transitions import decide
from mac_actors.core.wording import details_text
from tests.core.examples import MILL, PEOPLE, T0, after, clear, fresh, lock, run, unlock, unoops
from tests.core.examples import OOPSED as OOPSED_ALONE

OOPSED = fresh(MILL, OOPSED_ALONE)


def give(state: MachineState, *events: Input) -> Decision:
    return run(MILL, PEOPLE, state, events)


def say(text: str, seconds: float = 60.0, **more: object) -> AddDetails:
    return AddDetails(after(seconds), Source.SLACK, "Eve Admin", text, **more)  # type: ignore[arg-type]


def test_details_belong_to_the_incident_and_change_nothing_else() -> None:
    found = give(OOPSED, say("bearing is loud", severity=Severity.WITH_CARE))
    state = found.state
    assert state.details
    assert (state.details.reason, state.details.severity) == ("bearing is loud", Severity.WITH_CARE)
    assert state.details.incident == OOPSED.oops.since if OOPSED.oops else None
    assert found.changed
    assert [type(outcome) for outcome in found.outcomes] == [DetailsAdded]
    assert outputs(MILL, state) == outputs(MILL, OOPSED)
    assert (state.status, state.status_since, state.last_update) == (
        OOPSED.status, OOPSED.status_since, OOPSED.last_update,
    )  # fmt: skip


def test_the_last_details_are_kept_until_neither_oops_nor_lock_is_left() -> None:
    state = give(OOPSED, say("first"), lock(), say("second", 120.0)).state
    assert state.details
    assert state.details.reason == "second"
    assert OOPSED.oops
    assert state.details.incident == OOPSED.oops.since
    assert give(state, unoops()).state.details == state.details
    assert give(state, unlock()).state.details == state.details
    assert give(state, clear()).state.details is None
    assert give(state, unoops(), unlock()).state.details is None


def test_details_of_what_is_over_are_refused() -> None:
    for state, about in ((fresh(MILL), None), (OOPSED, after(-1000))):
        decision = decide(MILL, PEOPLE, state, say("late", about=about))
        assert decision.already == (Already.OVER,)
        assert decision.state == state
        assert not decision.changed


@pytest.mark.parametrize("part", ["oops", "lock"])
def test_details_of_either_notice_of_an_incident_are_taken(part: str) -> None:
    state = give(OOPSED, lock()).state
    about = getattr(state, part).since
    assert give(state, say("it", about=about)).state.details


def test_details_are_posted_in_both_channels_in_the_thread_of_the_incident() -> None:
    found = give(OOPSED, say("bearing is loud"))
    control, public = notices(found.outcomes[0], found.state)
    assert control.channel is Channel.CONTROL
    assert "Eve Admin" in control.text
    assert public == Notice(Channel.OOPS, "Metal Mill: details: bearing is loud. Unusable.", within=control.within)
    assert [key.flag for key in control.within] == ["oops"]


def test_names_in_details_are_hidden_and_forgotten() -> None:
    found = give(OOPSED, say("ask Eve Admin", public_reason="ask a member"))
    [outcome] = found.outcomes
    shown = Snapshot.of(MILL, found.state, T0).without_names().details
    assert shown
    assert details_text(shown, names=True) == "unusable: ask a member"
    assert found.state.details
    assert details_text(found.state.details, names=True) == "unusable, by Eve Admin: ask Eve Admin"
    forgotten = without(outcome, Redaction(names=frozenset({"Eve Admin"})))
    assert "Eve" not in repr(forgotten)
    assert outcome.origin == found.state.details


def test_the_same_details_at_the_same_moment_are_said_once() -> None:
    found = decide(MILL, PEOPLE, give(OOPSED, say("bearing is loud")).state, say("bearing is loud"))
    assert not found.changed
    assert found.outcomes == ()
