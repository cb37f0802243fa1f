"""The fleet of a running server, over HTTP, with the calls of :class:`mac_actors.Fleet`."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Self, TypeVar

import pykka
from pydantic import TypeAdapter

from mac_actors.actors.custom import CustomActor, CustomActors
from mac_actors.actors.machine import CALLS
from mac_actors.actors.replies import Answer, Reply
from mac_actors.actors.restarts import Restarts
from mac_actors.actors.subscribers import Subscriber, Subscribers
from mac_actors.client.follow import EVENTS_AT_ONCE, Follower, read_outcome
from mac_actors.client.http import Client
from mac_actors.client.remote_users import RemoteUsers
from mac_actors.core.decision import Already
from mac_actors.core.outcomes import Outcome
from mac_actors.core.outputs import Outputs
from mac_actors.core.redaction import MEMBER
from mac_actors.core.snapshot import Snapshot
from mac_actors.errors import FleetClosed, MachineUnavailable, ServerError, UnknownMachine
from mac_actors.fleet.names import Names
from mac_actors.fleet.protocol import AnyFleet, Machine
from mac_actors.fleet.watch import Chore, Watch
from mac_actors.settings.environment import use_time_zone

log = logging.getLogger(__name__)

A = TypeVar("A", bound=pykka.Actor)

_OUTPUTS = TypeAdapter(Outputs)
_SNAPSHOT = TypeAdapter(Snapshot)
_MACHINES = TypeAdapter(list[Snapshot])


class RemoteFleet(AnyFleet):
    """All machines of a running server.

    ``url`` is where it is (``None``: MAC_URL, else this computer at MAC_PORT); ``token`` is its admins'
    (``None``: MAC_ADMIN_TOKEN). Without the token, members' names are left out. Raises
    :class:`~mac_actors.ServerError` when no server answers there.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        use_time_zone()
        self._client = Client.at(url, "url", token)
        self.url = self._client.url
        self._closed = threading.Event()
        self._process = os.getpid()
        self._lock = threading.Lock()
        # one thread: commands arrive in the order in which they were given, as with an actor
        self._commands = ThreadPoolExecutor(1, thread_name_prefix="remote-fleet")
        self._failed: deque[_Reply] = deque(maxlen=100)
        self._names = Names(())
        self.users = RemoteUsers(self._client, self._check_open)
        self._subscribers = Subscribers()
        self._restarts = Restarts()
        self._custom = CustomActors(self._restarts, log.warning)
        self._follower: Follower | None = None
        self._watch: Watch | None = None
        try:
            self.snapshots()
        except BaseException:
            self.close()
            raise
        atexit.register(self.close)

    @classmethod
    def open(cls, url: str | None = None, token: str | None = None) -> Self:
        """Attach to a running server; the same as ``RemoteFleet(url, token)``."""
        return cls(url, token)

    # looking up and asking

    def __getitem__(self, name_or_alias: str) -> RemoteMachine:
        return RemoteMachine(self, self.find(name_or_alias))

    def __repr__(self) -> str:
        """Return where the server is."""
        return f"<{type(self).__name__}{', closed' if self._closed.is_set() else ' at ' + self.url}>"

    def find(self, name_or_alias: str) -> str:
        try:
            return self._names.find(name_or_alias)
        except UnknownMachine:
            self.snapshots()  # it may be new
            return self._names.find(name_or_alias)

    def submit(self, call: Callable[[], Any]) -> pykka.Future[Any]:
        """Have ``call`` done after all that was submitted before; for :class:`RemoteMachine`."""
        self._check_process()
        reply = _Reply()

        def carry_out() -> None:
            try:
                reply.set(call())
            except Exception as error:
                reply.set_exception()
                if not reply.asked:
                    self._failed.append(reply)
                    log.warning("a command was not carried out, and nobody has asked for its answer yet: %s", error)

        try:
            self._commands.submit(carry_out)
        except RuntimeError:
            raise self._is_closed() from None
        return reply

    def command(self, command: str, name: str, by: str | None, reason: str | None, **more: Any) -> Answer:
        """Carry out a command, and wait for its answer; for :class:`RemoteMachine`."""
        with self._errors_of(name):
            answer, already = self._client.command(command, name, reason, by, "repl", details=True, **more)
        if "outputs" not in answer:
            raise ServerError(
                f"{self.url} carried it out, but has an older version of mac-actors and does not tell what came of it: "
                "update it"
            )
        return Answer(
            _OUTPUTS.validate_python(answer["outputs"]),
            tuple(read_outcome(entry["kind"], entry["outcome"]) for entry in answer["outcomes"]),
            tuple(map(Already, already)),
            bool(answer.get("durable", True)),
        )

    @property
    def failed(self) -> bool:
        """Whether a command was not carried out, and nobody has asked for its answer."""
        return any(not reply.asked for reply in self._failed)

    # seeing

    def snapshot(self, name_or_alias: str) -> Snapshot:
        self._check_open()
        name = self.find(name_or_alias)
        with self._errors_of(name):
            return _SNAPSHOT.validate_python(_machine(self._client.machine(name)))

    def snapshots(self) -> list[Snapshot]:
        self._check_open()
        machines = _MACHINES.validate_python([_machine(machine) for machine in self._client.machines()])
        self._names = Names(machines)
        return machines

    def events(self, machine: str | None = None, since: datetime | None = None) -> Iterator[Outcome]:
        name = None if machine is None else self.find(machine)
        more = {"since": since.isoformat()} if since else {}
        cursor: str | None = None
        while True:
            self._check_open()
            page = self._client.events(name, EVENTS_AT_ONCE, cursor, details="1", **more)
            yield from (read_outcome(event["kind"], event.get("outcome")) for event in page["events"])
            cursor = page["next"]
            if cursor is None:
                return

    def health(self) -> dict[str, str]:
        """Return what keeps the server from serving, and custom actors here that fail, by part, in a sentence each."""
        if self._closed.is_set():
            return {"fleet": "stopping"}
        problems: dict[str, str] = self._client.ready()["problems"]
        return problems | self._restarts.troubles()

    # what happens

    def subscribe(self, subscriber: Subscriber | pykka.ActorRef[Any]) -> Callable[[], None]:
        """Call ``subscriber(outcome)`` for every outcome of every machine; or tell it to an actor.

        The server is asked twice a second what is new. The calls come from one thread, in order, each outcome
        once, also when the server was away in between. Returns the function that ends it.
        """
        self._check_open()
        end = self._subscribers.add(subscriber)
        try:
            self._follow()
        except BaseException:
            end()
            raise
        return end

    def start(self, actor_class: type[A], *args: Any, **kwargs: Any) -> CustomActor[A]:
        """Start an actor of one's own, in this process; as :meth:`mac_actors.Fleet.start`."""
        self._check_open()
        self._follow()
        actor = self._custom.start(actor_class, args, kwargs)
        with self._lock:
            if self._watch is None:
                self._watch = Watch("custom-actors-watch", Chore("restart dead actors", self._custom.restart_dead))
        return actor

    def _follow(self) -> None:
        with self._lock:
            if self._follower is None:
                self._follower = Follower(self._client, self._pass_on)

    def _pass_on(self, outcome: Outcome) -> None:
        self._custom.feed((outcome,))
        self._subscribers.publish(outcome)

    # errors and the end

    @contextlib.contextmanager
    def _errors_of(self, name: str) -> Iterator[None]:
        """Raise what a fleet in this process would raise."""
        try:
            yield
        except ServerError as error:
            if error.status == 404:
                raise UnknownMachine(name, self._names.nearest(name)) from error
            if error.status == 503:
                raise MachineUnavailable(str(error)) from error
            raise

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise FleetClosed(
                "this fleet is of the process that this one was forked from: open one here, RemoteFleet()"
            )

    def _check_open(self) -> None:
        self._check_process()
        if self._closed.is_set():
            raise self._is_closed()

    @staticmethod
    def _is_closed() -> FleetClosed:
        return FleetClosed("the fleet is closed: open it anew with RemoteFleet()")

    def close(self) -> None:
        """Finish what was begun, and let go of the server, which runs on. May be called again."""
        if self._closed.is_set() or os.getpid() != self._process:
            return
        self._commands.shutdown()
        self._closed.set()
        atexit.unregister(self.close)
        if self._follower:
            self._follower.stop()
        if self._watch:
            self._watch.stop()
        self._custom.close()


