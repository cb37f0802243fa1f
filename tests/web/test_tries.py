"""How often a wrong token may be tried."""

from __future__ import annotations

from mac_actors.web.tries import TRIES_IN_ALL, TRIES_PER_ADDRESS, TRY_SECONDS, Tries
from tests.fakes import Clock


def test_an_address_has_to_wait_after_wrong_tokens_even_with_the_right_one() -> None:
    clock = Clock()
    tries = Tries(clock)
    for _ in range(TRIES_PER_ADDRESS):
        assert tries.wait("10.0.0.1", right=False) is None
        clock.now += 1
    assert tries.wait("10.0.0.1", right=False) == TRY_SECONDS - TRIES_PER_ADDRESS
    assert tries.wait("10.0.0.1", right=True) == TRY_SECONDS - TRIES_PER_ADDRESS
    assert tries.wait("10.0.0.2", right=True) is None
    clock.now += TRY_SECONDS - TRIES_PER_ADDRESS
    assert tries.wait("10.0.0.1", right=True) is None


def test_right_tokens_are_not_counted() -> None:
    tries = Tries(Clock())
    assert {tries.wait("10.0.0.1", right=True) for _ in range(TRIES_PER_ADDRESS * 2)} == {None}


def test_all_addresses_together_have_to_wait_too() -> None:
    clock = Clock()
    tries = Tries(clock)
    for number in range(TRIES_IN_ALL):
        assert tries.wait(f"10.0.0.{number}", right=False) is None
    assert tries.wait("10.0.1.1", right=True) == TRY_SECONDS
    clock.now += TRY_SECONDS
    assert tries.wait("10.0.1.1", right=True) is None
