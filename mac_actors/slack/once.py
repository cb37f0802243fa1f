"""Slack delivers an event again; each is carried out once."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from mac_actors.errors import StorageError
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage.records import Record

log = logging.getLogger(__name__)


class Once:
    """Which chat events were carried out: in memory, and on disk."""

    def __init__(self, fleet: MachineFleet) -> None:
        self._fleet = fleet
        self._lock = threading.Lock()
        self._begun: dict[str, None] = {}

    def begin(self, event_id: str) -> bool:
        """Whether this event is to be carried out now."""
        if not event_id:
            return True
        with self._lock:
            if event_id in self._begun:
                return False
            self._begun[event_id] = None
            if len(self._begun) > 10_000:
                del self._begun[next(iter(self._begun))]
        try:
            return not self._fleet.store.has_seen(event_id)
        except StorageError as error:
            # An oops must work while the disk does not; at the worst it finds that it is so already.
            log.warning("whether a Slack event was carried out before can't be looked up: %s", error)
            return True

    def remember(self, event_id: str) -> None:
        """Have it on disk that this event was answered; for those of which no machine has recorded that."""
        if event_id:
            self._fleet.journal.record(Record(seen=(event_id, datetime.now(UTC))))
