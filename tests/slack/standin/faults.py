"""The ways in which the stand-in workspace misbehaves on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

Kind = Literal["http_error", "rate_limit", "error", "cut"]


@dataclass
class Fault:
    """One misbehaviour; `method` and `channel` None mean any, `times` None means until it is taken away."""

    kind: Kind
    method: str | None = None
    channel: str | None = None
    times: int | None = None
    status: int = 0
    retry_after: int = 0
    error: str = ""

    def fits(self, kind: Kind, method: str, channel: str | None) -> bool:
        return (
            self.kind == kind and self.times != 0 and self.method in (None, method) and self.channel in (None, channel)
        )


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._delays: dict[str | None, float] = {}
        self._release = threading.Event()

    def add(self, fault: Fault) -> None:
        """Switch a fault on, in place of an older one of its kind for the same requests."""
        with self._lock:
            same = [
                f for f in self._faults if (f.kind, f.method, f.channel) == (fault.kind, fault.method, fault.channel)
            ]
            self._faults = [f for f in self._faults if f not in same] + [fault]

    def take(self, kind: Kind, method: str, channel: str | None) -> Fault | None:
        """The fault of this kind that meets a request, if any; counts it."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(kind, method, channel):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def mend(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._faults.clear()
            self._delays.clear()
        self.release()

    def delay(self, seconds: float, method: str | None) -> None:
        """Let requests wait; zero lets those that already wait go."""
        with self._lock:
            self._delays.pop(method, None)
            if seconds > 0:
                self._delays[method] = seconds
        self.release()

    def release(self) -> None:
        """Let the requests that wait now go on."""
        with self._lock:
            self._release.set()
            self._release = threading.Event()

    def wait(self, method: str) -> bool:
        """Wait as long as a request to the method has to; tells whether it had to."""
        with self._lock:
            seconds = self._delays.get(method, self._delays.get(None, 0.0))
            release = self._release
        if seconds > 0:
            release.wait(seconds)
        return seconds > 0
