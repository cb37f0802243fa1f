"""Wake-ups that a thread puts off until it has nothing else to do (docs/decisions/0036-wakes.rst)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class _Thread(threading.local):
    """What the present thread puts off, each once; ``None``: nothing."""

    put_off: dict[Callable[[], None], None] | None = None


_thread = _Thread()


@contextlib.contextmanager
def gathering() -> Iterator[None]:
    """Put off this thread's wake-ups until :func:`flush`, or until the end of the block."""
    before, _thread.put_off = _thread.put_off, {}
    try:
        yield
    finally:
        flush()
        _thread.put_off = before


def wake(call: Callable[[], None]) -> None:
    """Call ``call``, which wakes somebody and neither waits nor raises: now, unless this thread puts it off."""
    if _thread.put_off is None:
        call()
    else:
        _thread.put_off[call] = None


def gathered() -> bool:
    """Whether this thread has put something off."""
    return bool(_thread.put_off)


def flush() -> None:
    """Wake whom this thread has left asleep, in the order in which it first wanted to."""
    if _thread.put_off:
        calls, _thread.put_off = _thread.put_off, {}
        for call in calls:
            call()
