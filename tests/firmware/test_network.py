"""A server that is slow, hangs, is gone, comes back, or says what can't be understood."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.processes import PATIENCE, ServerProcess
from tests.fakes import wait_until
from tests.firmware.conftest import MakeReader, next_answer
from tests.firmware.link import Link
from tests.firmware.reader import BJORN, EMPTY, NO_ANSWER, OOPSED, PATIENT_MS, TAKE_OUT, WELCOME, Reader

pytestmark = pytest.mark.firmware

DAYS = 86400.0

GREEN = "0.143595"
"""Half of all light, as an eye sees it."""


def test_a_card_that_was_in_and_out_while_a_heartbeat_hung_starts_nothing(
    reader: Reader, link: Link, server: ServerProcess
) -> None:
    link.hang()
    reader.later(10)
    heartbeat = link.next_report()
    reader.card_in(BJORN)
    reader.do("card out")
    link.hangs = False  # for what comes next
    reader.later(PATIENT_MS / 1000)
    assert heartbeat.hung_up.wait(PATIENCE)
    next_answer(reader, link, rfid_value="")
    assert not reader.did("relay on")
    assert server.call("GET", "/api/machines/table-saw/events?kind=session_started")[1]["events"] == []


def test_a_card_that_got_no_answer_must_be_put_in_again(reader: Reader, link: Link) -> None:
    link.hang()
    reader.card_in(BJORN)
    link.next_report(rfid_value=BJORN)
    link.hangs = False  # for what comes next
    reader.later(PATIENT_MS / 1000)
    reader.expect(TAKE_OUT)
    reader.expect(EMPTY)
    reader.do(f"code {BJORN}")  # some readers read a card again and again
    reader.later(10)
    next_answer(reader, link, rfid_value="")
    assert not reader.did("relay on")
    reader.do("card out")
    reader.card_in(BJORN)
    reader.expect("relay on")


def test_an_answer_has_three_seconds(make_reader: MakeReader, link: Link) -> None:
    reader = make_reader(timeout_ms=None)
    link.hang()
    reader.later(10)
    unheard = link.next_report()
    reader.later(3)
    assert unheard.hung_up.wait(PATIENCE)
    reader.expect(NO_ANSWER)


def test_a_machine_that_runs_goes_on_when_the_server_is_killed_and_comes_back(
    reader: Reader, link: Link, server: ServerProcess, tmp_path: Path
) -> None:
    reader.card_in(BJORN)
    reader.expect(WELCOME)
    server.kill()
    reader.later(10)
    reader.expect(NO_ANSWER)
    with ServerProcess(tmp_path) as again:
        link.server_port = again.port
        reader.later(10)
        reader.expect(WELCOME)
        assert again.machine("table-saw")["status"] == "in_use"
    assert not reader.did("relay off")


def test_a_card_taken_out_while_the_server_is_gone_stops_the_machine_and_ends_the_session(
    reader: Reader, link: Link, server: ServerProcess
) -> None:
    reader.card_in(BJORN)
    reader.expect(WELCOME)
    reader.expect(f"green {GREEN}")
    link.cut()
    reader.do("card out")
    reader.expect("relay off")
    reader.expect(NO_ANSWER)
    wait_until(lambda: reader.shows("green") == f"{0:f}")
    link.mend()
    reader.expect(EMPTY)
    assert server.machine("table-saw")["status"] == "idle"


def test_an_always_on_machine_is_stopped_by_no_card(make_reader: MakeReader, link: Link, server: ServerProcess) -> None:
    """It was cleared with a card in; then the link is lost, the card is taken out, and the link is back."""
    reader = make_reader("dust-collector", first="Always On")
    reader.card_in(BJORN)
    server.call("POST", "/api/machine/oops/dust-collector")
    reader.later(10)
    reader.expect("relay off")
    server.call("POST", "/api/machine/clear/dust-collector")
    reader.later(10)
    reader.expect("relay on")
    reader.expect("display Always On")
    link.cut()
    reader.later(10)
    reader.expect(NO_ANSWER)
    reader.do("card out")
    link.mend()
    reader.later(10)
    reader.expect("display Always On")
    assert reader.did("relay off") == 1


def test_a_lock_arrives_with_the_next_heartbeat(reader: Reader, server: ServerProcess) -> None:
    reader.card_in(BJORN)
    reader.expect("relay on")
    server.call("POST", "/api/machine/locked_out/table-saw")
    reader.later(10)
    reader.expect("relay off")
    reader.expect("display Down for|maintenance")


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_reader_with_a_wrong_token_starts_nothing(tmp_path: Path, token: str | None) -> None:
    with (
        ServerProcess(tmp_path, MAC_READER_TOKEN="right") as server,
        Link(server.port) as link,
        Reader(tmp_path, link.url, token=token) as reader,
        Reader(tmp_path, link.url, token="right") as right,
    ):
        reader.expect("display The server says|error 401")
        reader.card_in(BJORN)
        reader.expect(TAKE_OUT)
        assert not reader.did("relay on")
        right.expect(EMPTY)


ON = b'{"relay": true, "display": "x", "oops_led": false, "status_led_rgb": [0, 1, 0], "status_led_brightness": 1, '


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2000\r\n\r\n" + ON + b'"second_relay": false}', id="half"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + ON, id="half-without-length"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n<html>a proxy</html>", id="no-json"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n[true]", id="no-object"),
        pytest.param(b'HTTP/1.0 200 OK\r\n\r\n{"relay": 1, "display": "x"}', id="no-boolean"),
        pytest.param(b'HTTP/1.0 200 OK\r\n\r\n{"relay": true, "display": null}', id="no-display"),
        pytest.param(b"HTTP/1.0 503 Busy\r\n\r\n" + ON + b'"second_relay": false}', id="503"),
        pytest.param(b"HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n" + ON + b'"second_relay": false}', id="302"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + ON + b'"x": "' + b"x" * 5000 + b'"}', id="too-long"),
        pytest.param(b"x" * 100_000, id="noise"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n" + ON + b'"x": 1}', id="negative-length"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 3000, id="deep"),
    ],
)
def test_what_is_no_whole_answer_is_none(reader: Reader, link: Link, answer: bytes) -> None:
    link.alter = lambda _: answer
    reader.card_in(BJORN)
    reader.expect(TAKE_OUT)
    reader.do("card out")
    link.alter = lambda real: real
    reader.expect(EMPTY)
    reader.card_in(BJORN)
    reader.expect(WELCOME)
    link.alter = lambda _: answer
    reader.later(10)
    said = reader.next("display")
    assert said in {NO_ANSWER, f"display The server says|error {answer[9:12].decode()}"}
    assert reader.did("relay off") == 0
    assert reader.did("relay on") == 1


def test_an_answer_that_comes_in_pieces_is_read_whole(reader: Reader, link: Link) -> None:
    link.in_pieces = True
    reader.card_in(BJORN)
    reader.expect("relay on")
    reader.expect(WELCOME)


def test_a_name_that_is_not_found_or_hangs_keeps_nobody_waiting(
    make_reader: MakeReader, link: Link, tmp_path: Path
) -> None:
    reader = make_reader(url=f"http://localhost:{link.port}")
    reader.card_in(BJORN)
    reader.expect(WELCOME)
    reader.resolver_hangs(True)
    link.cut()
    reader.later(10)  # this one finds the address of the last time, and loses it
    reader.expect(NO_ANSWER)
    link.mend()
    reader.do("card out")
    reader.expect("relay off")
    reader.later(PATIENT_MS / 1000)
    reader.do("oops pressed")
    reader.expect("oops_led on")
    reader.resolver_hangs(False)
    reader.expect(OOPSED)


def test_a_host_that_is_not_there_is_no_answer(tmp_path: Path) -> None:
    with Reader(tmp_path, "http://nowhere.invalid") as reader:
        reader.expect(NO_ANSWER)
        reader.wait_for("no such host: nowhere.invalid")


def test_sixty_days_change_nothing(reader: Reader, link: Link, server: ServerProcess) -> None:
    """32 bits of milliseconds are over after 49.7 days, and a float of seconds loses some long before."""
    reader.card_in(BJORN)
    reader.expect("relay on")
    before = link.next_report(rfid_value=BJORN).body["uptime"]
    reader.later(60 * DAYS)
    after = link.next_report().body["uptime"]
    reader.later(10)
    assert 10 <= link.next_report().body["uptime"] - after < 10 + PATIENCE
    assert isinstance(after, int)
    assert 60 * DAYS <= after - before < 60 * DAYS + PATIENCE
    reader.do("card out")
    reader.expect("relay off")
    reader.expect(EMPTY)


def test_a_reader_that_nobody_answers_restarts_but_not_under_a_running_machine(
    reader: Reader, link: Link, make_reader: MakeReader
) -> None:
    boot = link.reports[0].body["boot"]
    reader.card_in(BJORN)
    reader.expect(WELCOME)
    link.cut()
    reader.later(310)
    reader.expect(NO_ANSWER)
    reader.later(310)
    reader.do("card out")
    reader.expect("relay off")
    reader.later(10)
    assert reader.process.wait(PATIENCE) == 0
    link.mend()
    again = make_reader()
    assert again.facts
    report = link.next_report(count=1, rfid_value="")
    while link.reports[-1] is not report:
        report = link.next_report()
    assert report.body["boot"] != boot


def poke(reader: Reader, name: str, times: int = 1) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(times):
            sock.sendto(f"MAC1 {name}".encode(), ("127.0.0.1", reader.poke_port))


def test_a_poke_brings_a_report_at_once(reader: Reader, link: Link) -> None:
    link.next_report(poke=reader.poke_port)
    for name in ("", "table-sa", "table-saw2", "TABLE-SAW", "x" * 1400):
        poke(reader, name)
    poke(reader, "table-saw")
    link.next_report()
    assert [report.body["count"] for report in link.reports] == [1, 2]


def test_a_storm_of_pokes_costs_four_reports_a_second_and_oops_is_not_deaf(
    reader: Reader, link: Link, server: ServerProcess
) -> None:
    reader.card_in(BJORN)
    reader.expect("relay on")
    over, pause = threading.Event(), threading.Event()

    def storm() -> None:
        while not over.is_set():
            poke(reader, "table-saw")
            pause.wait(0.001)

    thread = threading.Thread(target=storm)
    began = reader.do("oops released")
    link.skip()
    before = len(link.reports)
    thread.start()
    try:
        for _ in range(8):
            link.next_report(rfid_value=BJORN)
        ended = reader.do("oops pressed")
        assert reader.shows("relay") == "off"
        # Beside these there are the first at once, a heartbeat, that of Oops, and one that was on its way.
        assert len(link.reports) - before <= 4 * (ended - began) + 4
        reader.expect(OOPSED)
        # What it has seen it has obeyed. A busy computer delays that now and then; a reader that is deaf is so always.
        delays = []
        for what in ["oops released", "oops pressed"] * 5:
            pressed = time.monotonic()
            delays.append(reader.do(what) - pressed)
        assert min(delays) < 0.1
    finally:
        over.set()
        thread.join()
