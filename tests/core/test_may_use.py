"""Which machines somebody may use, whatever state they are in."""

from __future__ import annotations

import pytest

from mac_actors.core.access import may_use
from mac_actors.core.config import Directory, MachineConfig, User
from tests.core.examples import ANNA, BEN, EVE, LAMP, MILL, OLGA, SAW, T0


@pytest.mark.parametrize(
    ("config", "user", "allowed"),
    [
        (MILL, ANNA, True),
        (MILL, BEN, False),
        (MILL, OLGA, False),  # an override is for repair
        (MILL, EVE, False),
        (SAW, BEN, True),  # warn only
        (SAW, EVE, False),
        (LAMP, EVE, True),  # always enabled
    ],
)
def test_who_may_use_a_machine(config: MachineConfig, user: User, allowed: bool) -> None:
    assert may_use(config, Directory.of((user,), enforce_expiration=True), user, T0) is allowed


def test_an_expired_membership_counts_where_it_is_enforced() -> None:
    assert may_use(MILL, Directory.of((EVE,)), EVE, T0)
