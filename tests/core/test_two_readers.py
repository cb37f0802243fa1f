"""Two readers under one name are noticed; one reader, whatever happens to it, is not taken for two."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mac_actors.core.state import Telemetry
from mac_actors.core.two_readers import RETURNS, TwoReaders

HERE, THERE = "192.0.2.1", "192.0.2.2"

Report = tuple[float, float | None, str]
"""Seconds, uptime, address."""


def _seen(reports: Sequence[Report]) -> list[bool]:
    two_readers = TwoReaders()
    return [two_readers.seen(at, Telemetry(uptime), address) for at, uptime, address in reports]


def _by_boots(*boots: int | None) -> bool:
    """Whether reports of these boots, one every five seconds, are of two readers in the end."""
    two_readers = TwoReaders()
    return [two_readers.seen(5.0 * n, Telemetry(9.0, boot=boot), HERE) for n, boot in enumerate(boots)][-1]


def _alternating(count: int) -> list[Report]:
    """Two readers with uptimes of their own, each every ten seconds, at one address (behind a router)."""
    return [(5.0 * n, (5000 if n % 2 else 40) + 5.0 * n, HERE) for n in range(count)]


def test_alternating_uptimes_are_two_readers() -> None:
    assert _seen(_alternating(5)) == [False] * 5
    assert _seen(_alternating(8))[-2:] == [True, True]


def test_alternating_addresses_are_two_readers() -> None:
    reports = [(5.0 * n, 40 + 5.0 * n, THERE if n % 2 else HERE) for n in range(8)]
    assert _seen(reports)[-1]


def test_a_flood_under_one_name_leaves_no_more_to_look_at() -> None:
    two_readers = TwoReaders()
    seen = [two_readers.seen(0.001 * n, Telemetry(9.0, boot=n % 2), HERE) for n in range(1000)]
    assert all(seen[3:])
    assert len(two_readers._returns) <= RETURNS
    assert two_readers.seen(60.0, Telemetry(9.0, boot=1), HERE)
    assert not two_readers.seen(61.0, Telemetry(9.0, boot=1), HERE)


def test_once_the_other_board_is_gone_all_is_well_again_after_a_minute() -> None:
    reports = _alternating(8) + [(40.0 + 10 * n, 80 + 10.0 * n, HERE) for n in range(8)]
    assert _seen(reports)[7]
    assert not _seen(reports)[-1]


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param([(10.0 * n, 100 + 10.0 * n, HERE) for n in range(20)], id="heartbeats"),
        pytest.param([(10.0 * n, 60.0 * (n // 6), HERE) for n in range(30)], id="an uptime measured once a minute"),
        pytest.param([(10.0 * n, None if n == 5 else 5.0 * n, HERE) for n in range(12)], id="a reboot"),
        pytest.param([(10.0 * n, 10.0 * (n % 4), HERE) for n in range(20)], id="a reader that restarts all the time"),
        pytest.param([(10.0 * n, 100 + 10.0 * n, HERE if n < 5 else THERE) for n in range(12)], id="a new address"),
        pytest.param([(0.1 * n, None, HERE) for n in range(12)], id="a sensor without a reading"),
        pytest.param([(0.1 * n, 100.0, HERE) for n in range(12)], id="an uptime that stands still"),
        pytest.param([(0.1 * n, (500.0, None, 3.0, None, 9.0)[n % 5], HERE) for n in range(20)], id="quick reboots"),
        pytest.param([(2.0 * n, None if n % 2 else 8.0, HERE) for n in range(12)], id="a null at every boot"),
        pytest.param([(10.0 * n, (3.0, 13.0)[n % 2], HERE) for n in range(12)], id="a reader that restarts in a loop"),
        pytest.param([(10.0 * n, (4294940.0 + 10 * n) % 4294967.296, HERE) for n in range(12)], id="a wrap"),
    ],
)
def test_one_board_is_not_taken_for_two(reports: Sequence[Report]) -> None:
    assert not any(_seen(reports))


def test_two_boots_by_turns_are_two_readers_and_one_after_the_other_is_not() -> None:
    assert _by_boots(1, 2, 1, 2)
    assert not _by_boots(1, 2, 1)
    assert not _by_boots(*(n // 2 for n in range(20)))
    assert not _by_boots(*range(20))
    assert _by_boots(1, None, 1, None) is False, "the uptime is that of one reader"


def test_a_reader_with_a_boot_beside_one_without_are_two() -> None:
    two_readers = TwoReaders()
    telemetry = [Telemetry(9.0, boot=1), Telemetry(5000.0)]
    assert [two_readers.seen(5.0 * n, telemetry[n % 2], HERE) for n in range(6)][-1]
