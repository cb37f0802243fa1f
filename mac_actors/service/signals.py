"""What the system's signals ask of a server: stop, or read the files anew."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque


class Signals:
    """Takes SIGTERM, Ctrl-C and SIGHUP from its making on; a second Ctrl-C ends the process at once."""

    def __init__(self) -> None:
        self._came: deque[int] = deque()
        self._in_terminal = _in_terminal()
        # The system may give a signal to any thread, and then the main one, which has to carry out the handler, would
        # sleep on: so it sleeps in a read that every signal ends.
        self._wake, written = os.pipe()
        os.set_blocking(written, False)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self._came.append(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def wait_for_reload(self) -> bool:
        """Wait for a signal: true for a reload, false for the stop.

        SIGHUP is a reload, unless it says that the terminal is gone in which the server was started: then nobody
        sees it any more, and it stops. Several that came meanwhile are one; a signal to stop comes before them all.
        """
        while not self._came:
            os.read(self._wake, 64)
        came = {self._came.popleft() for _ in range(len(self._came))}
        return came == {signal.SIGHUP} and not (self._in_terminal and not _in_terminal())


def _in_terminal() -> bool:
    try:
        return os.isatty(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
