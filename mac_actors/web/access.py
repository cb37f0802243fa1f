"""Who may call what: admins, readers, and who is shown members' names."""

from __future__ import annotations

import hmac
import ipaddress
import math
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mac_actors.settings import Tokens
from mac_actors.web.errors import RequestRefused
from mac_actors.web.logins import READING_TRIES_IN_ALL, READING_TRIES_PER_ADDRESS, Login, Logins, Tries

COOKIE = "mac_admin"
"""Holds the key of a login, never the token."""

_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls what is not for everybody. ``name`` is theirs for certain; ``None``: whoever has the admins' token.

    A trainer is no ``admin``; ``account_id`` is theirs.
    """

    name: str | None = None
    admin: bool = True
    account_id: str | None = None


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
        self._local_csrf = secrets.token_urlsafe(32)
        self.logins = Logins()
        self._tries = Tries()
        self._reading_tries = Tries(per_address=READING_TRIES_PER_ADDRESS, in_all=READING_TRIES_IN_ALL)

    def check_admin(self, environ: dict[str, Any]) -> Caller:
        """Let an admin pass, and return who it is; raises :class:`RequestRefused` (401 or 403) with what to do."""
        if self._admin is None:
            if not _from_loopback(environ):
                raise RequestRefused(
                    403,
                    "admin calls are accepted from this computer alone while MAC_ADMIN_TOKEN is not set: "
                    "set it on the server and send it as 'Authorization: Bearer TOKEN'",
                )
        elif not _bears(environ, self._admin):
            raise RequestRefused(401, "admin calls need the header 'Authorization: Bearer TOKEN' with MAC_ADMIN_TOKEN")
        _check_origin(environ, local_only=self._admin is None)
        return Caller()

    def reader_may_report(self, environ: dict[str, Any]) -> bool:
        """Whether a report may come in: always, unless a reader token is set and another or none was sent."""
        return self._reader is None or _bears(environ, self._reader)

    def token_is_right(self, environ: dict[str, Any]) -> bool:
        """Whether a call that needs no token comes without one, or with a right one.

        Raises :class:`TooMany` after too many wrong ones from there: no token is looked at for a while.
        """
        if self._admin is None or environ.get("HTTP_AUTHORIZATION", "")[:7].lower() != "bearer ":
            return True
        right = _bears(environ, self._admin) or (self._reader is not None and _bears(environ, self._reader))
        seconds = self._reading_tries.wait(environ.get("REMOTE_ADDR", ""), right)
        if seconds is not None:
            raise TooMany(math.ceil(seconds))
        return right

    def is_admin(self, environ: dict[str, Any]) -> bool:
        """Whether the admins' token came along."""
        return self._admin is not None and _bears(environ, self._admin)

    def shows_names(self, environ: dict[str, Any]) -> bool:
        """Whether members' names are shown to this caller."""
        return self.viewer(environ).names

    # people with a browser

    def viewer(self, environ: dict[str, Any]) -> Viewer:
        """Return who looks at a page."""
        if self._admin is None:
            if _from_loopback(environ) and _is_loopback(_host(environ)):
                return Viewer(admin=True, names=self._public_names, login="local", csrf=self._local_csrf)
            return Viewer(names=self._public_names, login="off")
        key = cookies(environ).get(COOKIE)
        if login := key and self.logins.find(key):
            return Viewer(admin=True, names=True, login="in", by=login.by, csrf=login.csrf)
        names = self._public_names or _bears(environ, self._admin)
        return Viewer(names=names, lapsed=key is not None)

    def on_the_wall(self) -> Viewer:
        """Return the viewer of a wall display, which shows what everybody may see, whoever set it up."""
        return Viewer(names=self._public_names)

    def log_in(self, environ: dict[str, Any], token: str, by: str | None) -> Login:
        """Log in with the admin token; raises :class:`RequestRefused`: 401 for a wrong one, 429 after too many."""
        _check_origin(environ, local_only=False)
        right = self._admin is not None and hmac.compare_digest(token.encode(), self._admin.encode())
        seconds = self._tries.wait(environ.get("REMOTE_ADDR", ""), right)
        if seconds is not None:
            raise TooMany(math.ceil(seconds))
        if not right:
            raise RequestRefused(401, "this is not the admin token. It is the value of MAC_ADMIN_TOKEN on the server")
        return self.logins.open(by)

    def log_out(self, environ: dict[str, Any], csrf: str) -> None:
        """End the login of this browser if one of our forms asks for it; raises :class:`RequestRefused` if not."""
        _check_origin(environ, local_only=False)
        if self.viewer(environ).login == "in":
            self.check_form(environ, csrf)
            self.logins.close(cookies(environ)[COOKIE])

    def check_form(self, environ: dict[str, Any], csrf: str) -> Viewer:
        """Let an admin's command pass that comes from a form of ours; raises :class:`RequestRefused` (401 or 403)."""
        viewer = self.viewer(environ)
        if viewer.login == "off":
            raise RequestRefused(403, "nobody can log in while MAC_ADMIN_TOKEN is not set on the server")
        if not viewer.admin:
            raise RequestRefused(401, "you are not logged in (any more): log in as an admin, then try again")
        _check_origin(environ, local_only=viewer.login == "local")
        if not hmac.compare_digest(csrf.encode(), viewer.csrf.encode()):
            raise RequestRefused(403, "this form is out of date: load the page again, then try again")
        return viewer


class TooMany(RequestRefused):
    """Too many wrong tokens: ``seconds`` until the next try."""

    def __init__(self, seconds: int) -> None:
        super().__init__(429, f"too many wrong tokens: try again in {seconds} s")
        self.seconds = seconds


def cookies(environ: dict[str, Any]) -> dict[str, str]:
    """Return the cookies of a request; of several with one name the first."""
    found: dict[str, str] = {}
    for part in environ.get("HTTP_COOKIE", "").split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name, value.strip('"'))
    return found


def _host(environ: dict[str, Any]) -> str:
    """The host that the browser was told to go to."""
    try:
        return urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
    except ValueError:
        return ""


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
        raise RequestRefused(403, "this call came from a page of another origin, which may not give commands here")
