"""While the server is away: what the reader does by itself, and what it tells afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import PATIENCE, SAMPLES, ServerProcess
from tests.fakes import wait_until
from tests.firmware.conftest import MakeReader, next_answer
from tests.firmware.link import Answer, Link, Report
from tests.firmware.reader import ADA, BJORN, EMPTY, OOPSED, TAKE_OUT, UNKNOWN, WELCOME, Reader
from tests.firmware.test_keys import key_of

pytestmark = pytest.mark.firmware

OFFLINE, RUNS = "display Offline: Please|Insert RFID Card", "display Offline|Card accepted"
SWITCHED_OFF = "display Off: no answer|from the server"
LIST = {"after_seconds": 60, "list": True}
RULES = {
    "table-saw": LIST,
    "drill_press": LIST,
    "co2-laser": {"after_seconds": 60, "on_loss": "off"},
    "dust-collector": {"after_seconds": 60, "on_loss": "off"},
}
DAY = 24 * 3600
NOW = 1_800_000_000
NEVER_SET = 946_684_800
"""What a clock says that has lost its time: the year 2000."""


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, str]:
    """The settings of a server whose readers do something without it."""
    machines = json.loads(Path(SAMPLES["MACHINES_CONFIG"]).read_text(encoding="utf-8"))
    for name, rules in RULES.items():
        machines[name]["offline"] = rules
    (tmp_path / "machines.json").write_text(json.dumps(machines), encoding="utf-8")
    return {"MACHINES_CONFIG": str(tmp_path / "machines.json"), "MAC_PUBLIC_NAMES": "1"}


@pytest.fixture
def server(tmp_path: Path, shop: dict[str, str]) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, **shop) as server:
        yield server


@pytest.fixture
def key(server: ServerProcess) -> str:
    return key_of(server)


@pytest.fixture
def reader(make_reader: MakeReader, link: Link, key: str) -> Reader:
    """The reader of the table saw, with its list."""
    reader = make_reader(key=key)
    has_list(link)
    return reader


def has_list(link: Link) -> Report:
    """Wait until the server was told which list the reader has; return how that came."""
    wait_until(lambda: link.others and link.reports[-1].body.get("list"))
    return link.others[-1]


def lose(reader: Reader, link: Link, shown: str = OFFLINE) -> None:
    """Cut the reader off, and let a minute pass."""
    link.cut()
    reader.later(61)
    reader.do("look here")  # it has done by now with an answer that was there already
    reader.later(61)
    reader.expect(shown)


def told(server: ServerProcess) -> list[Any]:
    """Return the offline sessions in the journal, newest first."""
    events = server.call("GET", "/api/events?details=1&kind=session_ended")[1]["events"]
    return [event for event in events if event["outcome"]["ended"]["kind"] == "offline"]


def test_the_server_dies_cards_in_the_list_run_the_machine_and_the_server_learns_of_it_once(
    make_reader: MakeReader, reader: Reader, link: Link, server: ServerProcess, tmp_path: Path, shop: dict[str, str]
) -> None:
    server.call("POST", "/api/machine/locked_out/drill_press")
    locked = make_reader("drill_press", key=key_of(server, "drill_press"), first="Down for|maintenance")
    wait_until(lambda: len(link.others) == 2)
    next_answer(locked, link, machine_name="drill_press")
    server.kill()
    for one in (reader, locked):
        one.later(61)
    reader.expect(OFFLINE)
    reader.card_in(BJORN)
    reader.expect("relay on")
    reader.expect(RUNS)
    reader.later(300)
    reader.do("card out")
    reader.expect("relay off")
    for one, card in ((locked, BJORN), (reader, UNKNOWN), (reader, ADA)):
        one.card_in(card)
        one.expect(TAKE_OUT)
        one.do("card out")
        one.later(1)
        one.expect("display No answer from|the server" if one is locked else OFFLINE)
    reader.card_in(BJORN)
    reader.expect(RUNS)
    reader.later(30)
    with ServerProcess(tmp_path, **shop) as again:
        link.server_port = again.port
        reader.later(2)
        reader.expect(WELCOME)
        wait_until(lambda: len(told(again)) == 2)
        reader.later(10)
        next_answer(reader, link, machine_name="table-saw")
        last, first = told(again)
        assert first["text"].startswith(
            "Table Saw: Björn Sample's offline session ended after 5 min (without the server"
        )
        assert 300 <= first["seconds"] < 300 + PATIENCE
        assert 30 <= last["seconds"] < 30 + PATIENCE
        assert again.machine("table-saw")["status"] == "in_use", "the one that still ran goes on"
        reader.do("card out")
        wait_until(lambda: again.machine("table-saw")["status"] == "idle")
    assert (reader.did("relay on"), reader.did("relay off")) == (2, 2)
    assert not locked.did("relay on")


def test_a_server_that_is_killed_before_it_can_answer_has_the_session_once(
    reader: Reader, link: Link, server: ServerProcess, tmp_path: Path, shop: dict[str, str]
) -> None:
    lose(reader, link)
    reader.card_in(BJORN)
    reader.expect(RUNS)
    reader.do("card out")
    link.hold()
    link.mend()
    while True:
        report = link.next_report()
        assert report.answered.wait(PATIENCE)
        if report.body.get("offline") and b'"applied":false' not in report.answer:
            break
        report.let_go.set()
    server.kill()
    link.alter = lambda answer: b""
    with ServerProcess(tmp_path, **shop) as again:
        assert len(told(again)) == 1
        link.server_port = again.port
        link.release()
        wait_until(lambda: report.hung_up.is_set() or report.let_go.is_set())
        link.alter = lambda answer: answer
        reader.later(10)
        wait_until(lambda: link.reports[-1] is not report and not link.reports[-1].body.get("offline"))
        assert len(told(again)) == 1


def test_nothing_starts_before_the_time_is_over_and_a_reader_whose_list_is_old_restarts(
    reader: Reader, link: Link
) -> None:
    link.cut()
    reader.later(30)
    reader.card_in(BJORN)
    reader.expect(TAKE_OUT)
    reader.do("card out")
    reader.later(31)
    reader.expect(OFFLINE)
    reader.later(310)  # a reader without a list would restart
    reader.card_in(BJORN)
    reader.expect(RUNS)
    reader.do("card out")
    reader.later(DAY)
    assert reader.process.wait(PATIENCE) == 0
    assert reader.did("relay on") == 1


def test_a_card_that_is_in_when_the_link_is_lost_starts_nothing(
    reader: Reader, link: Link, server: ServerProcess
) -> None:
    reader.card_in(BJORN)
    reader.expect(WELCOME)
    server.call("POST", "/api/machine/oops/table-saw")
    reader.later(10)
    reader.expect(OOPSED)
    oopsed = link.reports[-1].body["list"]
    server.call("POST", "/api/machine/clear/table-saw")
    reader.later(10)
    reader.expect("display Remove card and|insert it again")
    wait_until(lambda: link.reports[-1].body.get("list", oopsed) > oopsed)
    next_answer(reader, link)
    link.cut()
    reader.later(61)
    reader.expect(TAKE_OUT)
    assert reader.did("relay on") == 1
    reader.later(61)
    reader.do("card out")
    reader.card_in(BJORN)
    reader.expect(RUNS)


@pytest.mark.parametrize(("status", "away"), [(401, 0), (403, 0), (404, 0), (422, 0), (502, 1), (503, 1)])
def test_a_server_that_will_not_have_the_reader_is_not_away(
    reader: Reader, link: Link, status: int, away: bool
) -> None:
    link.alter = lambda _: f"HTTP/1.0 {status} No\r\n\r\n{{}}".encode()
    reader.later(10)
    reader.expect(f"display The server says|error {status}")
    for _ in range(6):
        link.skip()
        reader.later(10)
        link.next_report()
    if away:
        reader.expect(OFFLINE)
    reader.card_in(BJORN)
    reader.expect(RUNS if away else TAKE_OUT)
    assert reader.did("relay on") == away
    reader.do("card out")
    lose(reader, link)  # that it was refused holds no longer than an answer
    reader.card_in(BJORN)
    reader.expect("relay on")


def test_oops_at_the_reader_holds_until_the_server_knows_it_also_over_a_restart(
    make_reader: MakeReader, reader: Reader, link: Link, key: str, server: ServerProcess
) -> None:
    lose(reader, link)
    reader.card_in(BJORN)
    reader.expect("relay on")
    reader.do("oops pressed", "oops released")
    reader.expect("relay off")
    reader.do("card out")
    reader.card_in(BJORN)
    reader.later(1)
    reader.expect("display Oops! But no|answer comes")
    flash = reader.flash / ".esphome/prefs/reader.prefs"
    wait_until(lambda: flash.exists() and flash.stat().st_size)  # it has written that down
    reader.kill()
    assert reader.did("relay on") == 1
    link.mend()
    again = make_reader(was=reader, key=key, first="Oops!")
    again.expect(OOPSED)
    assert server.machine("table-saw")["oops"]["source"] == "button"
    server.call("POST", "/api/machine/clear/table-saw")
    again.later(10)
    again.expect(EMPTY)
    third = make_reader(was=again, key=key)
    assert not third.did("oops_led on"), "it is told once"


@pytest.mark.parametrize("clock", [0, NEVER_SET, NOW], ids=["no clock", "one that was never set", "a clock"])
def test_after_a_restart_a_list_counts_only_on_a_board_that_knows_the_time(
    make_reader: MakeReader, link: Link, key: str, clock: int
) -> None:
    reader = make_reader(key=key, unix_time=clock)
    has_list(link)
    reader.kill()
    link.cut()
    hour = clock and clock + 3600
    again = make_reader(was=reader, key=key, unix_time=hour, first="No answer from|the server")
    again.later(61)
    if clock == NOW:
        again.expect(OFFLINE)
    again.card_in(BJORN)
    again.expect(RUNS if clock == NOW else TAKE_OUT)
    assert again.did("relay on") == (clock == NOW)


@pytest.mark.parametrize("what", ["too old", "another key", "another machine", "before it came"])
def test_a_list_that_is_in_the_flash_is_looked_at_before_it_counts(
    make_reader: MakeReader, link: Link, key: str, server: ServerProcess, what: str
) -> None:
    reader = make_reader(key=key, unix_time=NOW)
    has_list(link)
    reader.kill()
    link.cut()
    again = make_reader(
        "drill_press" if what == "another machine" else "table-saw",
        was=reader,
        key="0f" * 32 if what == "another key" else key,
        unix_time=NOW + {"too old": DAY, "before it came": -DAY}.get(what, 3600),
        first="No answer from|the server",
    )
    again.later(61)
    again.card_in(BJORN)
    again.expect(TAKE_OUT)
    assert not again.did("relay on")


def test_a_list_that_is_out_of_date_when_the_link_is_lost_starts_nothing(
    make_reader: MakeReader, link: Link, key: str, server: ServerProcess
) -> None:
    reader = make_reader(key=key, unix_time=NOW)
    recorded = has_list(link).answer
    link.alter = lambda answer: recorded if b'"fobs"' in answer else answer  # signed, as it was
    server.call("POST", "/api/machine/locked_out/table-saw")
    reader.later(10)
    reader.wait_for("A list that is none, or not the one that was asked for")
    lose(reader, link, "display No answer from|the server")
    reader.card_in(BJORN)
    reader.expect(TAKE_OUT)
    reader.kill()
    again = make_reader(was=reader, key=key, unix_time=NOW, first="No answer from|the server")
    again.later(61)
    again.card_in(BJORN)
    again.expect(TAKE_OUT)
    assert not reader.did("relay on")
    assert not again.did("relay on")


def altered(answer: Answer) -> Answer:
    return answer.replace(b'"fobs":["', b'"fobs":["00000000000f","') if b'"fobs"' in answer else answer


def test_a_list_that_somebody_has_altered_is_none(make_reader: MakeReader, link: Link, key: str) -> None:
    link.alter = altered
    reader = make_reader(key=key)
    reader.wait_for("not signed with this reader's key")
    lose(reader, link, "display No answer from|the server")
    reader.card_in(BJORN)
    reader.expect(TAKE_OUT)
    assert not reader.did("relay on")


def test_a_reader_follows_its_list(reader: Reader, link: Link, server: ServerProcess) -> None:
    first = link.reports[-1].body["list"]
    server.call("POST", "/api/machine/oops/table-saw")
    reader.later(10)
    wait_until(lambda: link.reports[-1].body.get("list", first) > first)
    lose(reader, link, "display No answer from|the server")
    reader.card_in(BJORN)
    reader.expect(TAKE_OUT)
    reader.do("card out")
    link.mend()
    reader.expect(OOPSED)
    server.call("POST", "/api/machine/clear/table-saw")
    second = link.reports[-1].body["list"]
    reader.later(10)
    wait_until(lambda: link.reports[-1].body.get("list", second) > second)
    lose(reader, link)
    reader.card_in(BJORN)
    reader.expect("relay on")


def test_a_machine_is_switched_off_when_the_link_is_lost_if_so_it_shall(make_reader: MakeReader, link: Link) -> None:
    reader = make_reader("co2-laser")
    reader.card_in("1000003")
    reader.expect("second_relay on")
    link.cut()
    reader.later(10)
    reader.expect("display No answer from|the server")
    assert reader.shows("relay") == "on"
    reader.later(61)
    reader.expect("relay off")
    reader.expect(SWITCHED_OFF)
    assert reader.shows("second_relay") == "off"
    link.mend()
    reader.expect(EMPTY)
    reader.do("code 1000003")
    reader.later(10)
    next_answer(reader, link, rfid_value="")
    assert reader.did("relay on") == 1
    reader.do("card out")
    reader.card_in("1000003")
    reader.expect("relay on")


def test_a_machine_that_is_always_on_goes_on_when_the_server_answers_again(make_reader: MakeReader, link: Link) -> None:
    reader = make_reader("dust-collector", first="Always On")
    lose(reader, link, SWITCHED_OFF)
    assert reader.shows("relay") == "off"
    link.mend()
    reader.expect("display Always On")
    assert reader.shows("relay") == "on"
