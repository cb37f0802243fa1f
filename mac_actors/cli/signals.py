"""What the system's signals ask of a server: stop, or read the files anew."""

from __future__ import annotations

import os
import queue
import signal
import sys


class Signals:
    """Takes SIGTERM, Ctrl-C and SIGHUP from its making on; a second Ctrl-C ends the process at once."""

    def __init__(self) -> None:
        self._came: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._in_terminal = _in_terminal()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self._came.put(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def wait_for_reload(self) -> bool:
        """Wait for a signal: true for a reload, false for the stop.

        SIGHUP is a reload, unless it says that the terminal is gone in which the server was started: then nobody
        sees it any more, and it stops.
        """
        number = self._came.get()
        return number == signal.SIGHUP and not (self._in_terminal and not _in_terminal())


def _in_terminal() -> bool:
    try:
        return os.isatty(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
