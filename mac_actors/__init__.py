"""mac-actors decides who may run which machine in a makerspace.

The public names, for scripts; the server is built of the same ones::

    from mac_actors import Fleet

    with Fleet.open() as fleet:
        fleet["Metal Mill"].lock(by="me", reason="belt").get()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from mac_actors.actors.custom import CustomActor
    from mac_actors.actors.machine import MachineProxy
    from mac_actors.actors.replies import Answer
    from mac_actors.bootstrap import Fleet
    from mac_actors.client.remote import RemoteFleet
    from mac_actors.core.outcomes import Outcome
    from mac_actors.core.snapshot import Snapshot
    from mac_actors.core.state import Source, Status
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

_MODULES = {
    "Answer": "actors.replies",
    "AnyFleet": "fleet.protocol",
    "CustomActor": "actors.custom",
    "Fleet": "bootstrap",
    "Machine": "fleet.protocol",
    "MachineProxy": "actors.machine",
    "Outcome": "core.outcomes",
    "RemoteFleet": "client.remote",
    "Snapshot": "core.snapshot",
    "Source": "core.state",
    "Status": "core.state",
}
"""Where a name comes from that is loaded only when it is asked for: ``import mac_actors.core`` loads the core alone."""

if not TYPE_CHECKING:  # a type checker would take any name for one that is here

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__} - {"Any", "TYPE_CHECKING", "import_module"})
