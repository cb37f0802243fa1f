"""Of whom a request is: the one place that says a client's address, also where a proxy or another server is between.

A proxy in MAC_TRUSTED_PROXIES says it by the PROXY protocol (version 1 or 2), or in the header X-Forwarded-For. Another
server of the cell, which has the cell's secret, says it in headers of ours.
"""

from __future__ import annotations

import hmac
import math
import socket
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from mac_actors.cluster.passing import ADDRESS, AGE, HOPS, SECRET
from mac_actors.web.errors import RequestRefused

Network = IPv4Network | IPv6Network

_OURS = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in (SECRET, ADDRESS, AGE, HOPS)}

V1, V2 = b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"
"""How the two versions of the PROXY protocol begin."""

MOST_V1, MOST_V2 = 107, 2048
"""Bytes of a header of each version, the second with all that the proxy adds to it."""

_FAMILIES = {0x1: (socket.AF_INET, 4), 0x2: (socket.AF_INET6, 16)}


class Preface:
    """What a proxy says before all else, by the PROXY protocol, as its bytes come."""

    def __init__(self) -> None:
        self._data = b""
        self.over = False
        """Whether nothing more of it is expected."""
        self.found = False
        """Whether there was one."""
        self.address: str | None = None
        """The client's; ``None``: the proxy speaks for itself."""

    def feed(self, data: bytes) -> int:
        """Take bytes; returns how many of them are the header's. Raises :class:`RequestRefused` for a wrong one."""
        before = len(self._data)
        self._data += data
        for begin, read in ((V1, self._version_1), (V2, self._version_2)):
            if self._data.startswith(begin):
                self.found = True
                end = read()
                self.over = end is not None
                return len(data) if end is None else end - before
        self.over = not any(begin.startswith(self._data) for begin in (V1, V2))
        if self.over:
            self._data = self._data[:before]
            return 0
        return len(data)

    @property
    def plain(self) -> bytes:
        """What was taken for its beginning, and is none."""
        return b"" if self.found else self._data

    def _version_1(self) -> int | None:
        end = self._data.find(b"\r\n", 0, MOST_V1)
        if end < 0:
            if len(self._data) >= MOST_V1:
                raise _wrong("its line does not end")
            return None
        words = self._data[:end].split(b" ")
        if words[1:2] != [b"UNKNOWN"]:
            try:
                _, kind, source, target, *ports = (word.decode("ascii") for word in words)
                addresses = ip_address(source), ip_address(target)
                good = {"TCP4": 4, "TCP6": 6}.get(kind) == addresses[0].version == addresses[1].version
                good = good and len(ports) == 2 and all(p.isdigit() and int(p) <= 65535 for p in ports)
            except ValueError:
                good = False
            if not good:
                raise _wrong("expected PROXY TCP4 or TCP6, two addresses, two ports")
            self.address = source
        return end + 2

    def _version_2(self) -> int | None:
        if len(self._data) < 16:
            return None
        version, family = self._data[12:14]
        length = int.from_bytes(self._data[14:16], "big")
        if length + 16 > MOST_V2:
            raise _wrong(f"it is longer than {MOST_V2} bytes")
        if version not in {0x20, 0x21}:
            raise _wrong("its version or command is unknown")
        if len(self._data) < 16 + length:
            return None
        if version == 0x21 and family >> 4 in _FAMILIES:
            kind, size = _FAMILIES[family >> 4]
            if length < 2 * size + 4 or family & 0xF != 1:
                raise _wrong("expected two addresses and two ports of TCP")
            self.address = socket.inet_ntop(kind, self._data[16 : 16 + size])
        return 16 + length


def _wrong(why: str) -> RequestRefused:
    return RequestRefused(400, f"the proxy's PROXY header is wrong: {why}")


class Origins:
    """Whom to believe. ``secret`` is the cell's, ``None``: this server is in none."""

    def __init__(self, proxies: Iterable[Network] = (), secret: str | None = None) -> None:
        self._proxies = tuple(proxies)
        self._secret = None if secret is None else secret.encode()
        self.trusts = lru_cache(maxsize=1024)(self._trusts)
        """Whether an address is a proxy's that is believed."""

    def __bool__(self) -> bool:
        """Whether a client may have another address than its connection."""
        return bool(self._proxies) or self._secret is not None

    def _trusts(self, address: str) -> bool:
        one = _address(address)
        return one is not None and any(one.version == net.version and one in net for net in self._proxies)

    def look(self, peer: str, request: Any) -> str:
        """Return the address of a request's client; ``peer`` is that of its connection.

        A request that another server of the cell has passed on gets the time at which it reached that one, and loses
        the headers that said so. Raises :class:`RequestRefused`: 401 without the cell's secret, 400 for what can't be.
        """
        headers = request.headers
        if self._secret is not None:
            ours = {name: headers.pop(key) for name, key in _OURS.items() if key in headers}
            if ours:
                return self._passed_on(ours, request)
        address = peer
        if self.trusts(peer):
            for hop in reversed(headers.get("HTTP_X_FORWARDED_FOR", "").split(",")):
                said = _address(hop.strip())
                if said is None:
                    break
                address = str(said)
                if not self.trusts(address):
                    break
        return address

    def _passed_on(self, ours: dict[str, str], request: Any) -> str:
        given = ours.get(SECRET, "").encode("latin-1")
        if self._secret is None or not hmac.compare_digest(given, self._secret):
            raise RequestRefused(401, "only a server of the cell, which has MAC_CLUSTER_SECRET, may pass requests on")
        with suppress(KeyError, ValueError):
            age, hops, address = float(ours[AGE]), int(ours[HOPS]), str(ip_address(ours[ADDRESS].partition("%")[0]))
            if math.isfinite(age) and age >= 0 and hops > 0:
                request.received -= age
                request.hops = hops
                return address
        raise RequestRefused(400, f"{ADDRESS}, {AGE}, {HOPS}: expected an address, seconds and a whole number from 1")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a proxy wrote, maybe with a port; or that a socket has."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
