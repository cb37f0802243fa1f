"""A reader with a key: it is believed, and believes, nobody else."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from tests.e2e.processes import PATIENCE, ServerProcess
from tests.firmware.conftest import MakeReader
from tests.firmware.link import Answer, Link, Report
from tests.firmware.reader import BJORN, EMPTY, NO_ANSWER, OOPSED, TAKE_OUT, WELCOME, Reader
from tests.web.signed import sign

pytestmark = pytest.mark.firmware

WRONG_KEY = "display Wrong key in the|server's answer"
OTHER_KEY = "0f" * 32


def key_of(server: ServerProcess, machine: str = "table-saw", method: str = "POST") -> str:
    """Give the reader of a machine a key."""
    status, answer = server.call(method, f"/api/reader/{machine}/key")
    assert status == 200
    return str(answer["key"])


@pytest.fixture
def key(server: ServerProcess) -> str:
    return key_of(server)


@pytest.fixture
def keyed(make_reader: MakeReader, key: str) -> Reader:
    """The reader of the table saw, which has a key."""
    return make_reader(key=key)


def signature(text: bytes) -> bytes:
    found = re.search(rb"(?i)\r\nX-MAC-Signature: ([0-9a-f]{64})\r\n", text)
    assert found, text
    return found[1]


def replay(server: ServerProcess, report: Report) -> Answer:
    """Send what somebody has recorded."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
        sock.sendall(report.head + report.sent)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_a_reader_with_a_key_works_as_any_other(keyed: Reader, link: Link, key: str, server: ServerProcess) -> None:
    keyed.card_in(BJORN)
    keyed.expect("relay on")
    keyed.expect(WELCOME)
    assert server.machine("table-saw")["status"] == "in_use"
    keyed.do("card out")
    keyed.expect("relay off")
    keyed.expect(EMPTY)
    keyed.do("oops pressed", "oops released")
    keyed.expect(OOPSED)
    assert server.machine("table-saw")["oops"]["source"] == "button"
    first, *others = link.reports
    assert first.body["nonce"] == ""
    assert len({report.body["nonce"] for report in others}) == len(others)
    for report in link.reports:
        assert signature(report.head).decode() == sign(key, report.sent)


@pytest.mark.parametrize("had", [True, False], ids=["another", "none"])
def test_a_reader_whose_key_the_server_does_not_know_starts_nothing(
    make_reader: MakeReader, server: ServerProcess, had: bool
) -> None:
    if had:
        key_of(server)
    reader = make_reader(key=OTHER_KEY, first="The server says|error 401")
    reader.card_in(BJORN)
    reader.expect(TAKE_OUT)
    assert not reader.did("relay on")
    machine = server.machine("table-saw")
    assert machine["status"] == "idle"
    assert "key" in machine["refused"]


def unsigned(answer: Answer, _link: Link) -> Answer:
    return re.sub(rb"(?i)X-MAC-Signature: .*\r\n", b"", answer)


def signed_by_somebody(answer: Answer, link: Link) -> Answer:
    head, body = answer.split(b"\r\n\r\n", 1)
    made = sign(OTHER_KEY, signature(link.reports[-1].head) + body).encode()
    return head.replace(signature(answer), made) + b"\r\n\r\n" + body


def changed(answer: Answer, _link: Link) -> Answer:
    return answer.replace(b'"relay":false', b'"relay":true ').replace(b'"relay":true,', b'"relay":false')


def to_an_older_report(_answer: Answer, link: Link) -> Answer:
    return next(report.answer for report in link.reports if b'"relay":true' in report.answer)


def half_a_signature(answer: Answer, _link: Link) -> Answer:
    return answer.replace(signature(answer), signature(answer)[:63])


@pytest.mark.parametrize("forge", [unsigned, signed_by_somebody, changed, to_an_older_report, half_a_signature])
def test_an_answer_that_is_not_signed_or_is_to_an_older_report_is_none(
    keyed: Reader, link: Link, forge: object
) -> None:
    assert callable(forge)
    keyed.card_in(BJORN)
    keyed.expect("relay on")
    keyed.expect(WELCOME)
    link.alter = lambda answer: forge(answer, link)
    keyed.later(10)
    keyed.expect(WRONG_KEY)
    assert not keyed.did("relay off")  # a machine that runs goes on
    keyed.do("card out")
    keyed.expect("relay off")
    keyed.card_in(BJORN)
    keyed.expect(TAKE_OUT)
    assert keyed.did("relay on") == 1
    link.alter = lambda answer: answer
    keyed.do("card out")
    keyed.expect(EMPTY)
    keyed.card_in(BJORN)
    keyed.expect("relay on")


