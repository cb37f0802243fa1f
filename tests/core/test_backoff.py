"""How long to wait after failures, and saying things once."""

from __future__ import annotations

import pytest

from mac_actors.core.backoff import Backoff
from mac_actors.core.changed import Changed


def test_a_wait_is_doubled_from_the_first_to_the_last_and_begins_anew_after_a_success() -> None:
    backoff = Backoff(0.5, 3.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next() == 0.5


def test_jitter_is_a_share_of_the_wait_both_ways() -> None:
    waits = [Backoff(8.0, 8.0, 0.25).next() for _ in range(200)]
    assert all(6.0 <= wait <= 10.0 for wait in waits)
    assert len(set(waits)) > 1


@pytest.mark.parametrize(
    ("first", "values", "said"),
    [
        (False, [False, True, True, False, False], [False, True, False, True, False]),
        (0, [0, 2, 2, 3], [False, True, False, True]),
        (None, [ValueError, ValueError, KeyError, None], [True, False, True, True]),
    ],
)
def test_a_change_is_said_once(first: object, values: list[object], said: list[bool]) -> None:
    changed = Changed(first)
    assert [changed(value) for value in values] == said
