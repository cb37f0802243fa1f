"""The poker: has a reader report at once, because there is something new to be obeyed.

A poke is the datagram ``MAC1 NAME``, for firmware that names a port for it in its reports. It is sent before the change
is on disk, and again until a report has come that is newer than what was decided. It carries no authority.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mac_actors import clock
from mac_actors.actors.pump import Pump
from mac_actors.actors.replies import Latch
from mac_actors.actors.runtime import wait_for_ends
from mac_actors.core.changed import Changed
from mac_actors.core.config import MachineConfig
from mac_actors.errors import MachineUnavailable

log = logging.getLogger(__name__)

SEND_AT = (0.0, 0.1, 0.3, 1.0)
"""Seconds after the decision at which it is sent, as long as no newer report has come."""

ANSWER_WITHIN = 2.0
"""A report that comes within so many seconds counts as the answer to a poke; a later one is a heartbeat."""


class Restarter(Protocol):
    """Stops machines whose firmware takes no pokes, by a restart of their reader. Nothing in it blocks or raises."""

    def restart(self, machine: MachineConfig, address: str, needed: Callable[[], bool]) -> None:
        """Have the reader at ``address`` restart, if this is set up for the machine and, by then, ``needed`` still."""

    def try_out(self, machine: MachineConfig, address: str) -> float | None:
        """Look whether that would do, and restart nothing; waits.

        Returns the seconds that it took; ``None``: it is not set up for the machine. Raises
        :class:`~mac_actors.errors.MachineUnavailable`.
        """


class Poked(NamedTuple):
    """What came of a poke that was tried: how many seconds until the answer (``None``: there was none)."""

    seconds: float | None
    native_api: bool = False
    """It was ESPHome's native API that answered."""


@dataclass(slots=True)
class _Poke:
    """Decisions about one machine that no report has followed: the first and the last, on the process's clock."""

    first: float
    last: float
    due: tuple[float, ...]
    sent: bool = False
    answered: Latch = field(default_factory=Latch)
    answered_at: float = 0.0


_Reader = tuple[str | None, int | None]
"""Where a reader is: address and port of its last report; a bare tuple, for each report makes one."""


class Poker(Pump):
    """The way to the poker actor, for any thread. What the machines' actors call never blocks."""

    def __init__(self, restarter: Restarter | None = None) -> None:
        self.sent = 0
        """Pokes, of one to four datagrams each."""
        self.answered = 0
        """Pokes that a report followed within :data:`ANSWER_WITHIN`."""
        self.observe: Callable[[float], None] = lambda seconds: None
        """Takes the seconds from each decision to the reader's next report, of readers that take no pokes too."""
        self.took: dict[str, float] = {}
        """The last of these, by machine."""
        self._restarter = restarter
        self._readers: dict[str, _Reader] = {}
        self._open: dict[str, _Poke] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}
        self._trouble = Changed(None)
        super().__init__("poker")

    @property
    def waits(self) -> bool:
        """Whether a poke is still to be sent."""
        with self._lock:
            return any(poke.due for poke in self._open.values())

    def heard(self, machine: str, arrived: float, address: str | None, port: int | None) -> None:
        """Note where a report came from, when, and the port of which it spoke. Every report does this."""
        self._readers[machine] = (address, port)
        if machine in self._open:
            with self._lock:
                poke = self._open.get(machine)
                if poke is None or arrived <= poke.last:
                    return
                del self._open[machine]
                seconds = arrived - poke.first
                self.answered += poke.sent and seconds <= ANSWER_WITHIN
            self.took[machine] = seconds
            poke.answered_at = arrived
            poke.answered.open()
            self.observe(seconds)

    def poke(self, machine: MachineConfig, *, stops: bool = False) -> None:
        """Have the machine's reader report now; ``stops``: what was decided takes power that the machine had."""
        if machine.name not in self._readers:
            return
        address, port = self._readers[machine.name]
        poke = self._begin(machine.name)
        if stops and port is None and address and self._restarter:
            self._restarter.restart(machine, address, lambda: self._open.get(machine.name) is poke)

    def try_out(self, machine: MachineConfig) -> Poked:
        """Poke a reader, and wait for its report. Raises :class:`MachineUnavailable` where that can't be done."""
        address, port = self._readers.get(machine.name, (None, None))
        if address is None:
            raise MachineUnavailable("its reader has not reported since the server started: try again when it has")
        if port is not None:
            begun = clock.seconds()
            poke = self._begin(machine.name)
            return Poked(poke.answered_at - begun if poke.answered.wait(ANSWER_WITHIN) else None)
        seconds = self._restarter.try_out(machine, address) if self._restarter else None
        if seconds is None:
            raise MachineUnavailable("its firmware takes no pokes: its reader learns what is new with its next report")
        return Poked(seconds, native_api=True)

    def close(self) -> None:
        """Stop, and let the sockets go."""
        self._news.set()
        wait_for_ends([self.stop()], 5.0)
        for sock in self._sockets.values():
            sock.close()

    def _begin(self, machine: str) -> _Poke:
        now = clock.seconds()
        due = tuple(now + seconds for seconds in SEND_AT) if all(self._readers[machine]) else ()
        with self._lock:
            poke = self._open.setdefault(machine, _Poke(now, now, due))
            poke.last, poke.due, poke.sent = now, due, False
        if due:
            self._news.set()
            self.wake()
        return poke

    # for the actor alone

    def drain(self) -> None:
        """Send what is due until nothing is."""
        while not self._stopping.is_set():
            self._news.clear()
            now = clock.seconds()
            with self._lock:
                due = [(machine, poke) for machine, poke in self._open.items() if poke.due and poke.due[0] <= now]
                for _, poke in due:
                    poke.due = poke.due[1:]
                later = min((poke.due[0] for poke in self._open.values() if poke.due), default=None)
            for machine, poke in due:
                self._send(machine, poke)
            if later is None:
                return
            self._news.wait(later - clock.seconds())

    def _send(self, machine: str, poke: _Poke) -> None:
        address, port = self._readers[machine]
        self.sent += not poke.sent
        poke.sent = True
        if address is None or port is None:  # another board took its place meanwhile
            return
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            if family not in self._sockets:
                self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
                self._sockets[family].setblocking(False)
            self._sockets[family].sendto(f"MAC1 {machine}".encode(), (address, port))
            self._trouble(None)
        except OSError as error:
            if self._trouble(str(error)):
                log.warning(
                    "pokes can't be sent to %s: %s (readers learn what is new by their next report)", machine, error
                )
