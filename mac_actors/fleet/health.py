"""What keeps a fleet from serving, and the troubles of disk and chat that are said in the control channel."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from mac_actors.actors.outlet import Outlet
from mac_actors.actors.restarts import Restarts
from mac_actors.core.changed import Changed
from mac_actors.core.text import count
from mac_actors.fleet.supervisor import Supervisor

SLOW_SECONDS = 5.0
"""A change that has waited this long for the disk is said in the control channel."""

DELAYED_SECONDS = 60.0
"""Notices that have been refused for so long are said to be delayed."""


class Health:
    """Looks at a fleet's parts. What it finds it says once when it begins, and once when it is over.

    ``say`` posts a line to the control channel, not by way of the disk.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        restarts: Restarts,
        outlets: Callable[[], Mapping[str, Outlet]],
        say: Callable[[str], None],
    ) -> None:
        self._journal = supervisor.journal
        self._supervisor = supervisor
        self._restarts = restarts
        self._outlets = outlets
        self._say = say
        self._lost = Changed(0)
        self._slow = Changed()
        self._displaced: str | None = None
        self._displaced_changed = Changed(None)
        self._delayed: defaultdict[str, Changed] = defaultdict(Changed)

    def troubles(self) -> dict[str, str]:
        """Return what keeps the fleet from serving, by part, in a sentence each; empty when all is well."""
        journal, found = self._journal, {}
        if journal.error is not None:
            found["store"] = journal.error
        elif journal.oldest_age > SLOW_SECONDS:
            found["store"] = f"the disk has not answered for {journal.oldest_age:.0f} s"
        if self._displaced:
            found["state directory"] = self._displaced
        if journal.lost:
            lost = count(journal.lost, "change")
            found["journal"] = f"{lost} could not be written: the log says which; look, then restart the server"
        if dead := self._supervisor.dead():
            found["machines"] = f"being restarted: {', '.join(dead[:10])}"
        return found | self._restarts.troubles()

    def look_at_disk(self) -> None:
        """Say that changes were lost, that the disk takes none, or that it takes them again."""
        journal = self._journal
        if self._lost(journal.lost):
            self._say(f"{count(journal.lost, 'change')} could not be written; the log says which.")
        slow = journal.oldest_age > SLOW_SECONDS
        if self._slow(slow):
            why = journal.error or "it does not answer"
            trouble = f"The disk is not taking changes ({why}): {journal.depth} wait in memory."
            self._say(trouble if slow else "The disk takes changes again.")

    def look_at_files(self) -> None:
        """Say that the database or the lock file has been removed or replaced, or is back. May hang with the disk."""
        self._displaced = displaced = self._journal.store.displaced()
        if self._displaced_changed(displaced):
            self._say(f"{displaced}." if displaced else "The state directory is whole again.")

    def look_at_outlets(self) -> None:
        """Say that notices are delayed: in the control channel, when it is back if it is that one."""
        for channel, outlet in self._outlets().items():
            since = outlet.failing_since
            delayed = since is not None and time.monotonic() - since > DELAYED_SECONDS
            if self._delayed[channel](delayed) and delayed:
                self._say(f"Notices for the {outlet.label} are delayed ({outlet.error}).")
