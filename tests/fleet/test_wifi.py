"""The readers' Wi-Fi of the last two days, in a ring."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mac_actors.core.config import MachineConfig
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import MachineState, Telemetry
from mac_actors.fleet.wifi import EVERY, SAMPLES, Wifi

START = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)


def seen(signal: float | None, *, online: bool = True, name: str = "mill") -> Snapshot:
    state = MachineState(START, telemetry=Telemetry(wifi_signal_db=signal))
    return replace(Snapshot.of(MachineConfig(name), state, START), online=online)


def values(wifi: Wifi, name: str = "mill") -> list[int | None]:
    return [value for _, value in wifi.of(name)]


def test_a_sample_is_taken_every_five_minutes() -> None:
    wifi = Wifi()
    for seconds in range(0, 900, 10):
        wifi.look([seen(-50 - seconds // 300)], START + timedelta(seconds=seconds))
    assert wifi.of("mill") == [(START, -50), (START + EVERY, -51), (START + 2 * EVERY, -52)]


@pytest.mark.parametrize(
    ("machine", "value"),
    [
        (seen(-61.6), -62),
        (seen(0), 0),
        (seen(None), None),
        (seen(-60, online=False), None),
        (seen(1e30), None),
        (seen(-1e30), None),
        (seen(-128), -128),
        (seen(126.9), None),
    ],
)
def test_a_reader_that_is_silent_or_says_nonsense_has_no_sample(machine: Snapshot, value: int | None) -> None:
    wifi = Wifi()
    wifi.look([seen(-50)], START)
    wifi.look([machine], START + EVERY)
    assert values(wifi) == [-50, value]


def test_it_holds_two_days() -> None:
    wifi = Wifi()
    for number in range(SAMPLES + 5):
        wifi.look([seen(-(number % 100))], START + number * EVERY)
    assert len(values(wifi)) == SAMPLES
    assert wifi.of("mill")[0] == (START + 5 * EVERY, -5)


@pytest.mark.parametrize("missed", [3, SAMPLES - 1, SAMPLES, 5 * SAMPLES])
def test_what_was_missed_is_a_gap(missed: int) -> None:
    wifi = Wifi()
    wifi.look([seen(-50)], START)
    wifi.look([seen(-60)], START + missed * EVERY)
    assert values(wifi) == ([-50, *[None] * (missed - 1), -60] if missed < SAMPLES else [-60])


def test_a_machine_that_is_gone_is_forgotten_and_one_that_is_new_begins() -> None:
    wifi = Wifi()
    assert wifi.of("mill") == []
    wifi.look([seen(-50)], START)
    wifi.look([seen(-40, name="new")], START + EVERY)
    assert (values(wifi), values(wifi, "new")) == ([], [-40])
