"""A server whose disk or machine does not get on."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import pytest

from mac_actors.actors.replies import settle
from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.decision import Decision
from mac_actors.core.inputs import Input, Lock, Oops
from mac_actors.core.state import MachineState
from mac_actors.core.transitions import decide
from mac_actors.storage.store import Store
from tests.fakes import PATIENCE
from tests.slack.conftest import MakeShop
from tests.slack.shop import Shop

AStore = TypeVar("AStore", bound=Store)


def with_store(make_shop: MakeShop, kind: type[AStore]) -> tuple[Shop, AStore]:
    """Start a server on another kind of disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "open", kind.open)
        shop = make_shop(commit_budget=0.1)
    store = shop.fleet.store
    assert isinstance(store, kind)
    return shop, store


class held:
    """A machine's actor does not get on with its next command until the gate is open; who asks it gives up soon."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str) -> None:
        self.gate = threading.Event()
        patch.setattr("mac_actors.actors.replies.ANSWER_SECONDS", 0.2)
        patch.setattr("mac_actors.fleet.supervisor.settle", lambda reply, label, _budget: settle(reply, label, 0.0))

        def wait_and_decide(
            config: MachineConfig, directory: Directory, state: MachineState, event: Input, **more: Any
        ) -> Decision:
            if config.name == name and isinstance(event, Oops | Lock):
                assert self.gate.wait(PATIENCE)
            return decide(config, directory, state, event, **more)

        patch.setattr("mac_actors.actors.machine.decide", wait_and_decide)

    def __enter__(self) -> threading.Event:
        return self.gate

    def __exit__(self, *_: object) -> None:
        self.gate.set()
