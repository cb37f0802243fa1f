"""Obeyed at once: the real server, and readers that take its pokes, or are restarted by their native API."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest

from benchmarks import obey
from tests.e2e.processes import PATIENCE, ServerProcess
from tests.fakes import wait_until
from tests.firmware.conftest import MakeReader
from tests.firmware.field import field_shop
from tests.firmware.link import Link
from tests.firmware.reader import ADA, BJORN, Reader

pytestmark = pytest.mark.firmware

EMPTY, TAKE_OUT, OOPSED = "Please Insert|RFID Card", "Remove card and|insert it again", "Oops!! Please|check/post Slack"


def metric(server: ServerProcess, name: str) -> float:
    """Return the value of a metric without labels."""
    text = urlopen(f"{server.url}/metrics", timeout=PATIENCE).read().decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def test_each_command_from_elsewhere_is_obeyed_by_a_poke(reader: Reader, server: ServerProcess) -> None:
    reader.card_in(BJORN)
    reader.expect("relay on")
    for number, (method, word, shows) in enumerate(
        [
            ("POST", "oops", OOPSED),
            ("POST", "locked_out", ""),
            ("DELETE", "oops", "Down for|maintenance"),
            ("DELETE", "locked_out", TAKE_OUT),
            ("POST", "oops", OOPSED),
            ("POST", "clear", TAKE_OUT),
        ],
        1,
    ):
        server.call(method, f"/api/machine/{word}/table-saw")
        if shows:
            reader.expect(f"display {shows}")
        wait_until(lambda number=number: metric(server, "mac_pokes_answered_total") == number)  # type: ignore[misc]
    assert reader.did("relay on") == 1
    assert metric(server, "mac_pokes_sent_total") == 6
    assert metric(server, "mac_command_to_report_seconds_count") == 6


def test_a_reader_that_hears_nothing_of_it_learns_it_with_its_next_report(
    make_reader: MakeReader, link: Link, server: ServerProcess
) -> None:
    reader = make_reader(takes_pokes=False)
    reader.card_in(BJORN)
    reader.expect("relay on")
    server.call("POST", "/api/machine/oops/table-saw")
    reader.later(10)
    reader.expect("relay off")
    assert metric(server, "mac_pokes_sent_total") == 0


def test_readers_poke_says_how_long_it_took(reader: Reader, server: ServerProcess) -> None:
    status, answer = server.call("POST", f"/api/machine/poke/{reader.machine}")
    assert status == 200
    assert answer["native_api"] is False
    assert 0 < answer["seconds"] < 2


# by the native API


def test_an_oops_restarts_a_reader_of_the_field_and_its_machine_stays_off(tmp_path: Path) -> None:
    with field_shop(tmp_path) as shop:
        with shop.reader() as reader:
            reader.do(f"code {BJORN}")
            reader.expect("relay on")
            assert shop.server.call("POST", "/api/machine/oops/table-saw")[0] == 200
            reader.expect("relay off")
            assert reader.process.wait(PATIENCE) == 0
        with shop.reader() as again:
            again.do(f"code {BJORN}")
            for _ in range(2):  # its first report, and that of the card
                again.expect(f"display {OOPSED}")
            shop.server.call("POST", "/api/machine/clear/table-saw")
            again.do(f"code {BJORN}")
            again.expect(f"display {TAKE_OUT}")
            assert not again.did("relay on")
            assert again.process.poll() is None
        assert not [line for line in shop.server.lines if "could not be restarted" in line]


def test_a_board_of_another_name_is_left_alone(tmp_path: Path) -> None:
    with field_shop(tmp_path) as shop, shop.reader() as reader:
        shop.server.report("metal-mill")
        assert shop.server.report("metal-mill", ADA)["relay"] is True
        shop.server.call("POST", "/api/machine/locked_out/metal-mill")
        shop.server.wait_for("could not be restarted at once.*is called 'table-saw', not 'metal-mill'")
        assert reader.process.poll() is None


def test_a_wrong_key_is_said_and_the_machine_stops_with_the_next_report(tmp_path: Path) -> None:
    with field_shop(tmp_path, "A" * 43 + "=") as shop, shop.reader() as reader:
        reader.do(f"code {BJORN}")
        reader.expect("relay on")
        shop.server.call("POST", "/api/machine/locked_out/table-saw")
        shop.server.wait_for("could not be restarted at once.*refuses the key")
        reader.do(f"code {BJORN}")
        reader.expect("relay off")
        assert reader.process.poll() is None


def test_readers_poke_looks_at_the_native_api_and_restarts_nothing(tmp_path: Path) -> None:
    with field_shop(tmp_path) as shop, shop.reader() as reader:
        status, answer = shop.server.call("POST", "/api/machine/poke/table-saw")
        assert (status, answer["native_api"]) == (200, True)
        assert reader.process.poll() is None


def test_the_benchmark_of_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    obey.main(["--rounds", "1"])
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[1:]] == [
        "UDP",
        "native API",
        "heartbeat",
    ]
