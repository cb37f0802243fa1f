"""The watch: a thread that, four times a second, revives dead actors, looks at the disk and saves telemetry.

It also takes the samples of the readers' Wi-Fi. Where names are removed from old lines, a second thread does that.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mac_actors.core.notices import Channel
from mac_actors.core.text import count
from mac_actors.errors import FleetClosed
from mac_actors.fleet.missing_readers import MissingReaders, Watched
from mac_actors.fleet.retention import Retention

if TYPE_CHECKING:
    from mac_actors.fleet.fleet import MachineFleet

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
"""How often dead actors are looked for: well within the second that their return may take."""

SAVE_EVERY_SECONDS = 30.0
"""Telemetry and check-ins are written this often, so that after a kill they are at most 60 s old."""

SLOW_SECONDS = 5.0
"""A change that has waited this long for the disk is said in the control channel."""


MISSING_SECONDS = 2.0
"""How often it is looked for readers that have fallen silent."""

DELAYED_SECONDS = 60.0
"""Notices that have been refused for so long are said to be delayed."""


class Watch:
    """Looks after a fleet until it is stopped. A thread, not an actor: it must outlive any of them."""

    def __init__(self, fleet: MachineFleet, missing: Watched, retention: Retention) -> None:
        self._fleet = fleet
        self._retention = retention
        self._missing = MissingReaders(missing, fleet.started_at)
        self._disk_told = False
        self._lost_told = 0
        self._chat_told: set[Channel] = set()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, name="fleet-watch", daemon=True)]
        if retention.is_on:
            # It reads the disk, which may hang: not in the thread that revives actors.
            self._threads.append(threading.Thread(target=self._remove_names, name="fleet-retention", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def _run(self) -> None:
        turn = 0
        while not self._stopping.wait(WATCH_SECONDS):
            try:
                self._fleet.restart_dead()
                self._look_at_disk()
                self._look_at_chat()
                if turn % int(MISSING_SECONDS / WATCH_SECONDS) == 0:
                    now, snapshots = datetime.now(UTC), self._fleet.snapshots()
                    for sentence in self._missing.look(snapshots, now):
                        self._fleet.notify(sentence)
                    self._fleet.wifi.look(snapshots, now)
                # a slice of the machines each time: all of them at once would hold up the readers
                self._fleet.supervisor.save_telemetry(turn, int(SAVE_EVERY_SECONDS / WATCH_SECONDS))
            except FleetClosed:
                return
            except Exception:
                log.exception("the watch over the fleet failed once; it goes on")
            turn += 1

    def _remove_names(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            try:
                self._retention.step()
            except Exception:
                log.exception("the removal of names from old lines of the journal failed once; it goes on")

    def _look_at_disk(self) -> None:
        journal = self._fleet.journal
        if journal.lost != self._lost_told:
            self._lost_told = journal.lost
            self._fleet.notify(
                f"{count(journal.lost, 'change')} could not be written; the log says which.", at_once=True
            )
        age = journal.oldest_age
        if age > SLOW_SECONDS and not self._disk_told:
            self._disk_told = True
            why = journal.error or "it does not answer"
            told = f"The disk is not taking changes ({why}): {journal.depth} wait in memory."
            self._fleet.notify(told, at_once=True)
        elif age < SLOW_SECONDS and self._disk_told:
            self._disk_told = False
            self._fleet.notify("The disk takes changes again.", at_once=True)

    def _look_at_chat(self) -> None:
        """Say once in the control channel (when it is back, if it is that one) that notices are delayed."""
        if self._fleet.notifier is None:
            return
        for channel, channel_notifier in self._fleet.notifier.channels.items():
            since = channel_notifier.failing_since
            if since is None:
                self._chat_told.discard(channel)
            elif channel not in self._chat_told and time.monotonic() - since > DELAYED_SECONDS:
                self._chat_told.add(channel)
                self._fleet.notify(
                    f"Notices for the {channel} channel are delayed ({channel_notifier.error}).", at_once=True
                )
