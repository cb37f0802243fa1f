"""A server on which something has happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mac_actors.core.inputs import Lock, Oops
from mac_actors.core.state import Source
from mac_actors.settings import Tokens
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, NOBODY, written
from tests.web.client import Running

TOKENS: dict[str, Any] = {"tokens": Tokens(admin="secret")}
SCRIPT = "</script><script>alert(1)</script> & <b>bold</b>"


@pytest.fixture
def shop(make_server: MakeServer) -> Running:
    """A server with an admin token, on which something has happened."""
    server = make_server(**TOKENS)
    for fob in (ANN, BOB, NOBODY):
        server.report("metal-mill", fob)
        server.report("metal-mill", "")
    server.report("laser", BOB)
    now = datetime.now(UTC)
    server.fleet.ask("bandsaw", Oops(now, Source.SLACK, "Ann Able", SCRIPT))
    server.fleet.ask("router", Lock(now, Source.CLI, "grace", "new belt"))
    written(server.fleet)
    return server


def by_name(rows: list[dict[str, Any]], key: str) -> dict[str, tuple[int, int]]:
    """Return sessions and refusals of each row of usage."""
    return {row[key]: (row["sessions"], row["refusals"]) for row in rows}
