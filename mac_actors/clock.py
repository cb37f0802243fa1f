"""The clock by which lengths of time are told: nobody sets it, and it goes on while the computer sleeps."""

from __future__ import annotations

import time
from typing import Final

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Elsewhere than on Linux the monotonic clock, which may stand still during a sleep."""


def seconds() -> float:
    """Return the seconds on it. They can be compared within one process alone."""
    return time.clock_gettime(_CLOCK)
