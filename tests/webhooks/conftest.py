"""Receivers for a test, and webhooks that try again soon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.actors.webhooks.FIRST_RETRY", 0.02)
    monkeypatch.setattr("mac_actors.actors.webhooks.LAST_RETRY", 0.05)
