"""What all our actors have in common: a light inbox and a light future.

A message to an actor and its answer are most of what a report costs. pykka's queue and future are general; these do
only what is needed here, in less time (benchmarks/messages.py).
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pykka

from mac_actors.actors.replies import Reply
from mac_actors.errors import MachineUnavailable


class ActorExit(Exception):  # noqa: N818 - a state of affairs
    """Somebody else's code raised ``SystemExit`` or its like, which would have stopped every actor of the process."""


class contain_exit(contextlib.AbstractContextManager[None]):  # noqa: N801 - used as a function
    """Turns what pykka takes for the end of the process into the failure of one call."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        """Raise :class:`ActorExit` in the place of what is no ``Exception``."""
        if kind is not None and not issubclass(kind, Exception):
            raise ActorExit(f"{kind.__name__}: {error}") from error


class MacActor(pykka.ThreadingActor):
    """Base of our actors. Their threads never keep the process alive: the fleet stops them in order."""

    use_daemon_thread = True

    @staticmethod
    def _create_actor_inbox() -> Any:
        return queue.SimpleQueue()

    @staticmethod
    def _create_future() -> Reply:
        return Reply()


class SharedInbox:
    """The inbox of an actor that another thread may stand in for while it has nothing to do.

    A message waits here until it is done, and whoever works on one has the turn. So they are worked off one at a time,
    and in the order in which they came, by whatever thread (docs/decisions/0035-standing-in.rst).
    """

    def __init__(self) -> None:
        self._start: Callable[[], None] | None = None
        self._starting = threading.Lock()
        self._work: weakref.WeakMethod[Callable[[Any], Any]] | None = None
        self._turn = threading.Lock()
        self._waiting: deque[Any] = deque()  # the first one may be in work
        self._put: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._in_work = False

    def share(self, work: Callable[[Any], Any]) -> None:
        """Let others do the actor's ``work`` with a message; it is a method, and does not keep the actor."""
        self._work = weakref.WeakMethod(work)

    def start_later(self, start: Callable[[], None]) -> None:
        """Have the actor's own thread started by the first message that waits for it: most actors never need one."""
        self._start = start

    def put(self, envelope: Any) -> None:
        """Add a message, for the actor's own thread; raises :class:`MachineUnavailable` when that can't be started."""
        if self._start is not None:
            with self._starting:
                try:
                    if self._start is not None:
                        self._start()
                except RuntimeError as error:
                    raise MachineUnavailable(f"nothing was done, try again: the server {error}") from error
                self._start = None
        self._waiting.append(envelope)
        self._put.put(None)

    def get(self) -> Any:
        """Wait for the next message, having done the last one; for the actor's own thread."""
        if self._in_work:
            self._in_work = False
            self._waiting.popleft()
            self._turn.release()
        self._put.get()
        self._turn.acquire()
        self._in_work = True
        return self._waiting[0]

    def empty(self) -> bool:
        """Whether no further message waits."""
        return len(self._waiting) <= self._in_work

    def stand_in(self, message: Any) -> Reply | None:
        """Carry out a message in the actor's place, and return its reply; ``None``: it is busy, nothing was done."""
        if not self._turn.acquire(blocking=False):
            return None
        try:
            work = self._work() if self._work else None
            if work is None or self._waiting:
                return None  # those that wait come first
            reply = Reply()
            try:
                reply.set(work(message))
            except Exception:
                reply.set_exception()
            return reply
        finally:
            self._turn.release()


def prove_alive(ref: pykka.ActorRef[Any], timeout: float = 5.0) -> None:
    """Wait until a new actor has answered once: ``start()`` returns a ref even when ``on_start`` fails.

    Raises :class:`MachineUnavailable` if it does not answer.
    """
    try:
        ref.ask(Ping(), block=False).get(timeout=timeout)
    except (pykka.ActorDeadError, pykka.Timeout) as error:
        raise MachineUnavailable(f"{ref.actor_class.__name__} did not start; see the log") from error


def wait_for_ends(ends: Iterable[pykka.Future[Any]], seconds: float) -> None:
    """Wait until all actors have ended whose ``stop()`` has returned these futures, for ``seconds`` altogether."""
    deadline = time.monotonic() + seconds
    for end in ends:
        with contextlib.suppress(pykka.Timeout):
            end.get(timeout=max(0.0, deadline - time.monotonic()))


class Ping:
    """Every actor of ours answers it with ``None``: proof that it is alive."""