def test_what_somebody_has_recorded_starts_nothing_and_stops_nothing(
    keyed: Reader, link: Link, server: ServerProcess
) -> None:
    keyed.card_in(BJORN)
    keyed.expect(WELCOME)
    keyed.do("card out")
    keyed.expect(EMPTY)
    recorded = list(link.reports)
    for report in recorded:
        assert b'"relay":false' in replay(server, report)
    assert server.machine("table-saw")["status"] == "idle"
    keyed.card_in(BJORN)
    keyed.expect("relay on")
    keyed.expect(WELCOME)
    for report in recorded:
        replay(server, report)
    assert server.machine("table-saw")["status"] == "in_use"
    link.skip()
    keyed.later(10)
    assert link.next_report(rfid_value=BJORN).answered.wait(PATIENCE)
    assert b'"applied"' not in link.reports[-1].answer  # nobody has spent its nonce
    assert keyed.did("relay off") == 1


def test_after_a_restart_of_the_server_a_machine_goes_on_and_a_press_of_oops_is_not_lost(
    make_reader: MakeReader, link: Link, server: ServerProcess, tmp_path: Path
) -> None:
    """The server has forgotten the nonces."""
    reader = make_reader("dust-collector", first="Always On", key=key_of(server, "dust-collector"))
    server.kill()
    with ServerProcess(tmp_path) as again:
        link.server_port = again.port
        link.skip()
        reader.later(10)
        assert link.next_report().answered.wait(PATIENCE)
        told = link.next_report()
        assert told.answered.wait(PATIENCE)
        assert [b'"applied":false' in report.answer for report in link.reports[-2:]] == [True, False]
        assert reader.did("relay off") == 0
        again.kill()
    with ServerProcess(tmp_path) as again:
        link.server_port = again.port
        reader.do("oops pressed", "oops released")
        reader.expect("relay off")
        reader.expect(OOPSED)
        assert reader.did("relay on") == 1
        assert again.machine("dust-collector")["oops"]["source"] == "button"


def test_a_lost_answer_costs_one_report_more(keyed: Reader, link: Link, server: ServerProcess) -> None:
    link.alter = lambda _: b""
    keyed.do("oops pressed", "oops released")
    keyed.expect("oops_led on")
    assert link.next_report(oops=True).answered.wait(PATIENCE)
    link.alter = lambda answer: answer
    server.call("POST", "/api/machine/clear/table-saw")
    keyed.later(1)
    keyed.expect(OOPSED)  # whoever cleared it did not know that it was pressed: it is told until it is answered
    assert server.machine("table-saw")["status"] == "oopsed"


def test_reports_that_never_count_come_once_more_at_once_and_then_by_the_second(
    keyed: Reader, link: Link, key: str
) -> None:
    """Somebody with the key, a second board perhaps, is always quicker."""

    def not_applied(answer: Answer) -> Answer:
        body = json.dumps(json.loads(answer.split(b"\r\n\r\n", 1)[1]) | {"applied": False, "relay": True}).encode()
        made = sign(key, signature(link.reports[-1].head) + body)
        return f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\nx-mac-signature: {made}\r\n\r\n".encode() + body

    link.alter = not_applied
    link.skip()
    keyed.card_in(BJORN)
    for _ in range(2):
        link.next_report(rfid_value=BJORN)
    before = len(link.reports)
    for more in range(1, 4):
        keyed.later(1)
        link.next_report(rfid_value=BJORN)
        assert len(link.reports) == before + more
    assert not keyed.did("relay on")
    link.alter = lambda answer: answer
    keyed.later(1)
    keyed.expect(WELCOME)
    assert keyed.shows("relay") == "on"


def test_a_board_with_the_new_key_replaces_the_one_with_the_old(
    make_reader: MakeReader, keyed: Reader, server: ServerProcess
) -> None:
    new = key_of(server, method="PUT")
    keyed.card_in(BJORN)
    keyed.expect(WELCOME)
    keyed.kill()
    replaced = make_reader(key=new)
    replaced.card_in(BJORN)
    replaced.expect("relay on")
    again = make_reader(key=keyed.key, first="The server says|error 401")
    again.card_in(BJORN)
    again.expect(TAKE_OUT)


def test_no_answer_is_no_answer_with_a_key_too(keyed: Reader, link: Link) -> None:
    link.cut()
    keyed.later(10)
    keyed.expect(NO_ANSWER)
