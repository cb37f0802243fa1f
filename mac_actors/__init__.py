"""mac-actors decides who may run which machine in a makerspace.

The public names, for scripts; the server is built of the same ones::

    from mac_actors import Fleet

    with Fleet.open() as fleet:
        fleet["Metal Mill"].lock(by="me", reason="belt").get()
"""

from mac_actors.actors.machine import Answer, MachineProxy
from mac_actors.bootstrap import Fleet
from mac_actors.core.outcomes import Outcome
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Source, Status
from mac_actors.errors import (
    ChatError,
    ConfigError,
    MacError,
    MachineUnavailable,
    ReloadRefused,
    StorageError,
    UnknownMachine,
)

__all__ = [
    "Answer",
    "ChatError",
    "ConfigError",
    "Fleet",
    "MacError",
    "MachineProxy",
    "MachineUnavailable",
    "Outcome",
    "ReloadRefused",
    "Snapshot",
    "Source",
    "Status",
    "StorageError",
    "UnknownMachine",
]
