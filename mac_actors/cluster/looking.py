"""Who owns the machines by now? A server that does not, and knows nobody who does, looks before it holds."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterable

from mac_actors.cluster.fresh import Fresh
from mac_actors.cluster.passing import OwnerGone, Passing


class Looking:
    """Looks in the database, by ``read``, which waits so many seconds for it, and says whether it could be read. Where
    it could not, the ``others`` are asked, and ``follow`` is called with the one that owns.

    Why the others: a server that is cut off from the database alone would answer by what it knew before, for as long as
    that lasts, though the owner, who has decided since, is a request away. And one that was suspended for longer than
    its lease does not know that it owns no more. What was locked meanwhile must not be turned on by either.

    Requests of one moment share one question, as they share what is read (:class:`Fresh`).
    """

    def __init__(
        self,
        read: Callable[[float], bool],
        passing: Passing,
        others: Callable[[], Iterable[str]],
        follow: Callable[[str], None],
    ) -> None:
        self._read = read
        self._passing = passing
        self._others = others
        self._follow = follow
        self._silent = False
        """Whether one of them did not answer last: then only one request at a time waits for that."""
        self._waiting = threading.Lock()
        self._question = Fresh(self._ask)

    def __call__(self, until: float) -> None:
        """Look, until then (``time.monotonic()``) at the most: one half of it is the database's."""
        if self._read((until - time.monotonic()) / 2):
            return
        if not self._silent:
            self._question.wait(until - time.monotonic())
        elif self._waiting.acquire(blocking=False):
            try:
                self._question.wait(until - time.monotonic())
            finally:
                self._waiting.release()

    def close(self) -> None:
        """Look no more."""
        self._question.close()

    def _ask(self) -> None:
        silent = False
        for url in self._others():
            try:
                if self._passing.ask(url, "GET", "/healthz?serving", self._passing.until()) == http.client.OK:
                    self._follow(url)
                    break
            except OwnerGone:
                silent = True
        self._silent = silent
