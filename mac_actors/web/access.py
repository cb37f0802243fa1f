"""Who may call what: admins, readers, and who is shown members' names."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mac_actors.settings import Tokens
from mac_actors.web.errors import Refused

_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page.

    ``login`` is ``in``, ``local`` (an admin without login: no token is set), ``out`` or ``off`` (no token is set, and
    the viewer is elsewhere). ``names``: members' names may be shown.
    """

    admin: bool = False
    names: bool = False
    login: str = "out"
    by: str | None = None
    csrf: str = ""
    lapsed: bool = False
    """The browser has a login that the server does not know (any more)."""


class Access:
    """The rules, for one set of tokens."""

    def __init__(self, tokens: Tokens, *, public_names: bool = False) -> None:
        self._admin = tokens.admin
        self._reader = tokens.reader
        self._public_names = public_names

    def check_admin(self, environ: dict[str, Any]) -> None:
        """Let an admin pass; raises :class:`Refused` (401 or 403) with what to do."""
        if self._admin is None:
            if not _from_loopback(environ):
                raise Refused(
                    403,
                    "admin calls are accepted from this computer alone while MAC_ADMIN_TOKEN is not set: "
                    "set it on the server and send it as 'Authorization: Bearer TOKEN'",
                )
        elif not _bears(environ, self._admin):
            raise Refused(401, "admin calls need the header 'Authorization: Bearer TOKEN' with MAC_ADMIN_TOKEN")
        _check_origin(environ, local_only=self._admin is None)

    def reader_may_report(self, environ: dict[str, Any]) -> bool:
        """Whether a report may come in: always, unless a reader token is set and another or none was sent."""
        return self._reader is None or _bears(environ, self._reader)

    def viewer(self, environ: dict[str, Any]) -> Viewer:
        """Return who looks at a page."""
        return Viewer(names=self.shows_names(environ))

    def shows_names(self, environ: dict[str, Any]) -> bool:
        """Whether members' names are shown to this caller."""
        return self._public_names or (self._admin is not None and _bears(environ, self._admin))


def _bears(environ: dict[str, Any], token: str) -> bool:
    scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return same and scheme.lower() == "bearer"


def _from_loopback(environ: dict[str, Any]) -> bool:
    """From this computer itself, not through a proxy on it."""
    if any(environ.get(header) is not None for header in _FORWARDED):
        return False
    return _is_loopback(environ.get("REMOTE_ADDR", ""))


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _check_origin(environ: dict[str, Any], *, local_only: bool) -> None:
    """Refuse calls that a web page of somebody else makes an admin's browser send."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        return
    try:
        parts = urlsplit(origin)
        same = parts.netloc != "" and parts.netloc == environ.get("HTTP_HOST")
        # Without a token a page whose host name was made to point here (DNS rebinding) has the same origin.
        trusted = not local_only or _is_loopback(parts.hostname or "")
    except ValueError:
        same = trusted = False
    if not (same and trusted):
        raise Refused(403, "this call came from a page of another origin, which may not give orders here")
