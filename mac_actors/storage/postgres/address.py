"""The address of a PostgreSQL database, and connections to it. The password is in no error, log or ``repr``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mac_actors.core.text import one_line
from mac_actors.errors import ConfigError, StorageError
from mac_actors.storage.postgres.limited import LimitedConnection

OLDEST = 15
"""The first version of PostgreSQL that will do."""

_DEFAULTS = {
    "connect_timeout": "5",
    "application_name": "mac-actors",
    # A peer that is gone without a word is noticed within some ten seconds: idle, or with something on its way to it.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
_WRONG = (
    "can't be read: in the password %40 %3A %2F %23 %25 are @ : / # %, the port is a number, and what comes behind ? "
    "are parameters that PostgreSQL knows"
)
_HINTS = {
    "password": "Look at the user and the password in MAC_DATABASE (there %40 %3A %2F %23 %25 are @ : / # %)",
    "role": "Look at the user in MAC_DATABASE, or make it: createuser --pwprompt NAME",
    "does not exist": "Make it (createdb --owner USER NAME), then: mac-actors migrate",
}

_PLACE = ("host", "hostaddr", "port")
_Hosts = tuple[tuple[str, ...], ...]
_last: dict[_Hosts, int] = {}
"""Which of several hosts was reached last, by anybody: a dead one that is asked first costs seconds each time."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is: ``where`` is that for people; ``given`` is what the driver takes, and may be secret."""

    where: str
    given: dict[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take ``postgresql://USER:PASSWORD@HOST[,HOST2]/NAME``. Raises :class:`ConfigError`, without showing it."""
        try:
            given: dict[str, Any] = conninfo_to_dict(url)
        except psycopg.Error:
            raise ConfigError([f"MAC_DATABASE {_WRONG}"]) from None
        host = given.get("host") or given.get("hostaddr") or "this computer"
        if "," in str(host):
            given = {"target_session_attrs": "read-write"} | given  # of several, the one that can be written to
        return cls(f"{given.get('dbname') or given.get('user') or ''} at {host}", {**_DEFAULTS, **given})

    def connect(self, seconds: float | None = None) -> LimitedConnection:
        """Return a new connection, on which each statement is a transaction of its own, and one may take ``seconds``.

        When another connection has been made to another host since, no answer is waited for any more. Nothing is
        prepared on the server, and nothing is set there: through PgBouncer the next statement may come to another of
        its connections. Raises :class:`StorageError`.
        """
        try:
            connection = self.reach(prepare_threshold=None)
        except psycopg.Error as error:
            why = one_line(error).removeprefix("connection failed: ").partition(" Is the server running")[0]
            hint = next((hint for words, hint in _HINTS.items() if words in why), None)
            hint = hint or "Does PostgreSQL run there, and may this computer reach it?"
            raise StorageError(f"cannot connect to the database {self.where}: {why}. {hint}") from None
        hosts, here = self._hosts(), self._place(connection)
        connection.seconds, connection.superseded = seconds, lambda: _last[hosts] != here
        return connection

    def reach(self, **more: Any) -> LimitedConnection:
        """Return a new connection, made with ``more`` parameters, first of all to the host that was reached last.

        Raises :class:`psycopg.Error`.
        """
        given, hosts = self.given | more, self._hosts()
        if last := _last.get(hosts, 0):
            order = zip(*(hosts[last], *hosts[:last], *hosts[last + 1 :]), strict=True)
            given |= {name: ",".join(texts) for name, texts in zip(_PLACE, order, strict=True) if any(texts)}
        connection = LimitedConnection.connect(**given, autocommit=True)
        _last[hosts] = self._place(connection)
        return connection

    def _place(self, connection: LimitedConnection) -> int:
        """Return which of the hosts it is connected to."""
        info = connection.info
        for at, (host, address, port) in enumerate(self._hosts()):
            if (host or address) == info.host and address in {"", info.hostaddr} and port in {"", str(info.port)}:
                return at
        return 0  # the only one, of which nothing is given

    def _hosts(self) -> _Hosts:
        """Return host, address and port of each of them, as far as they are given."""
        parts = [str(self.given.get(name) or "").split(",") for name in _PLACE]
        many = max(map(len, parts))
        return tuple(zip(*(part * many if len(part) == 1 else part for part in parts), strict=False))


def check_server(connection: psycopg.Connection) -> None:
    """Raise :class:`StorageError` for a server, or a database, that won't do."""
    row = connection.execute("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')")
    version, encoding = row.fetchone() or (0, "")
    if version // 10000 < OLDEST:
        raise StorageError(f"the database is on PostgreSQL {version // 10000}: mac-actors needs {OLDEST} or later")
    if encoding != "UTF8":
        raise StorageError(
            f"the database has the encoding {encoding}: make one with UTF8 "
            "(createdb --encoding UTF8 --template template0 --owner USER NAME)"
        )
