"""One fob in two machines at once, and one that comes and goes all the time: what the control channel is told."""

from __future__ import annotations

import pytest

from mac_actors import clock
from mac_actors.core.flapping import AT_MOST
from mac_actors.fleet.doubled_fobs import DoubledFobs
from tests.core.examples import ANNA, LAMP, MILL, PEOPLE, SAW, STRANGER, after, fresh, with_card
from tests.fakes import ANN, Clock, RecordingChat, open_fleet, report, written


def test_a_fob_in_two_machines_is_said_once_until_it_is_in_one_alone() -> None:
    doubled, now = DoubledFobs(), after(20)
    mill, saw = (MILL, with_card(MILL, ANNA)), (SAW, with_card(SAW, ANNA))
    assert doubled.look([mill, (SAW, fresh(SAW))], PEOPLE, now) == []
    [said] = doubled.look([mill, saw], PEOPLE, now)
    assert said.startswith("Anna Adler's fob is in Metal Mill and table-saw at once")
    assert doubled.look([mill, saw], PEOPLE, now) == []
    assert doubled.look([mill, (SAW, fresh(SAW))], PEOPLE, now) == []
    assert len(doubled.look([mill, saw], PEOPLE, now)) == 1


def test_an_unknown_fob_and_one_in_an_always_enabled_machine_are_said_too() -> None:
    both = [(MILL, with_card(MILL, STRANGER)), (LAMP, with_card(LAMP, STRANGER))]
    [said] = DoubledFobs().look(both, PEOPLE, after(20))
    assert said.startswith(f"The fob ending in {STRANGER[-4:]} is in Metal Mill and lamp at once")


def test_a_silent_reader_may_have_lost_its_card() -> None:
    both = [(MILL, with_card(MILL, ANNA)), (SAW, with_card(SAW, ANNA, at=200))]
    assert DoubledFobs().look(both, PEOPLE, after(200)) == []


def test_the_other_fob_of_the_same_person_is_another_one() -> None:
    both = [(MILL, with_card(MILL, ANNA)), (SAW, with_card(SAW, ANNA.fob_codes[1]))]
    assert DoubledFobs().look(both, PEOPLE, after(20)) == []


def test_the_control_channel_is_told_of_a_fob_in_two_machines() -> None:
    chat = RecordingChat()
    with open_fleet(chat=chat) as fleet:
        report(fleet, "metal-mill", ANN)
        report(fleet, "router", ANN)
        texts = chat.texts(3)
        assert sum("Ann Able's fob is in Metal Mill and router at once" in text for text in texts) == 1


def test_a_loose_card_is_said_in_one_line_and_all_of_it_is_in_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    chat, now = RecordingChat(), Clock()
    monkeypatch.setattr(clock, "seconds", now)
    with open_fleet(chat=chat) as fleet:
        for _ in range(20):
            report(fleet, "metal-mill", ANN)
            report(fleet, "metal-mill")
        report(fleet, "metal-mill", ANN)
        now.now += 61
        report(fleet, "metal-mill", ANN)
        shown = 2 * AT_MOST
        texts = chat.texts(shown + 2)
        assert len(texts) == shown + 2
        assert "one card comes and goes" in texts[shown]
        assert texts[-1] == "Metal Mill: the card is quiet again, after 21 times. Ann Able's session runs."
        written(fleet)
        assert len(fleet.store.page(machine="metal-mill", limit=100).entries) == 41
