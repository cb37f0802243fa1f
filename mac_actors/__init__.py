"""mac-actors decides who may run which machine in a makerspace.

The public names, for scripts; the server is built of the same ones::

    from mac_actors import Fleet

    with Fleet.open() as fleet:
        fleet["Metal Mill"].lock(by="me", reason="belt").get()
"""

from mac_actors.actors.custom import CustomActor
from mac_actors.actors.machine import MachineProxy
from mac_actors.actors.replies import Answer
from mac_actors.bootstrap import Fleet
from mac_actors.client.remote import RemoteFleet
from mac_actors.core.outcomes import Outcome
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Source, Status
from mac_actors.errors import (
    ChatError,
    ConfigError,
    FleetClosed,
    MacError,
    MachineUnavailable,
    ReloadRefused,
    ServerError,
    StorageError,
    UnknownMachine,
)
from mac_actors.fleet.protocol import AnyFleet, Machine

__all__ = [
    "Answer",
    "AnyFleet",
    "ChatError",
    "ConfigError",
    "CustomActor",
    "Fleet",
    "FleetClosed",
    "MacError",
    "Machine",
    "MachineProxy",
    "MachineUnavailable",
    "Outcome",
    "ReloadRefused",
    "RemoteFleet",
    "ServerError",
    "Snapshot",
    "Source",
    "Status",
    "StorageError",
    "UnknownMachine",
]
