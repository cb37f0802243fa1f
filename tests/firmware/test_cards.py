"""Cards: what starts a machine, and what stops it, whatever the network does meanwhile."""

from __future__ import annotations

import pytest

from tests.e2e.processes import PATIENCE, ServerProcess
from tests.fakes import wait_until
from tests.firmware.conftest import MakeReader, next_answer
from tests.firmware.link import Link
from tests.firmware.reader import ADA, BJORN, EMPTY, NO_ANSWER, UNKNOWN, WELCOME, Reader

pytestmark = pytest.mark.firmware


def test_a_card_starts_the_machine_and_taking_it_out_stops_it(
    reader: Reader, link: Link, server: ServerProcess
) -> None:
    reader.card_in(BJORN)
    reader.expect("relay on")
    reader.expect(WELCOME)
    assert server.machine("table-saw")["status"] == "in_use"
    link.hold()  # the reader stops it itself
    reader.do("card out")
    reader.expect("relay off")
    link.next_report(rfid_value="")
    wait_until(lambda: server.machine("table-saw")["status"] == "idle")


def test_cards_that_may_not_start_nothing(reader: Reader) -> None:
    reader.card_in(UNKNOWN)
    reader.expect("display Unknown RFID")
    reader.do("card out")
    reader.expect(EMPTY)
    reader.card_in(ADA)
    reader.expect("display Unauthorized")
    assert not reader.did("relay on")


def test_both_relays_go_on_and_off(make_reader: MakeReader) -> None:
    reader = make_reader("co2-laser")
    reader.card_in("1000003")
    reader.expect("relay on")
    reader.expect("second_relay on")
    reader.do("card out")
    assert reader.shows("relay") == reader.shows("second_relay") == "off"


def test_a_card_that_left_before_the_answer_came_starts_nothing(
    reader: Reader, link: Link, server: ServerProcess
) -> None:
    link.hold()
    reader.card_in(BJORN)
    asked = link.next_report(rfid_value=BJORN)
    assert asked.answered.wait(PATIENCE)
    reader.do("card out")
    link.holds = False
    asked.let_go.set()
    next_answer(reader, link, rfid_value="")
    assert not reader.did("relay on")
    assert not reader.did(WELCOME)
    assert server.machine("table-saw")["status"] == "idle"


def test_of_cards_that_change_while_a_request_is_under_way_the_last_one_counts(reader: Reader, link: Link) -> None:
    link.hold()
    reader.card_in(BJORN)
    asked = link.next_report(rfid_value=BJORN)
    reader.do("card out")
    reader.card_in(ADA)
    reader.do("card out")
    reader.card_in(UNKNOWN)
    link.holds = False
    asked.let_go.set()
    reader.expect("display Unknown RFID")
    assert not reader.did("relay on")
    assert [report.body["rfid_value"] for report in link.reports[-2:]] == [BJORN, UNKNOWN]


def test_a_card_that_is_read_in_place_of_another_stops_that_ones_machine_at_once(reader: Reader, link: Link) -> None:
    reader.card_in(BJORN)
    reader.expect("relay on")
    link.hold()
    reader.do(f"code {ADA}")
    assert reader.shows("relay") == "off"
    link.next_report(rfid_value=ADA).let_go.set()
    reader.expect("display Unauthorized")


def test_a_card_that_replaced_another_keeps_its_machine_when_an_answer_is_missing(
    make_reader: MakeReader, link: Link
) -> None:
    reader = make_reader("drill_press")
    reader.card_in(ADA)
    reader.expect("relay on")
    reader.do(f"code {BJORN}")
    reader.expect("relay off")
    reader.expect("relay on")
    reader.expect(WELCOME)
    link.cut()
    reader.later(10)
    reader.expect(NO_ANSWER)
    link.mend()
    reader.later(10)
    reader.expect(WELCOME)
    assert reader.did("relay off") == 1


def test_a_code_counts_with_the_card_in_alone(reader: Reader, link: Link) -> None:
    reader.do(f"code {BJORN}")
    reader.later(0.6)
    reader.do("card in")
    reader.later(10)
    next_answer(reader, link)
    assert {report.body["rfid_value"] for report in link.reports} == {""}
    reader.do("card out")
    reader.do(f"code {BJORN}", "card in")  # a card that is read while it slides in
    reader.expect("relay on")


def test_a_card_that_is_in_at_power_up_starts_nothing(make_reader: MakeReader, link: Link) -> None:
    reader = make_reader(at_boot="card")
    reader.do(f"code {BJORN}")
    reader.later(10)
    next_answer(reader, link)
    assert {report.body["rfid_value"] for report in link.reports} == {""}
    reader.do("card out")
    reader.card_in(BJORN)
    reader.expect("relay on")


def test_new_firmware_stops_the_machine_and_it_does_not_go_on_by_itself_when_that_fails(
    reader: Reader, link: Link
) -> None:
    reader.card_in(BJORN)
    reader.expect(WELCOME)
    link.hold()
    reader.later(10)
    heartbeat = link.next_report()
    reader.do("firmware comes")
    assert reader.shows("relay") == "off"
    link.release()
    assert heartbeat.let_go.is_set()
    reader.expect(EMPTY)
    reader.do(f"code {BJORN}")
    reader.later(10)
    next_answer(reader, link, rfid_value="")
    assert reader.did("relay on") == 1


def test_after_new_firmware_that_failed_with_no_card_in_the_next_card_counts(reader: Reader) -> None:
    reader.do("firmware comes")
    reader.card_in(BJORN)
    reader.expect("relay on")
    reader.expect(WELCOME)
