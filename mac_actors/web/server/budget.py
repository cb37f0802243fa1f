"""How much each client's address holds of something, and which one holds most."""

from __future__ import annotations

import socket
from functools import lru_cache

_LEVELS = 64


class Budget:
    """Amounts by owner. All costs the same time, however many owners there are: who holds most is known to a factor
    of two, which is near enough to let the greedy one lose first.
    """

    def __init__(self) -> None:
        self.total = 0
        self._held: dict[str, int] = {}
        # Owners by how many binary digits their amounts have; dicts, because they keep an order.
        self._levels: list[dict[str, None]] = [{} for _ in range(_LEVELS)]

    def change(self, owner: str, by: int) -> None:
        """Let an owner hold more, or (``by`` is negative) less."""
        before = self._held.get(owner, 0)
        now = before + by
        self.total += by
        if now:
            self._held[owner] = now
        else:
            self._held.pop(owner, None)
        if before.bit_length() != now.bit_length():
            self._levels[before.bit_length()].pop(owner, None)
            if now:
                self._levels[now.bit_length()][owner] = None

    def held(self, owner: str) -> int:
        """Return how much an owner holds."""
        return self._held.get(owner, 0)

    def greediest(self) -> str | None:
        """Return an owner that holds most."""
        return next((next(iter(level)) for level in reversed(self._levels) if level), None)


@lru_cache(maxsize=4096)
def owner_of(address: str) -> str:
    """Return who counts as one client: an IPv4 address, or an IPv6 network of /64, which one computer can fill."""
    if ":" not in address:
        return address
    packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    if packed[:12] == b"\0" * 10 + b"\xff\xff":  # IPv4, on a socket that takes both
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:8].hex()
