"""Who may call what: admins, readers, and who is shown members' names."""

from __future__ import annotations

import hmac
import ipaddress
import math
import secrets
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mac_actors.core.config import MachineConfig
from mac_actors.core.phrases import phrase
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.people.logins import Role, Session, csrf_of
from mac_actors.settings import Tokens
from mac_actors.web.errors import RequestRefused, refusals_in_log
from mac_actors.web.tries import READING_TRIES_IN_ALL, READING_TRIES_PER_ADDRESS, Tries

COOKIE = "mac_admin"
"""Holds the key of a login, never the token."""

_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


CSRF = "HTTP_MAC_CSRF"
"""The header in which a page's script sends the secret of its forms, with calls that change something."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls what is not for everybody: an admin, or a trainer, whose ``account_id`` and machines these are.

    ``name`` is theirs for certain; where it is ``None`` they have the admins' token, and ``by`` is what they say.
    """

    name: str | None = None
    by: str | None = None
    account_id: str | None = None
    machines: tuple[MachineConfig, ...] = ()

    @property
    def admin(self) -> bool:
        """Whether they are no trainer."""
        return self.account_id is None


ANYBODY_WITH_THE_TOKEN = Caller()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page.

    ``login`` is ``in``, ``local`` (an admin without login: no token is set), ``out`` or ``off`` (no token is set, and
    the viewer is elsewhere). ``names``: members' names may be shown. ``caller``: who may change users.
    """

    admin: bool = False
    names: bool = False
    login: str = "out"
    by: str | None = None
    csrf: str = ""
    lapsed: bool = False
    """The browser has a login that the server does not know (any more)."""
    caller: Caller | None = None

    @property
    def trainer(self) -> bool:
        """Whether they may train others at some machine, and are no admin."""
        return self.caller is not None and not self.caller.admin


class Access:
    """The rules, for one set of tokens; who has a token or a session of their own is known to the ``fleet``."""

    def __init__(self, tokens: Tokens, fleet: MachineFleet | None = None, *, public_names: bool = False) -> None:
        self._admin = tokens.admin
        self._reader = tokens.reader
        self._fleet = fleet
        self._public_names = public_names
        self._local_csrf = secrets.token_urlsafe(32)
        self._tries = Tries()
        self._reading_tries = Tries(per_address=READING_TRIES_PER_ADDRESS, in_all=READING_TRIES_IN_ALL)

    def check_admin(self, environ: dict[str, Any]) -> Caller:
        """Let an admin pass, and return who it is; raises :class:`RequestRefused` (401 or 403) with what to do."""
        caller = self._bearer(environ)
        if caller is None and self._admin is None:
            if not (_from_loopback(environ) and _names_this_computer(environ)):
                raise RequestRefused(
                    403,
                    "admin calls are accepted from this computer alone, at localhost, while MAC_ADMIN_TOKEN is not "
                    "set: set it on the server and send it as 'Authorization: Bearer TOKEN', or send a personal token",
                )
            _check_origin(environ, local_only=True)
            return ANYBODY_WITH_THE_TOKEN
        if caller is None:
            raise RequestRefused(
                401,
                "admin calls need the header 'Authorization: Bearer TOKEN' with MAC_ADMIN_TOKEN or a personal token",
            )
        _check_origin(environ, local_only=False)
        return caller

    def check_admin_call(self, environ: dict[str, Any]) -> Caller:
        """As :meth:`check_admin`; who is refused is in the log."""
        with refusals_in_log():
            return self.check_admin(environ)

    def check_people(self, environ: dict[str, Any]) -> Caller:
        """Let an admin or a trainer pass, by token or by a session of the board; as :meth:`check_admin`.

        A page's script that changes something sends the secret of its forms along.
        """
        key = cookies(environ).get(COOKIE)
        if key is None or environ.get("HTTP_AUTHORIZATION"):
            return self.check_admin(environ)
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return self.check_people_form(environ, environ.get(CSRF, "")).caller or ANYBODY_WITH_THE_TOKEN
        caller = self.viewer(environ).caller
        if caller is None:
            raise _logged_out()
        _check_origin(environ, local_only=False)
        return caller

    def _bearer(self, environ: dict[str, Any]) -> Caller | None:
        """Return the admin whose token came along."""
        if self._admin is not None and _bears(environ, self._admin):
            return ANYBODY_WITH_THE_TOKEN
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        name = self._fleet.logins.admin(token.strip()) if self._fleet and scheme.lower() == "bearer" else None
        return Caller(name) if name else None

    def reader_may_report(self, environ: dict[str, Any]) -> bool:
        """Whether a report may come in: always, unless a reader token is set and another or none was sent."""
        return self._reader is None or _bears(environ, self._reader)

    def token_is_right(self, environ: dict[str, Any]) -> bool:
        """Whether a call that needs no token comes without one, or with a right one.

        Raises :class:`TooMany` after too many wrong ones from there: no token is looked at for a while.
        """
        if self._admin is None or environ.get("HTTP_AUTHORIZATION", "")[:7].lower() != "bearer ":
            return True
        right = self.is_admin(environ) or (self._reader is not None and _bears(environ, self._reader))
        seconds = self._reading_tries.wait(environ.get("REMOTE_ADDR", ""), right)
        if seconds is not None:
            raise TooMany(math.ceil(seconds))
        return right

    def is_admin(self, environ: dict[str, Any]) -> bool:
        """Whether a token of an admin came along."""
        return self._bearer(environ) is not None

    def shows_names(self, environ: dict[str, Any]) -> bool:
        """Whether members' names are shown to this caller."""
        return self.viewer(environ).names

    # people with a browser

    def viewer(self, environ: dict[str, Any]) -> Viewer:
        """Return who looks at a page."""
        key = cookies(environ).get(COOKIE)
        if self._fleet and key and (session := self._fleet.logins.find(key)):
            return self._logged_in(session, csrf_of(key))
        if self._admin is None and _from_loopback(environ) and _is_loopback(_host(environ)):
            local = ANYBODY_WITH_THE_TOKEN
            return Viewer(admin=True, names=self._public_names, login="local", csrf=self._local_csrf, caller=local)
        names = self._public_names or self.is_admin(environ)
        return Viewer(names=names, login="out" if self._has_tokens() else "off", lapsed=key is not None)

    def _logged_in(self, session: Session, csrf: str) -> Viewer:
        if session.role is not Role.TRAINER:
            named = session.role is Role.ADMIN
            caller = Caller(session.name if named else None, session.name)
            return Viewer(admin=True, names=True, login="in", by=session.name, csrf=csrf, caller=caller)
        machines = self._fleet.users.trained_by(session.account_id) if self._fleet else []
        trainer = Caller(session.name, session.name, session.account_id, tuple(machines)) if machines else None
        return Viewer(names=self._public_names, login="in", by=session.name, csrf=csrf, caller=trainer)

    def _has_tokens(self) -> bool:
        return self._admin is not None or (self._fleet is not None and bool(self._fleet.logins.admins))

    def on_the_wall(self) -> Viewer:
        """Return the viewer of a wall display, which shows what everybody may see, whoever set it up."""
        return Viewer(names=self._public_names)

    def log_in(self, environ: dict[str, Any], token: str, by: str | None) -> str:
        """Log in with the admin token, or with a personal one, whose name counts then; returns the session's key.

        Raises :class:`RequestRefused`: 401 for a wrong one, 429 after too many.
        """
        _check_origin(environ, local_only=False)
        shared = self._admin is not None and hmac.compare_digest(token.encode(), self._admin.encode())
        name = self._fleet.logins.admin(token) if self._fleet else None
        self._limit_tries(environ, shared or name is not None)
        if self._fleet is None or not (shared or name):
            raise RequestRefused(
                401,
                phrase(
                    "this is not the admin token. It is the value of MAC_ADMIN_TOKEN on the server, or a personal token"
                ),
            )
        return self._fleet.logins.open(*((Role.ADMIN, name) if name else (Role.TOKEN, by)))[0]

    def follow_link(self, environ: dict[str, Any], link: str) -> tuple[str, Session]:
        """Log in by a link; returns the session's key, and the session. Raises :class:`RequestRefused` (403, 429)."""
        self._limit_tries(environ, right=True)  # a link that must wait is not used up
        found = self._fleet.logins.follow(link) if self._fleet else None
        if found is None:
            self._limit_tries(environ, right=False)
            raise RequestRefused(
                403,
                phrase("this link was used already, or is older than two minutes: ask for a new one with /mac login"),
            )
        return found

    def _limit_tries(self, environ: dict[str, Any], right: bool) -> None:
        """Count a try; raises :class:`TooMany`."""
        seconds = self._tries.wait(environ.get("REMOTE_ADDR", ""), right)
        if seconds is not None:
            raise TooMany(math.ceil(seconds))

    def log_out(self, environ: dict[str, Any], csrf: str) -> None:
        """End the session of this browser if one of our forms asks for it; raises :class:`RequestRefused` if not."""
        _check_origin(environ, local_only=False)
        if self.viewer(environ).login == "in":
            self._check_csrf(self.viewer(environ), csrf)
            session = self._fleet.logins.find(cookies(environ)[COOKIE]) if self._fleet else None
            if self._fleet and session:
                self._fleet.logins.end(session.id)

    def check_origin(self, environ: dict[str, Any]) -> None:
        """Refuse a form that another site's page sent; raises :class:`RequestRefused` (403)."""
        _check_origin(environ, local_only=False)

    def check_form(self, environ: dict[str, Any], csrf: str) -> Viewer:
        """Let an admin's command pass that comes from a form of ours; raises :class:`RequestRefused` (401 or 403)."""
        viewer = self.check_people_form(environ, csrf)
        if not viewer.admin:
            raise RequestRefused(403, phrase("this is for admins alone"))
        return viewer

    def check_people_form(self, environ: dict[str, Any], csrf: str) -> Viewer:
        """Let an admin's or a trainer's change of a user pass; as :meth:`check_form`."""
        viewer = self.viewer(environ)
        if viewer.login == "off":
            raise RequestRefused(403, phrase("nobody can log in while MAC_ADMIN_TOKEN is not set on the server"))
        if viewer.caller is None:
            raise _logged_out()
        _check_origin(environ, local_only=viewer.login == "local")
        self._check_csrf(viewer, csrf)
        return viewer

    @staticmethod
    def _check_csrf(viewer: Viewer, csrf: str) -> None:
        if not hmac.compare_digest(csrf.encode(), viewer.csrf.encode()):
            raise RequestRefused(403, phrase("this form is out of date: load the page again, then try again"))


def _logged_out() -> RequestRefused:
    return RequestRefused(401, phrase("you are not logged in (any more): log in, then try again"))


class TooMany(RequestRefused):
    """Too many wrong tokens: ``seconds`` until the next try."""

    def __init__(self, seconds: int) -> None:
        super().__init__(429, phrase("too many wrong tokens: try again in {seconds} s", seconds=seconds))
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
    if environ.get("mac.proxied") or any(environ.get(header) is not None for header in _FORWARDED):
        return False
    return _is_loopback(environ.get("REMOTE_ADDR", ""))


def _names_this_computer(environ: dict[str, Any]) -> bool:
    """Whether the call goes to a name that may be this computer's. One on the internet, with a dot in it, may be one of
    a page that was made to point here (DNS rebinding), to read what is answered.
    """
    host = _host(environ).rstrip(".")
    return "." not in host or _is_loopback(host) or host == socket.gethostname().casefold()


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
        raise RequestRefused(
            403, phrase("this call came from a page of another origin, which may not give commands here")
        )
