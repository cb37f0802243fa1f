"""What comes back from an actor: a future that may have to wait for the disk."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, cast

import pykka

from mac_actors.core.decision import Already
from mac_actors.core.outcomes import Outcome
from mac_actors.core.outputs import Outputs
from mac_actors.core.phrases import phrase
from mac_actors.core.readable import Readable
from mac_actors.errors import MachineUnavailable

ANSWER_SECONDS = 5.0
"""How long an edge waits for a machine's actor, beside the commit budget. A healthy one takes a millisecond."""

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class Latch:
    """Closed until :meth:`open` is called, then open for ever; any number of threads may wait."""

    __slots__ = ("_lock", "_opened", "_then", "durable")

    def __init__(self) -> None:
        self.durable = True
        """Whether what was waited for is on disk for good, once it is open."""
        self._lock = threading.Lock()
        self._lock.acquire()
        self._opened = False
        self._then: list[Callable[[], None]] = []

    def open(self) -> None:
        """Let everybody through. May be called more than once."""
        self._opened = True
        with contextlib.suppress(RuntimeError):  # open already
            self._lock.release()
        for call in self._then:
            call()
        self._then.clear()  # they know whoever waits, who knows this

    @property
    def is_open(self) -> bool:
        """Whether it was opened."""
        return self._opened

    def then(self, call: Callable[[], None]) -> None:
        """Call ``call`` once the latch is open (perhaps twice, when both happen at the same moment)."""
        self._then.append(call)
        if self._opened:
            call()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until open, for ``timeout`` seconds at most; say whether it is."""
        if not self._lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            return False
        with contextlib.suppress(RuntimeError):
            self._lock.release()
        return True


@dataclass(frozen=True, slots=True, repr=False)
class Answer(Readable):
    """What came of an input: outcomes, what was already so, the outputs for the reader, and whether it is on disk.

    ``offline``: the ids of a report's offline sessions that need not be told again once all is on disk.
    """

    outputs: Outputs
    outcomes: tuple[Outcome, ...] = ()
    already: tuple[Already, ...] = ()
    durable: bool = True
    offline: tuple[int, ...] = ()


class PendingAnswer:
    """An answer on its way to the disk. The actor waits for nothing: whoever asked does, in :meth:`settle`.

    The commit budget, in seconds, runs from its making.
    """

    __slots__ = ("_answer", "_written", "deadline")

    def __init__(self, answer: Answer, written: Latch, budget: float) -> None:
        self._answer = answer
        self._written = written
        self.deadline = time.monotonic() + budget

    def then(self, call: Callable[[], None]) -> None:
        """Call ``call`` when the change is on disk."""
        self._written.then(call)

    def settle(self, timeout: float | None) -> Answer:
        """Wait for the disk, within the commit budget, and say whether it was in time."""
        left = self.deadline - time.monotonic()
        in_time = self._written.wait(left if timeout is None else min(left, timeout))
        return self._answer if in_time and self._written.durable else replace(self._answer, durable=False)


class Reply(pykka.Future[Any]):
    """A future that is set once, by one actor. ``settle``, where one is set, is how ``get`` waits without a timeout.

    A :class:`PendingAnswer` wakes the caller only when it is complete: two waits, for the actor and for
    the disk, are one in nearly all cases. A caller who has waited for ``LOOK_SECONDS`` looks for itself.
    """

    LOOK_SECONDS = 0.02

    def __repr__(self) -> str:
        """Say what to do with it: in a REPL it is what one sees first."""
        return "<Future: .get() waits for its result>"

    def __init__(self) -> None:
        super().__init__()
        self._latch = Latch()
        self._value: Any = None
        self._failure: ExcInfo | None = None
        self.settle: Callable[[Reply], Any] | None = None

    def get(self, *, timeout: float | None = None) -> Any:
        """Return the answer; raises ``pykka.Timeout`` after ``timeout`` seconds, or what the actor raised."""
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if timeout is None and self.settle is not None:
            return self.settle(self)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not isinstance(self._value, PendingAnswer) and not self._latch.wait(self.LOOK_SECONDS):
            if deadline is not None and time.monotonic() >= deadline:
                raise pykka.Timeout(f"no answer within {timeout} seconds")
        if self._failure is not None:
            kind, error, trace = self._failure
            raise error.with_traceback(trace) if error is not None else cast(type[BaseException], kind)()
        if isinstance(self._value, PendingAnswer):
            return self._value.settle(None if deadline is None else deadline - time.monotonic())
        return self._value

    def due(self) -> float:
        """Return from when on (``time.monotonic()``) ``get`` returns an answer at once: 0, or when the commit budget is
        over; infinity: the actor has not looked at the message yet, or there will be no answer.
        """
        if self._latch.is_open:
            return 0.0 if self._failure is None else math.inf
        return self._value.deadline if isinstance(self._value, PendingAnswer) else math.inf

    def then(self, call: Callable[[], None]) -> None:
        """Call ``call``, from whatever thread, once the answer is there and on disk; as :meth:`Latch.then`."""
        self._latch.then(call)

    @property
    def failure(self) -> BaseException | None:
        """What the actor raised, if it has."""
        return self._failure[1] if self._failure else None

    def set(self, value: Any = None) -> None:
        """Set the answer."""
        self._value = value
        if isinstance(value, PendingAnswer):
            value.then(self._latch.open)
        else:
            self._latch.open()

    def set_exception(self, exc_info: Any = None) -> None:
        """Set what ``get`` is to raise: the exception being handled, unless given."""
        self._failure = exc_info or sys.exc_info()
        self._latch.open()


class ActorGone(MachineUnavailable):
    """An actor ended before it had looked at a message: it was not carried out."""


def settle(reply: Reply, label: str, budget: float) -> Any:
    """Wait for a reply: :data:`ANSWER_SECONDS` for the actor of the machine that is shown as ``label``, and ``budget``
    seconds for the disk. Raises :class:`MachineUnavailable`; when nothing was done, its subclass :class:`ActorGone`.
    """
    try:
        return reply.get(timeout=ANSWER_SECONDS + budget)
    except pykka.ActorDeadError as error:
        raise ActorGone(phrase("{machine} is being restarted: nothing was done, try again", machine=label)) from error
    except pykka.Timeout as error:
        raise MachineUnavailable(
            phrase(
                "{machine} has not answered within {seconds:g} s: it may still do what it was told; look at its "
                "status, then try again",
                machine=label,
                seconds=ANSWER_SECONDS,
            )
        ) from error