def _machine(body: dict[str, Any]) -> dict[str, Any]:
    """Return a machine of the API with its session as the core has it: what the API leaves out is empty."""
    session = body["session"]
    if session is None:
        return body
    user = session["user"] or MEMBER.full_name
    return body | {"session": {"account_id": "", "full_name": user, "lcd_name": "", **session}}


class _Reply(Reply):
    """A reply that knows whether somebody waits, or has waited, for it."""

    asked = False

    def get(self, *, timeout: float | None = None) -> Any:
        self.asked = True
        return super().get(timeout=timeout)


class RemoteMachine(Machine):
    """A machine of a running server. Every call is on its way at once; its future's ``get()`` waits for the outcome."""

    def __init__(self, fleet: RemoteFleet, name: str) -> None:
        self._fleet = fleet
        self._name = name

    def oops(self, by: str | None = None, reason: str | None = None) -> pykka.Future[Answer]:
        return self._command("oops", by, reason)

    def lock(
        self, by: str | None = None, reason: str | None = None, *, when_free: bool = False
    ) -> pykka.Future[Answer]:
        return self._command("lock", by, reason, when_free=when_free)

    def clear(self, by: str | None = None, reason: str | None = None) -> pykka.Future[Answer]:
        return self._command("clear", by, reason)

    def unoops(self, by: str | None = None, reason: str | None = None) -> pykka.Future[Answer]:
        return self._command("unoops", by, reason)

    def unlock(self, by: str | None = None, reason: str | None = None) -> pykka.Future[Answer]:
        return self._command("unlock", by, reason)

    def done(self, what: str | None = None, by: str | None = None) -> pykka.Future[Answer]:
        return self._command("done", by, what)

    def snapshot(self) -> pykka.Future[Snapshot]:
        return self._fleet.submit(lambda: self._fleet.snapshot(self._name))

    def _command(self, command: str, by: str | None, reason: str | None, **more: Any) -> pykka.Future[Answer]:
        return self._fleet.submit(lambda: self._fleet.command(command, self._name, by, reason, **more))

    def __repr__(self) -> str:
        """Return which machine it is, and where."""
        return f"<{type(self).__name__} of {self._name} at {self._fleet.url}>"

    def __eq__(self, other: object) -> bool:
        """Whether both are the same machine of the same server."""
        return isinstance(other, RemoteMachine) and (self._fleet, self._name) == (other._fleet, other._name)

    def __hash__(self) -> int:
        return hash(self._name)

    def __dir__(self) -> list[str]:
        """Return what a person would call; completion shows it."""
        return list(CALLS)
