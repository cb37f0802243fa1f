"""A fleet as a script has it: in its own process, or a running server's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mac_actors import AnyFleet, Fleet, RemoteFleet
from mac_actors.settings import Tokens
from tests.conftest import start_server
from tests.fakes import report, sample_machines, sample_users
from tests.web.client import Running

TOKEN = "the-admins-token"


def maintained_machines() -> dict[str, Any]:
    """The sample shop's, with maintenance at the router."""
    machines = sample_machines()
    machines["router"]["maintenance"] = [{"what": "Change the bit", "every_hours": 40}]
    return machines


@dataclass
class Shop:
    """A fleet, and how a reader reports to it: machine, fob."""

    fleet: AnyFleet
    report: Callable[[str, str], object]


@contextmanager
def shop_here() -> Iterator[Shop]:
    """The sample shop in this process, in memory."""
    with Fleet.open(maintained_machines(), sample_users(), state=None) as fleet:
        yield Shop(fleet, lambda machine, fob: report(fleet, machine, fob or None))


@contextmanager
def serving(directory: Path, port: int = 0, *, token: str | None = None, **settings: Any) -> Iterator[Running]:
    """A server whose files are in ``directory``: those of the sample shop, if there are none."""
    server = start_server(directory, port=port, tokens=Tokens(admin=token), **settings)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def shop_remote(server: Running) -> Iterator[Shop]:
    """A server's fleet, with the admins' token."""
    with RemoteFleet(server.url, TOKEN) as fleet:
        yield Shop(fleet, server.outputs)
