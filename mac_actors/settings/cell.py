"""Where more than one server is, or may be: the database that they share, and how one is told from another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from mac_actors.settings.variables import Variable, base_url, secret, whole


def _database(text: str) -> str:
    """Take the address of a PostgreSQL database; an error does not show it, for a password may be in it."""
    if not re.match(r"postgres(ql)?://[^\s]+$", text):
        raise ValueError("is no database's address: allowed is postgresql://USER:PASSWORD@HOST/NAME")
    return text


MAC_DATABASE = Variable(
    "MAC_DATABASE",
    _database,
    "``postgresql://USER:PASSWORD@HOST[,HOST2]/NAME``: everything is kept in this PostgreSQL database (version 15 or "
    "later) instead of in ``MACHINE_STATE_DIR`` (:doc:`cell`). Needs ``pip install 'mac-actors[postgres]'``.",
)
MAC_NODE_URL = Variable(
    "MAC_NODE_URL",
    base_url,
    "The address at which the other servers on the same database reach this one, for example "
    "``http://192.0.2.11:5000``. It makes this server one of a cell, of which one at a time owns the machines. Not "
    "set: it owns them alone, and a second server on the database is refused.",
)
MAC_CLUSTER_SECRET = Variable(
    "MAC_CLUSTER_SECRET",
    secret,
    "The secret that the servers of a cell show each other: the same at all of them. Required with ``MAC_NODE_URL``. "
    "No spaces, plain ASCII.",
)
MAC_LEASE_SECONDS = Variable(
    "MAC_LEASE_SECONDS",
    partial(whole, low=1, high=30),
    "A whole number from 1 to 30: for how many seconds the owner of the machines may be silent before another server "
    "takes over. The same at all of them.",
    "3",
)

VARIABLES = (MAC_DATABASE, MAC_NODE_URL, MAC_CLUSTER_SECRET, MAC_LEASE_SECONDS)


@dataclass(frozen=True, slots=True)
class Cell:
    """The values of these variables. The database's address, which may hold a password, and the secret are not in its
    ``repr``.
    """

    database: str | None = MAC_DATABASE.setting
    node_url: str | None = MAC_NODE_URL.setting
    secret: str | None = MAC_CLUSTER_SECRET.setting
    lease_seconds: int = MAC_LEASE_SECONDS.setting

    def __repr__(self) -> str:
        """Show what is no secret."""
        return f"Cell({'a database' if self.database else 'no database'}, node_url={self.node_url})"
