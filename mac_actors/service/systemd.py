"""Messages to systemd, by its own protocol: one datagram each to the socket that NOTIFY_SOCKET names.

Podman and other managers that pass NOTIFY_SOCKET on get the same. Without it nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

from mac_actors.core.changed import Changed

log = logging.getLogger(__name__)

SEND_SECONDS = 1.0
"""How long a message may take. The server goes on without a manager that does not read."""


class Systemd:
    """The manager that started this process, if one did; every method is harmless without.

    ``watchdog_seconds`` is how often it wants a sign of life, or it restarts the server; ``None``: not at all.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        env = os.environ if environ is None else environ
        path = env.get("NOTIFY_SOCKET", "")
        self._address: str | None = None
        if path.startswith(("/", "@")):
            self._address = "\0" + path[1:] if path.startswith("@") else path  # @: an abstract socket
        elif path:
            log.warning("NOTIFY_SOCKET is %r, which is no path of a socket: nobody is told that the server is up", path)
        self.watchdog_seconds = _watchdog_seconds(env) if self._address else None
        self._failing = Changed()

    def __bool__(self) -> bool:
        """Whether there is a manager to inform."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """Say that the server is up, or up again after a reload; ``status`` is shown by ``systemctl status``."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that a reload has begun; :meth:`ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Say that the server is on its way down."""
        self._send("STOPPING=1", "STATUS=stopping: everything is written")

    def status(self, status: str) -> None:
        """Change what ``systemctl status`` shows, one line."""
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        """Give the sign of life that the watchdog waits for, if there is one."""
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(SEND_SECONDS)
                sock.connect(self._address)  # so that a wait for room in the other's queue is one
                sock.send("\n".join(line.replace("\n", " ") for line in lines).encode())
            self._failing(False)
        except OSError as error:
            if self._failing(True):
                log.warning("the service manager can't be told how the server is (NOTIFY_SOCKET): %s", error)


def _watchdog_seconds(env: Mapping[str, str]) -> float | None:
    """Return WATCHDOG_USEC in seconds if it is meant for this process."""
    if env.get("WATCHDOG_PID", "") not in {"", str(os.getpid())}:
        return None
    given = env.get("WATCHDOG_USEC", "")
    return int(given) / 1e6 if given.isascii() and given.isdigit() and int(given) else None
