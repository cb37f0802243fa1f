"""Who holds how much."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.web.server.budget import Budget, owner_of


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 100_000), st.booleans())))
def test_who_holds_most_is_known_to_a_factor_of_two(changes: list[tuple[str, int, bool]]) -> None:
    budget, held = Budget(), Counter[str]()
    for owner, amount, back in changes:
        by = -min(amount, held[owner]) if back else amount
        budget.change(owner, by)
        held[owner] += by
        assert budget.total == held.total()
        assert budget.held(owner) == held[owner]
        greediest = budget.greediest()
        assert (greediest is None) == (not held.total())
        assert greediest is None or held[greediest] * 2 > max(held.values())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.2", "::ffff:192.0.2.1", False),
        ("2001:db8::1", "2001:db8::ffff:1:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_a_network_of_ipv6_is_one_client(one: str, other: str, same: bool) -> None:
    assert (owner_of(one) == owner_of(other)) is same
