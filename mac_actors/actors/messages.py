"""What a machine's actor is sent besides the core's inputs: frozen, for actors hand over references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.inputs import Command, Input, Report
from mac_actors.core.phrases import phrase

MOVING = phrase("another server is taking over: nothing was changed; try again in a few seconds")
"""What is said to whoever wants something that only the owner of the machines may do."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A report, the address that it came from, and whether its client has hung up by now (must not block)."""

    report: Report
    address: str | None = None
    gone: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Withheld:
    """A report whose answer would have started a session, but must not go out: this server owns nothing any more."""

    report: Report


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What came to the machine while no server owned it, in order: it is decided now."""

    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class Commanded:
    """A command that a chat event asked for; its id goes to the disk with what it did, so that it is done once."""

    command: Command
    chat_event: str


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """New rules; ``config`` is ``None`` where only the users changed."""

    directory: Directory
    config: MachineConfig | None
    at: datetime


@dataclass(frozen=True, slots=True)
class TellWhenFree:
    """A member of the chat wants to be told when the machine is free; ``off``: no longer."""

    member: str
    at: datetime
    off: bool = False


class SaveTelemetry:
    """Write the state if heartbeats have changed it since it was last written."""
