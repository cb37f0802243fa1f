"""Two servers of a cell over real sockets. Who owns the machines is said by the test, in place of a lease."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from mac_actors.cluster.door import Door, Owned
from mac_actors.cluster.holding import HoldingFleet, Known
from mac_actors.cluster.passing import Passing
from mac_actors.core.state import MachineState
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings import Tokens
from mac_actors.settings.files import parse
from mac_actors.storage.store import Store
from mac_actors.web.access import Access
from mac_actors.web.app import create_app
from mac_actors.web.server.origin import Origins
from mac_actors.web.server.server import Server
from mac_actors.web.standby import create_standby_app
from tests.fakes import sample_machines, sample_users
from tests.web.client import TIMEOUT, Reply, report_body

SECRET = "the-secret-of-the-cell"
TOKENS = Tokens(admin="secret")
ADMIN = {"Authorization": "Bearer secret"}


@dataclass
class Standing:
    """Who owns the machines."""

    owns: bool = False
    owner: str | None = None


class Node:
    """One server. ``budget`` is the commit budget, in seconds."""

    def __init__(self, budget: float = 5.0, secret: str = SECRET) -> None:
        self.standing = Standing()
        self.budget = budget
        self.fleet: MachineFleet | None = None
        self.holding = HoldingFleet(Known(parse(sample_machines(), sample_users())))
        self.passing = Passing(secret, budget)
        self._owned: Owned | None = None
        self.look: Callable[[float], None] = lambda until: None
        self.door = Door(
            lambda: self.standing,
            lambda: self._owned,
            self.passing,
            self.holding,
            lambda until: self.look(until),  # noqa: PLW0108 - the tests set another one
        )
        self.door.held = create_standby_app(self.holding, Access(TOKENS), self.door.serves).wsgi
        self.server = Server(self.door, "127.0.0.1", 0, origins=Origins([ip_network("127.0.0.3")], secret))
        self.server.expiration_interval = 0.02
        self.server.direct = self.door
        self.server.open()
        self.server.run_in_thread()
        self.port: int = self.server.bind_addr[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def own(self, store: Store | None = None) -> MachineFleet:
        """Own the machines from now on."""
        configuration = self.holding.configuration
        fleet = self.fleet = MachineFleet(
            configuration, store or Store.open(None), commit_budget=self.budget, holds=lambda: not self.standing.owns
        )
        self.standing.owns = True
        app = create_app(fleet, Access(TOKENS, fleet), lambda **_: configuration)
        self.door.telling.here(fleet)
        self._owned = Owned(fleet, app.wsgi, app.reports)
        self.door.telling.here(fleet)
        return fleet

    def learn(self, states: Mapping[str, MachineState]) -> None:
        """Know these states, as of the database."""
        self.holding.known = Known(self.holding.configuration, states)

    def lose(self) -> None:
        """Own them no more."""
        self.standing.owns = False
        if self.fleet:
            self.holding.let_go(self.fleet, self.holding.configuration)
        self._owned = None
        if self.fleet:
            self.holding.add(self.fleet.held)
            self.fleet.close()
            self.fleet = None

    def follow(self, other: Node) -> None:
        """Take another one for the owner."""
        self.standing.owner = other.url

    def request(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def report(self, name: str, fob: str | None = "", headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
        """Send a reader's report."""
        return self.request("POST", "/api/machine/update", report_body(name, fob, **fields), headers)

    def told(self, name: str, fob: str | None = "", **fields: Any) -> tuple[bool, str]:
        """Return relay and display of a report's answer."""
        reply = self.report(name, fob, **fields)
        assert reply.status == 200, reply
        return reply.json["relay"], reply.json["display"]

    def stop(self) -> None:
        """Stop it."""
        self.lose()
        self.server.stop()
        self.passing.close()


@contextmanager
def two(budget: float = 5.0, secret: str = SECRET) -> Iterator[tuple[Node, Node]]:
    """Run an owner, and another one that takes it for that; ``secret`` is what the other one has."""
    owner, other = Node(budget), Node(budget, secret)
    try:
        owner.own()
        other.follow(owner)
        yield owner, other
    finally:
        for node in (other, owner):
            node.stop()
