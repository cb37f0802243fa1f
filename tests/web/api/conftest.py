"""A server on which members did things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mac_actors.settings import Tokens
from tests.conftest import start_server
from tests.fakes import (
    ANN,
    OLGA,
)
from tests.web.client import Running

TOKEN = "s3cret-admin"
READER = "s3cret-reader"
CALLS = [
    ("POST", "/api/machine/oops/metal-mill"),
    ("DELETE", "/api/machine/oops/metal-mill"),
    ("POST", "/api/machine/locked_out/metal-mill"),
    ("DELETE", "/api/machine/locked_out/metal-mill"),
    ("POST", "/api/machine/clear/metal-mill"),
    ("POST", "/api/reload-users"),
    ("POST", "/api/reload"),
]
"""All that an admin may ask for."""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server on which members did things."""
    server = start_server(tmp_path_factory.mktemp("busy"), tokens=Tokens(admin=TOKEN))
    server.outputs("metal-mill", ANN)
    server.outputs("laser", OLGA)
    server.post("/api/machine/locked_out/router", {"by": "Max Muster", "reason": "belt"}, token=TOKEN)
    server.post("/api/machine/clear/router", {"by": "Max Muster"}, token=TOKEN)
    server.post("/api/machine/oops/router", {"by": "Max Muster", "reason": "belt"}, token=TOKEN)
    server.outputs("vent", ANN)
    server.outputs("vent")
    yield server
    server.stop()


@pytest.fixture
def idle_server(shared_server: Running) -> Running:
    """The server of all tests of the module, tidied up: no card is in a reader, nothing is oopsed or locked out."""
    for machine in shared_server.fleet.snapshots():
        if machine.clearable:
            assert shared_server.post(f"/api/machine/clear/{machine.name}").status == 200
        shared_server.outputs(machine.name)
    return shared_server
