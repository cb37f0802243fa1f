"""What can happen to a machine. Each input carries ``at``, stamped at the edge (UTC)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mac_actors.core.state import NO_TELEMETRY, Severity, Source, Telemetry


@dataclass(frozen=True, slots=True)
class OfflineSession:
    """A session that a reader had by itself, without the server. Its times are seconds since the reader's boot.

    ``id`` is its own among those of that boot. ``wrong`` is what the edge found in it that can't be.
    """

    id: int
    fob: str | None = field(default=None, repr=False)
    started: float = 0.0
    ended: float = 0.0
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A reader's report. ``fob`` is normalized, ``None`` without a card.

    ``arrived`` is when it reached the computer, in seconds on a clock that nobody sets; ``None``: at ``at``.
    ``offline`` is what went on without the server; only from a reader that says its ``boot`` and its uptime.
    """

    at: datetime
    fob: str | None = field(default=None, repr=False)
    oops: bool = False
    telemetry: Telemetry = NO_TELEMETRY
    arrived: float | None = None
    offline: tuple[OfflineSession, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """What an admin does: from where, by whom, why.

    ``public_reason`` is the reason without the names of members that are known to be in it, where there are such.
    ``given`` is when the command was given, where it may have come late: it then lifts nothing that was set since.
    ``until`` is when it is no longer to be carried out, in seconds on a clock that nobody sets. ``arrived``, on that
    clock, is when it came, where it was held back since.
    """

    at: datetime
    source: Source
    by: str | None = None
    reason: str | None = None
    public_reason: str | None = None
    given: datetime | None = None
    until: float | None = None
    arrived: float | None = None


@dataclass(frozen=True, slots=True)
class Oops(Command):
    """Mark the machine as broken."""


@dataclass(frozen=True, slots=True)
class Lock(Command):
    """Lock the machine out for maintenance; ``when_free``: once no session runs, which goes on until then."""

    when_free: bool = False


@dataclass(frozen=True, slots=True)
class Done(Command):
    """Say that maintenance was done; ``reason`` is what, and may be missing where there is only one thing to do.

    ``due``: since when that is due which was done, whatever it is called now; ``None``: it need not be due.
    """

    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unoops(Command):
    """Lift the oops alone."""


@dataclass(frozen=True, slots=True)
class Unlock(Command):
    """Lift the lock-out alone."""


@dataclass(frozen=True, slots=True)
class Clear(Command):
    """Lift oops and lock-out, whichever are set."""


@dataclass(frozen=True, slots=True)
class AddDetails(Command):
    """Say what is wrong with a machine that is oopsed or locked out: in ``reason``. Changes neither.

    ``about``: since when the oops or lock is that it belongs to; ``None``: whichever there is.
    """

    severity: Severity = Severity.UNUSABLE
    about: datetime | None = None


COMMANDS: dict[str, type[Command]] = {kind.__name__.lower(): kind for kind in (Oops, Lock, Unoops, Unlock, Clear, Done)}
"""The commands by the names that every edge has for them: ``oops``, ``lock``, ``unoops``, ``unlock``, ``clear``,
``done``.
"""


@dataclass(frozen=True, slots=True)
class Configured:
    """The machine's configuration was (re)read: a reload, or the start of the server."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Removed:
    """The machine is no longer configured; its actor is about to stop."""

    at: datetime


Input = Report | Command | Configured | Removed
