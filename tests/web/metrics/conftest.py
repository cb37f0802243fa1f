"""A fleet to scrape."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mac_actors.fleet.fleet import MachineFleet
from tests.fakes import (
    open_fleet,
)


@pytest.fixture
def fleet() -> Iterator[MachineFleet]:
    with open_fleet() as fleet:
        yield fleet
