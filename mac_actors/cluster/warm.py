"""What a standby knows of the machines: read once a second, so that a takeover has little left to read."""

from __future__ import annotations

import json
import threading

from mac_actors.cluster.lease import Seen
from mac_actors.cluster.rows import Rows
from mac_actors.core.config import Configuration
from mac_actors.core.state import MachineState
from mac_actors.errors import StorageError
from mac_actors.fleet.names import Names
from mac_actors.fleet.supervisor import Prepared
from mac_actors.storage.records import Unreadable, read_state


class Warm:
    """The states of all machines, as of the last :meth:`refresh`; any thread may call."""

    def __init__(self, url: str) -> None:
        self._rows = Rows(url, 5.0, "mac-actors standby")
        self._lock = threading.Lock()
        self._changes: dict[str, str] = {}  # which transaction has written a machine's state last
        self._states: dict[str, MachineState | Unreadable] = {}
        self._names: tuple[Configuration, Names] | None = None

    @property
    def states(self) -> dict[str, MachineState]:
        """Those that can be read."""
        return {name: state for name, state in self._states.copy().items() if isinstance(state, MachineState)}

    def look(self) -> Seen:
        """Return the lease as it is now. Raises :class:`~mac_actors.errors.StorageError`."""
        return self._rows.look().seen

    def refresh(self) -> None:
        """Read what has changed. Raises :class:`~mac_actors.errors.StorageError`."""
        with self._lock:
            now = dict(self._rows.ask("read the machines' states", "SELECT name, xmin::text FROM machine_state"))
            changed = [name for name, change in now.items() if self._changes.get(name) != change]
            if changed:
                query = (
                    "SELECT name, xmin::text, state FROM machine_state "
                    "WHERE name IN (SELECT jsonb_array_elements_text($1::jsonb))"
                )
                for name, change, text in self._rows.ask("read the machines' states", query, json.dumps(changed)):
                    self._changes[name] = change
                    self._states[name] = read_state(text)
            for name in self._states.keys() - now.keys():
                del self._states[name], self._changes[name]

    def prepare(self, configuration: Configuration) -> Names:
        """Make ready what is needed of the configuration."""
        if self._names is None or self._names[0] is not configuration:
            self._names = configuration, Names(configuration.machines.values())
        return self._names[1]

    def prepared(self, configuration: Configuration) -> Prepared:
        """Return everything as it is in the database now. Raises :class:`~mac_actors.errors.StorageError`."""
        try:
            self.refresh()
        except StorageError:  # its connection may be to a host that hangs since: the next one is made anew
            self.refresh()
        return Prepared(dict(self._states), self.prepare(configuration))

    def close(self) -> None:
        """Close the connection."""
        self._rows.close()
