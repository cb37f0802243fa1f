"""What comes back from an actor: a future that may have to wait for the disk."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, cast

import pykka

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class Latch:
    """Closed until :meth:`open` is called, then open for ever; any number of threads may wait."""

    __slots__ = ("_lock", "_opened", "_then")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._opened = False
        self._then: Callable[[], None] | None = None

    def open(self) -> None:
        """Let everybody through. May be called more than once."""
        self._opened = True
        with contextlib.suppress(RuntimeError):  # open already
            self._lock.release()
        if self._then is not None:
            self._then()

    def then(self, call: Callable[[], None]) -> None:
        """Call ``call`` once the latch is open (perhaps twice, when both happen at the same moment)."""
        self._then = call
        if self._opened:
            call()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until open, for ``timeout`` seconds at most; say whether it is."""
        if not self._lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            return False
        with contextlib.suppress(RuntimeError):
            self._lock.release()
        return True


class Pending:
    """An answer that is complete only after a wait which the actor must not do: whoever calls ``get`` does it."""

    __slots__ = ()

    def then(self, call: Callable[[], None]) -> None:
        """Call ``call`` when there is nothing left to wait for."""
        raise NotImplementedError

    def settle(self, timeout: float | None) -> object:
        """Wait, for ``timeout`` seconds at most, and return the answer."""
        raise NotImplementedError


class Reply(pykka.Future[Any]):
    """A future that is set once, by one actor.

    A :class:`Pending` answer wakes the caller only when it is complete: two waits, for the actor and for
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

    def get(self, *, timeout: float | None = None) -> Any:
        """Return the answer; raises ``pykka.Timeout`` after ``timeout`` seconds, or what the actor raised."""
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._latch.wait(self.LOOK_SECONDS) and not isinstance(self._value, Pending):
            if deadline is not None and time.monotonic() >= deadline:
                raise pykka.Timeout(f"no answer within {timeout} seconds")
        if self._failure is not None:
            kind, error, trace = self._failure
            raise error.with_traceback(trace) if error is not None else cast(type[BaseException], kind)()
        if isinstance(self._value, Pending):
            return self._value.settle(None if deadline is None else deadline - time.monotonic())
        return self._value

    def set(self, value: Any = None) -> None:
        """Set the answer."""
        self._value = value
        if isinstance(value, Pending):
            value.then(self._latch.open)
        else:
            self._latch.open()

    def set_exception(self, exc_info: Any = None) -> None:
        """Set what ``get`` is to raise: the exception being handled, unless given."""
        self._failure = exc_info or sys.exc_info()
        self._latch.open()


Settle = Callable[[Reply], Any]


class Settled(pykka.Future[Any]):
    """A future whose ``get()`` never waits for ever, and whose errors are the package's own."""

    def __init__(self, reply: Reply | None = None, settle: Settle | None = None) -> None:
        super().__init__()
        self._reply = reply
        self._settle = settle

    def __repr__(self) -> str:
        """Say what to do with it: in a REPL it is what one sees first."""
        return "<Future: .get() waits for its result>"

    def get(self, *, timeout: float | None = None) -> Any:
        """Return the answer; with a ``timeout`` in seconds raises ``pykka.Timeout`` when it is over."""
        if self._reply is None or self._settle is None:  # made by map() and its like, which set a hook
            return super().get(timeout=timeout)
        return self._settle(self._reply) if timeout is None else self._reply.get(timeout=timeout)
