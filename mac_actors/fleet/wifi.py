"""The strength of each reader's Wi-Fi over the last two days: a ring in memory, of one byte a sample.

In memory, because a heartbeat that changes nothing touches no disk: on an SD card 500 readers that write a sample
every five minutes would be the largest load of all, for a diagram that is looked at when a reader makes trouble.
A restart of the server begins it anew.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from mac_actors.core.snapshot import Snapshot

EVERY = timedelta(minutes=5)
"""Time between two samples."""

SAMPLES = 576
"""Samples of a reader: two days of them, 0.6 kB."""

NONE = 127
"""Stands for no sample: the reader was silent, or has no reading. No signal is as strong as that (in dBm)."""


class Wifi:
    """The samples of all readers. The watch takes them; any thread reads them."""

    def __init__(self) -> None:
        self._rings: dict[str, array[int]] = {}
        self._last: int | None = None

    def look(self, snapshots: Iterable[Snapshot], now: datetime) -> None:
        """Take the samples, if it is time."""
        number = _number(now)
        if number == self._last:
            return
        rings: dict[str, array[int]] = {}
        for seen in snapshots:
            ring = self._rings.get(seen.name) or array("b", [NONE] * SAMPLES)
            for missed in range(max((self._last or number) + 1, number - SAMPLES + 1), number):
                ring[missed % SAMPLES] = NONE  # the computer slept, or its clock was set
            signal = seen.telemetry.wifi_signal_db
            known = seen.online and signal is not None and -128 <= signal < NONE
            ring[number % SAMPLES] = round(signal) if known and signal is not None else NONE
            rings[seen.name] = ring
        self._rings, self._last = rings, number

    def of(self, machine: str) -> list[tuple[datetime, int | None]]:
        """Return time and strength (dBm, ``None``: none) of a reader's samples, from its first one on."""
        ring, last = self._rings.get(machine), self._last
        if ring is None or last is None:
            return []
        samples = [(number, ring[number % SAMPLES]) for number in range(last - SAMPLES + 1, last + 1)]
        first = next((at for at, (_, value) in enumerate(samples) if value != NONE), len(samples))
        return [
            (datetime.fromtimestamp(number * EVERY.total_seconds(), UTC), None if value == NONE else value)
            for number, value in samples[first:]
        ]


def _number(now: datetime) -> int:
    return int(now.timestamp() // EVERY.total_seconds())
