"""The fault suite at a small size; ``python -m tests.faults.soak`` is the large one."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.faults import faults
from tests.faults.audit import audit
from tests.faults.faults import ON_ANY_SHOP, SILENCE, Fault
from tests.faults.inside import ACTORS, kill_actors, storm
from tests.faults.shop import SLOW, Shop, run_for, set_file_limit

pytestmark = pytest.mark.skipif(
    (sys.platform != "linux" or shutil.which("cc") is None) and "CI" not in os.environ,
    reason="the library that breaks the disk and the clock needs Linux and cc (Debian: gcc, libc6-dev)",
)

SECONDS = 1.0

NIGHTLY = {"disk-hangs", "disk-read-only", "disk-broken", "slack-slow", "slow-loris"}
NIGHTLY |= {"machine-stopped", "journal-stopped", "notifier-raises"}
"""Near relatives of the others: ``make nightly`` alone does these."""


def _marked(names: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=[pytest.mark.nightly] * (name in NIGHTLY)) for name in names]


SMALL: dict[str, Fault] = ON_ANY_SHOP | {
    "idle-connections": partial(faults.idle_connections, count=min(2000, set_file_limit() // 3)),
    "slow-loris": partial(faults.slow_loris, count=100),
    "flood": partial(faults.flood, connections=32),
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path / "shop") as shop:
        yield shop


@pytest.mark.parametrize("name", _marked(SMALL))
def test_a_fault_under_load_breaks_no_promise(shop: Shop, name: str) -> None:
    shop.load.start()
    shop.warm(0.5)
    result = SMALL[name](shop, random.Random(name), SECONDS)
    shop.load.stop()
    assert (result.problems, audit(shop)) == ([], [])
    assert len(shop.ledger.entries) > 10


@pytest.mark.nightly
def test_what_was_acknowledged_outlives_faults_and_restarts_together(shop: Shop) -> None:
    """Faults one after another on one directory, with kills between them, and one audit over all of it."""
    chance = random.Random(5)
    shop.load.start()
    shop.warm(0.5)
    problems = []
    for name in ("disk-full", "kill", "slack-down", "kill-while-disk-blocks", "disk-blocks", "sigterm", "kill"):
        problems += SMALL[name](shop, chance, 1.0).problems
    shop.load.stop()
    assert (problems, audit(shop)) == ([], [])
    shop.kill()
    shop.start()
    assert audit(shop) == []


def test_a_hanging_disk_is_said_once_in_the_control_channel(tmp_path: Path) -> None:
    with Shop(tmp_path / "shop", constants={SLOW: 1.0}) as shop:
        shop.load.start()
        shop.warm(0.5)
        result = faults.disk_blocks(shop, random.Random(1), 3.0)
        shop.load.stop()
        assert (result.problems, audit(shop)) == ([], [])


def test_readers_that_fall_silent_are_said_once_and_once_more_when_they_are_back(tmp_path: Path) -> None:
    with Shop(tmp_path / "shop", constants=SILENCE) as shop:
        shop.load.start()
        shop.warm(0.5)
        result = faults.readers_fall_silent(shop, random.Random(1), SECONDS)
        shop.load.stop()
        assert (result.problems, audit(shop)) == ([], [])


@pytest.mark.actor_dies
@pytest.mark.parametrize("what", _marked(ACTORS))
def test_an_actor_that_dies_under_load_is_back_within_a_second_and_nothing_is_lost(tmp_path: Path, what: str) -> None:
    result, found = kill_actors(tmp_path / "shop", what, random.Random(what), 3)
    assert (result.problems, found) == ([], [])


@pytest.mark.actor_dies
def test_an_actor_that_dies_again_and_again_is_given_up_for_a_while_and_nothing_else_suffers(tmp_path: Path) -> None:
    assert storm(tmp_path / "shop", random.Random(1)).problems == []


def test_the_audit_finds_what_is_missing_and_what_is_there_twice(shop: Shop) -> None:
    shop.load.start()
    shop.warm(1.0)
    run_for(0.5)
    shop.load.stop()
    assert audit(shop) == []
    command = next(e for e in shop.ledger.entries if e.answered and e.kind == "oops" and not e.already)
    shop.ledger.entries.append(type(command)("lock", "m01", "reason-never", answered=True))
    insertion = next(e for e in shop.ledger.entries if e.answered and e.kind == "insert")
    shop.ledger.entries.remove(insertion)
    shop.ledger.entries.append(type(insertion)("insert", insertion.machine, insertion.key, answered=True))
    shop.ledger.entries.append(type(insertion)("insert", insertion.machine, insertion.key, answered=True))
    found = audit(shop)
    assert any("reason-never" in finding for finding in found)
    assert any(f"card {insertion.key} inserted 2 to 2 times, in the journal 1" in finding for finding in found)
