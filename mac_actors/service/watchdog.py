"""Keeps the service manager informed: signs of life while the server works, and one line on how the shop is.

A server that hangs gives no sign and is restarted. Hanging means that nothing moves: requests wait and no worker
takes one, the thread that accepts connections stands still, or a machine's actor does not answer. A server that is
merely slow, flooded or without a disk does not hang. While changes wait for the disk it is never restarted, whatever
else is wrong: they are in memory alone, and a restart would lose them.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from mac_actors.core.changed import Changed
from mac_actors.core.snapshot import tally
from mac_actors.core.text import count
from mac_actors.errors import FleetClosed
from mac_actors.service.service import Service
from mac_actors.service.systemd import Systemd

log = logging.getLogger(__name__)

LOOKS = 3
"""So often the server is looked at in the time that the manager gives it: one bad look alone restarts nothing."""

STATUS_SECONDS = 10.0
"""How often the status line is brought up to date, unless the watchdog wants to look more often."""

ANSWER_SECONDS = 5.0
"""How long the machines' actors may take to answer, all together; healthy ones take milliseconds."""


ELSEWHERE = "another server owns the machines, or is about to"
"""The status of a server of a cell that is not the owner."""


class Watchdog:
    """Looks after one service for one manager, in a thread of its own, from :meth:`start` to :meth:`stop`."""

    def __init__(self, service: Service, systemd: Systemd) -> None:
        self._service = service
        self._systemd = systemd
        limit = systemd.watchdog_seconds
        self.seconds = STATUS_SECONDS if limit is None else min(STATUS_SECONDS, limit / LOOKS)
        """How often it looks."""
        self._before: tuple[int, int | None] = (-1, None)
        self._hung = Changed()
        self._refused_after: int | None = None
        """After how many reloads one was refused; a later one may come another way."""
        self._status = Changed("")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Say that the server is up, and go on looking after it."""
        self._say_ready()
        if self._systemd:
            self._thread.start()

    def reloading(self) -> None:
        """Say that a reload has begun."""
        self._systemd.reloading()

    def reloaded(self, *, good: bool) -> None:
        """Say that a reload is over; one that was refused is in the status line until one is not."""
        self._refused_after = None if good else self._reloads()
        self._say_ready()

    def _reloads(self) -> int:
        with suppress(FleetClosed):
            return self._service.fleet.reloads
        return 0

    def _say_ready(self) -> None:
        status = self.status()
        self._status(status)
        self._systemd.ready(status)

    def stop(self) -> None:
        """Say that the server is on its way down; the signs of life end."""
        self._stopping.set()
        self._systemd.stopping()

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("looking after the server failed once; it goes on")
            if self._stopping.wait(self.seconds):
                return

    def look(self) -> None:
        """Look once, and inform the manager; a server that hangs has no sign of life given for it."""
        hangs = self.hangs()
        if hangs and (waiting := self._waiting()):
            self._log(f"{hangs}. It is not restarted, because changes wait in memory: {waiting}")
            hangs = None
        elif hangs:
            self._log(f"{hangs}. No sign of life is given to the service manager: it restarts the server")
        else:
            self._log(None)
        if hangs is None:
            self._systemd.alive()
        status = self.status()
        if not self._stopping.is_set() and self._status(status):
            self._systemd.status(status)

    def _waiting(self) -> str | None:
        """Return what is said of changes that wait for the disk, if any do."""
        with suppress(FleetClosed):
            return self._service.fleet.health().get("store")
        return None

    def _log(self, hangs: str | None) -> None:
        if not self._hung(hangs is not None):
            return
        if hangs:
            log.critical("the server hangs: %s", hangs)
        else:
            log.warning("the server no longer hangs")

    def hangs(self) -> str | None:
        """Return what has not moved since the last look, in a sentence; ``None`` when all is well."""
        server = self._service.server
        if not server.accepting:
            return "the thread that accepts connections has ended"
        (turns, taken), self._before = self._before, (server.turns, server.taken if server.waiting else None)
        if turns == server.turns:
            return "the thread that accepts connections stands still"
        if server.waiting and taken == server.taken:
            return f"{count(server.waiting, 'request')} waited for a worker and none took one"
        with suppress(FleetClosed):
            if silent := self._service.fleet.supervisor.unresponsive(min(ANSWER_SECONDS, self.seconds)):
                return f"these machines' actors do not answer: {', '.join(silent[:10])}"
        return None

    def status(self) -> str:
        """Return how the shop is, in one line without names of people."""
        try:
            fleet, slack = self._service.fleet, self._service.shop.slack
        except FleetClosed:
            return ELSEWHERE
        parts = [tally(fleet.snapshots())]
        parts += [f"{what}: {text}" for what, text in fleet.health().items()]
        if slack is None:
            parts.append("no Slack")
        elif troubles := slack.troubles():
            parts.append("Slack: " + "; ".join(troubles.values()))
        else:
            parts.append("Slack connected")
        if self._refused_after == fleet.reloads:
            parts.append("the last reload was refused (the log says why)")
        return "; ".join(parts)
