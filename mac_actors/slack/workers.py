"""Threads that carry out what Slack asks for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workers(Executor):
    """At most ``size`` tasks at once. Other than with a ``ThreadPoolExecutor``, one that hangs keeps no process alive.

    A call to Slack may hang, and a server has to stop all the same.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished: set[Future[Any]] = set()
        self._threads = 0

    @property
    def unfinished(self) -> int:
        """How many tasks are under way or wait."""
        return len(self._unfinished)

    def submit(self, task: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have ``task`` called with these arguments by a thread, in its turn. Never blocks."""
        future: Future[T] = Future()
        with self._lock:
            self._unfinished.add(future)
            more = self._threads < min(self._size, len(self._unfinished))
            self._threads += more
        future.add_done_callback(self._unfinished.discard)
        self._tasks.put((future, lambda: task(*args, **kwargs)))
        if more:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def finish(self, seconds: float) -> None:
        """Wait until every task is done, for so many seconds at most."""
        with self._lock:
            unfinished = list(self._unfinished)
        wait(unfinished, seconds)

    def _work(self) -> None:
        while True:
            future, task = self._tasks.get()
            try:
                future.set_result(task())
            except BaseException as error:  # for whoever asks the future, as every executor does
                future.set_exception(error)
