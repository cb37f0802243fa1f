"""The way from a log line to the disk or the terminal: who logs never waits for whoever reads the log."""

from __future__ import annotations

import atexit
import copy
import logging
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mac_actors.core.text import count

QUEUED = 5000
"""Lines that may wait for a reader. Further ones are left out, and counted."""

WINDOW_SECONDS = 60.0
SAME, ONE_PLACE = 5, 100
"""Lines in this time that say the same, and lines of one place in the code that anybody outside can cause, which are
written. Further ones are counted."""

OUTSIDE = "mac_actors.web"
"""What this logger and those below it say has words of callers in it."""

LONGEST = 200
"""Characters of a caller's words that are written."""

KINDS = 2000
"""Different lines that are remembered at the most."""

LOOK_SECONDS = 5.0
"""How often it is looked whether there is something to say about lines that were left out."""

CLOSE_SECONDS = 1.0
"""How long the end of the process may wait for lines to be written."""


@dataclass(slots=True)
class _Kind:
    since: float
    last: logging.LogRecord
    most: int
    lines: int = 1


class Repetitions:
    """Which lines are written, and which are counted instead.

    Not for several threads at once; that :meth:`admits` is called again while it is at work costs a count at the most.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[object, _Kind] = {}  # in the order of their first lines

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether this line is to be written."""
        place = (record.pathname, record.lineno)
        if record.name.startswith(OUTSIDE) and not self._count(place, record, ONE_PLACE):
            return False
        return self._count((record.name, hash(record.getMessage())), record, SAME)

    def _count(self, key: tuple[object, ...], record: logging.LogRecord, most: int) -> bool:
        kind = self._kinds.get(key)
        if kind is None:
            if most == ONE_PLACE or len(self._kinds) < KINDS:
                self._kinds[key] = _Kind(self._clock(), record, most)
            return True
        kind.last, kind.lines = record, kind.lines + 1
        return kind.lines <= kind.most

    def over(self, *, everything: bool = False) -> Iterator[logging.LogRecord]:
        """Return a line for each kind whose time is over and of which lines were left out."""
        now = self._clock()
        for key, kind in list(self._kinds.items()):
            if not everything and now - kind.since < WINDOW_SECONDS:
                return
            del self._kinds[key]
            if kind.lines > kind.most:
                line = shortened(kind.last)
                more, seconds = count(kind.lines - kind.most, "line"), now - kind.since
                line.msg, line.args = f"{more} more like this one within {seconds:.0f} s: %s", (line.getMessage(),)
                line.exc_info = line.exc_text = line.stack_info = None
                yield line


def shortened(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy in which callers' words are not longer than :data:`LONGEST`."""
    made = copy.copy(record)
    if made.name.startswith(OUTSIDE) and isinstance(made.args, tuple):
        made.args = tuple(a[:LONGEST] + "…" if isinstance(a, str) and len(a) > LONGEST else a for a in made.args)
    return made


class LogQueue(logging.Handler):
    """Writes lines to a file descriptor, in a thread of its own. What it can't write it drops, counts, and says so."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.left_out = Counter(unwritable=0, repeated=0)
        """Lines that were left out, by reason."""
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._repetitions = Repetitions()
        # Not logging's own, which is held while close() waits for the thread. Whoever holds it may log again: what a
        # line is made of may do so, and the garbage collector ends things of others in the midst of one.
        self._counting = threading.RLock()
        self._begin()
        atexit.register(self.close)  # logging's own list of handlers is emptied by whoever configures it (IPython)

    def emit(self, record: logging.LogRecord) -> None:
        """Have a line written. Never waits, never raises."""
        with self._counting:
            try:
                if self._repetitions.admits(record):
                    self._put(shortened(record))
                else:
                    self.left_out["repeated"] += 1
            except Exception:  # a mistake in the call: logging's own way would be a trace on standard error, at once
                self.left_out["unwritable"] += 1

    def close(self) -> None:
        """Write what waits, for a while: whoever does not read holds up no stop. A later line begins anew."""
        self._put_repetitions(everything=True)
        self._lines.put(None)
        self._thread.join(CLOSE_SECONDS)
        super().close()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def _put(self, record: logging.LogRecord) -> None:
        if not self._thread.is_alive():
            self._begin()
        if self._lines.qsize() < QUEUED:
            self._lines.put(self.format(record))
        else:
            self.left_out["unwritable"] += 1

    def _put_repetitions(self, *, everything: bool = False) -> None:
        with self._counting:
            for line in self._repetitions.over(everything=everything):
                self._put(line)

    def _run(self) -> None:
        said = 0
        while True:
            try:
                line = self._lines.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                line = ""
            if line and not self._write(line):
                self.left_out["unwritable"] += 1
            if line is None or self._lines.empty():
                lost = self.left_out["unwritable"] - said
                if lost and self._write(self.format(_lost(lost))):
                    said += lost
                self._put_repetitions()
            if line is None:
                return

    def _write(self, line: str) -> bool:
        data = (line + "\n").encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            return False
        return True


def _lost(number: int) -> logging.LogRecord:
    text = "%d log lines were left out here, because they could not be written"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (number,), None)
