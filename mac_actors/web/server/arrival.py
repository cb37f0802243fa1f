"""When a request reached this computer, and whether its client is still there: the kernel knows (Linux)."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass, field

from mac_actors import clock

KERNEL_STEP = 0.01
"""The kernel counts in steps of up to 10 ms. A request is taken to be younger by so much, never older: what came
after an answer is then never dated before what was answered."""

_ESTABLISHED = 1
_LAST_DATA_RECEIVED = 52
"""Where ``tcpi_last_data_recv`` is in ``struct tcp_info``: milliseconds since the last bytes came."""


@dataclass(slots=True)
class ArrivalClock:
    """Dates what was read by the time at which it came, on a clock that counts through a sleep.

    The kernel's own count stands still while the computer sleeps. So what came before the end of a sleep is taken to
    have come before its beginning.
    """

    offset: float = field(default_factory=lambda: clock.seconds() - time.monotonic())
    """From the clock that stands still to the one that does not."""
    before_sleep: float = 0.0
    """The offset before the last sleep."""
    awake_since: float = -1.0

    def tick(self, monotonic: float, boot: float) -> None:
        """Look at both clocks, before anything is read."""
        offset = boot - monotonic
        if offset - self.offset > 1.0:
            self.before_sleep, self.awake_since = self.offset, monotonic
        self.offset = offset

    def arrived(self, waited: float) -> float:
        """Return when (:func:`mac_actors.clock.seconds`) bytes came that have waited so long in the kernel."""
        at = time.monotonic() - waited
        return at + (self.before_sleep if at <= self.awake_since else self.offset)


def waited(sock: socket.socket) -> float:
    """Return for how many seconds the last bytes of a connection have been here; 0 where nobody knows."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
        milliseconds: int = struct.unpack_from("I", info, _LAST_DATA_RECEIVED)[0]
        return max(0.0, milliseconds / 1000 - KERNEL_STEP)
    except (AttributeError, OSError, struct.error):
        return 0.0


def client_gone(sock: socket.socket) -> bool:
    """Whether the client has hung up, or said at least that nothing more comes from it."""
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED
    except (AttributeError, OSError):
        return False
