"""Admins who are logged in on the board, and how often a wrong token may be tried. Both in memory, both bounded."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

LOGIN_SECONDS = 12 * 3600
"""How long a login lasts: a long day in the shop."""

MAX_LOGINS = 200
"""Beyond, the oldest login ends."""

TRY_SECONDS = 60.0
TRIES_PER_ADDRESS, TRIES_IN_ALL = 5, 60
"""How many wrong tokens are checked in this time in the login, from one address and from all together."""

READING_TRIES_PER_ADDRESS, READING_TRIES_IN_ALL = 60, 600
"""The same for tokens that come along with calls that read: a monitor with an old token reads often."""


@dataclass(frozen=True, slots=True)
class Login:
    """One login: ``key`` is what the browser's cookie holds, ``csrf`` what the forms of its pages hold."""

    key: str
    csrf: str
    by: str | None
    until: float


class Logins:
    """Who is logged in. A restart of the server ends all logins."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Login] = OrderedDict()

    def open(self, by: str | None) -> Login:
        """Log somebody in; ``by`` is their name for the journal."""
        login = Login(secrets.token_urlsafe(32), secrets.token_urlsafe(32), by, self._clock() + LOGIN_SECONDS)
        with self._lock:
            self._open[login.key] = login
            while len(self._open) > MAX_LOGINS:
                self._open.popitem(last=False)
        return login

    def find(self, key: str) -> Login | None:
        """Return the login of this cookie, if it has not ended."""
        with self._lock:
            login = self._open.get(key)
            if login is not None and login.until <= self._clock():
                del self._open[key]
                return None
            return login

    def close(self, key: str) -> None:
        """Log out."""
        with self._lock:
            self._open.pop(key, None)


class Tries:
    """Counts wrong tokens of the last minute. While there are too many, not even the right one is taken."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        per_address: int = TRIES_PER_ADDRESS,
        in_all: int = TRIES_IN_ALL,
    ) -> None:
        self._clock = clock
        self._per_address, self._in_all = per_address, in_all
        self._lock = threading.Lock()
        self._wrong: deque[tuple[float, str]] = deque()

    def wait(self, address: str, right: bool) -> float | None:
        """Take a try; returns ``None`` if the token is to be checked, else the seconds until one will be."""
        now = self._clock()
        with self._lock:
            while self._wrong and self._wrong[0][0] <= now - TRY_SECONDS:
                self._wrong.popleft()
            own = [at for at, whose in self._wrong if whose == address]
            if len(own) >= self._per_address:
                return own[0] + TRY_SECONDS - now
            if len(self._wrong) >= self._in_all:
                return self._wrong[0][0] + TRY_SECONDS - now
            if not right:
                self._wrong.append((now, address))
            return None
