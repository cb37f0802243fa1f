"""A notifier for one test, that tries again soon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mac_actors.storage.store import Store
from tests.actors.office import FakeChat, Office
from tests.places import Place


@pytest.fixture(autouse=True)
def _short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.actors.notifier.FIRST_RETRY", 0.01)
    monkeypatch.setattr("mac_actors.actors.notifier.LAST_RETRY", 0.04)


@pytest.fixture
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture
def office(place: Place, chat: FakeChat) -> Iterator[Office]:
    office = Office(place.open(Store), chat)
    yield office
    office.close()
