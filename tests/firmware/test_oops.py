"""Oops: off at once, and told until the server knows it."""

from __future__ import annotations

import pytest

from tests.e2e.processes import PATIENCE, ServerProcess
from tests.firmware.conftest import MakeReader, next_answer
from tests.firmware.link import Link
from tests.firmware.reader import BJORN, FROYA, NOT_HEARD, OOPSED, PATIENT_MS, Reader

pytestmark = pytest.mark.firmware


def test_oops_while_a_request_is_under_way_is_obeyed_before_its_answer(
    reader: Reader, link: Link, server: ServerProcess
) -> None:
    reader.card_in(BJORN)
    reader.expect("relay on")
    link.hold()
    reader.later(10)
    heartbeat = link.next_report(oops=False)
    reader.do("oops pressed")
    reader.do("oops released")
    assert reader.shows("relay") == "off"
    assert not heartbeat.let_go.is_set()
    link.holds = False
    heartbeat.let_go.set()  # which says that the machine is on
    reader.expect(OOPSED)
    assert [report.body["oops"] for report in link.reports[-2:]] == [False, True]
    assert reader.did("relay on") == 1
    machine = server.machine("table-saw")
    assert (machine["status"], machine["oops"]["source"]) == ("oopsed", "button")


def test_oops_stops_an_override_session_and_its_card_must_be_put_in_again(
    reader: Reader, link: Link, server: ServerProcess
) -> None:
    server.call("POST", "/api/machine/oops/table-saw")
    reader.later(10)
    reader.expect(OOPSED)
    reader.card_in(FROYA)
    reader.expect("relay on")
    reader.expect("display OVERRIDE BY|Froya")
    reader.do("oops pressed", "oops released")
    reader.expect("relay off")
    reader.expect(OOPSED)
    (ended,) = server.call("GET", "/api/events?details=1&kind=session_ended")[1]["events"]
    assert ended["outcome"]["ended"]["reason"] == "oops"
    reader.do(f"code {FROYA}")
    reader.later(10)
    next_answer(reader, link, oops=False, rfid_value="")
    assert reader.did("relay on") == 1
    reader.do("card out")
    reader.card_in(FROYA)
    reader.expect("relay on")


def test_a_press_that_nobody_heard_is_told_until_it_is_answered(
    make_reader: MakeReader, link: Link, server: ServerProcess
) -> None:
    reader = make_reader("dust-collector", first="Always On")
    reader.expect("oops_led off")
    link.hang()
    reader.do("oops pressed", "oops released")
    reader.expect("relay off")
    reader.expect("oops_led on")
    for _ in range(3):
        unheard = link.next_report(oops=True)
        reader.later(PATIENT_MS / 1000)
        assert unheard.hung_up.wait(PATIENCE)
        reader.later(1)
    reader.expect(NOT_HEARD)
    link.cut()
    link.hangs = False
    link.mend()
    reader.expect(OOPSED)
    assert server.machine("dust-collector")["status"] == "oopsed"
    reader.later(10)
    link.next_report(oops=False)
    assert reader.did("relay on") == 1


def test_oops_stops_a_machine_whose_server_is_gone(reader: Reader, link: Link) -> None:
    reader.card_in(BJORN)
    reader.expect("relay on")
    link.cut()
    reader.do("oops pressed", "oops released")
    reader.expect("relay off")
    reader.expect(NOT_HEARD)
    link.mend()
    reader.expect(OOPSED)
    assert reader.did("relay on") == 1


def test_a_press_during_the_report_of_another_is_told_too(reader: Reader, link: Link, server: ServerProcess) -> None:
    link.hold()
    reader.do("oops pressed")
    first = link.next_report(oops=True)
    assert first.answered.wait(PATIENCE)
    server.call("POST", "/api/machine/clear/table-saw")
    reader.do("oops released")
    reader.do("oops pressed")
    reader.do("oops released")
    link.holds = False
    first.let_go.set()
    again = link.next_report(oops=True)
    assert again.answered.wait(PATIENCE)
    assert server.machine("table-saw")["status"] == "oopsed"


def test_a_button_that_is_held_at_power_up_is_pressed(
    make_reader: MakeReader, link: Link, server: ServerProcess
) -> None:
    link.cut()
    reader = make_reader("dust-collector", first="Oops! But no|answer comes", at_boot="oops")
    reader.do("oops released")
    link.mend()
    reader.expect(OOPSED)
    assert not reader.did("relay on")
    assert server.machine("dust-collector")["oops"]["source"] == "button"
