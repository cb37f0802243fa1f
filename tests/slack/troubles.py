"""A server whose disk or machine does not get on."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import pytest

from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.inputs import Input, Lock, Oops
from mac_actors.core.state import MachineState
from mac_actors.core.transitions import Decision, decide
from mac_actors.storage.store import Store
from tests.fakes import PATIENCE
from tests.slack.conftest import MakeShop
from tests.slack.shop import Shop

AStore = TypeVar("AStore", bound=Store)


def with_store(make_shop: MakeShop, kind: type[AStore]) -> tuple[Shop, AStore]:
    """Start a server on another kind of disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "open", kind.open)
        shop = make_shop()
    store = shop.fleet.store
    assert isinstance(store, kind)
    return shop, store


class held:
    """A machine's actor does not get on with its next command until the gate is open."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str) -> None:
        self.gate = threading.Event()

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
