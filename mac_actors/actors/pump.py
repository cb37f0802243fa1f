"""What waits to be worked off by an actor, and outlives it: nothing is lost with an actor that dies."""

from __future__ import annotations

import threading
import time
from typing import Any

import pykka

from mac_actors.actors.runtime import MacActor, Ping
from mac_actors.actors.wakes import wake


class Pump:
    """Base of the journal, the publisher and the channels' notifiers: the way to an actor that works off what waits.

    A subclass puts what waits into attributes of its own, calls :meth:`wake`, and overrides :meth:`drain`. Its
    ``__init__`` calls this one last: the actor looks at once.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        """What the log, the metrics and the notices call its actor."""
        self.woken = False
        """Whether a message is on its way to the actor, so that no second one is needed."""
        self._stopping = threading.Event()
        self._wakes_at = 0.0
        self.restart()

    def drain(self) -> None:
        """Work off what waits until nothing does; called by the actor alone."""
        raise NotImplementedError

    def wake(self) -> None:
        """Have the actor look at what waits. Never blocks, never raises."""
        if not self.woken:
            wake(self._wake)

    def _wake(self) -> None:
        self.woken = True
        try:
            self.ref.tell(Wake())
        except pykka.ActorDeadError:
            self.woken = False  # whatever comes next tries again, and so does the restart

    def wake_after(self, seconds: float) -> None:
        """Wake the actor in so many seconds, or before."""
        now = time.monotonic()
        if now < self._wakes_at <= now + seconds:
            return
        self._wakes_at = now + seconds
        later = threading.Timer(seconds, self.wake)
        later.daemon = True
        later.start()

    def restart(self) -> None:
        """Start a new actor on what waits; for the fleet, when the old one is dead."""
        self.ref: pykka.ActorRef[PumpActor] = PumpActor.start(self)
        self.woken = False
        self.wake()

    def stop(self) -> pykka.Future[Any]:
        """Stop the actor after what it is doing; the future is set when it has stopped."""
        self._stopping.set()
        return self.ref.stop(block=False)


class Wake:
    """Something waits."""


class PumpActor(MacActor):
    """Has its pump drained whenever it is woken."""

    def __init__(self, pump: Pump) -> None:
        super().__init__()
        self._pump = pump

    def __str__(self) -> str:
        """Return what the log calls it when it fails."""
        return f"{self._pump.name} actor"

    def on_start(self) -> None:
        """Name the thread, so that lists of threads and profiles say whose it is."""
        threading.current_thread().name = self._pump.name

    def on_receive(self, message: Any) -> None:
        """Work off what waits."""
        match message:
            case Ping():
                return
            case Wake():
                self._pump.woken = False  # before looking: what comes after the look wakes the actor again
                self._pump.drain()
            case _:
                raise TypeError(f"not a message for the {self._pump.name}: {message!r}")
