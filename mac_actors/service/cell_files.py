"""The configuration of a server of a cell: its own files, and what all servers use, which is one for all."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import replace
from io import BytesIO
from typing import Any

from mac_actors.cluster.door import Application
from mac_actors.cluster.membership import Membership
from mac_actors.cluster.revisions import Revisions
from mac_actors.core.config import Configuration
from mac_actors.errors import ConfigError, StorageError
from mac_actors.settings import Settings
from mac_actors.settings.files import load, parse_files, paths, read_json

log = logging.getLogger(__name__)

RELOADS = ("/api/reload", "/api/reload-users")

_GIVEN: ContextVar[dict[str, Any] | None] = ContextVar("given", default=None)
"""The files that another server of the cell has sent along with the request for a reload."""


class CellFiles:
    """What is in use here; without MAC_NODE_URL that is what the files say, and there is nothing to share."""

    def __init__(self, settings: Settings, membership: Membership) -> None:
        self.configuration = load(settings)
        self._differ: str | None = None
        self._unusable: tuple[int, str] | None = None
        self._settings = settings
        self._membership = membership
        database = settings.cell.database if settings.cell.node_url else None
        self._revisions = Revisions(database) if database else None
        self.reloading = threading.Lock()
        """Held by the owner from reading files until they are in use and stored: what is read first is stored first."""
        self._read: Mapping[str, Any] | None = None
        self._compared: tuple[int, ...] = ()
        self._following = threading.Lock()

    @property
    def differ(self) -> str | None:
        """What is to be said of this server's files, which are not what is in use; or of what is in use elsewhere."""
        return self._unusable[1] if self._unusable else self._differ

    @property
    def unfit(self) -> str | None:
        """Why this server must not own: another one lives that uses what can't be used here."""
        number, why = self._unusable or (0, None)
        return why if self._membership.used_elsewhere(number) else None

    def load(self, *, machines: bool = True) -> Configuration:
        """Read the files anew, for a reload: this server's own, or those that another one of the cell has read."""
        self._read = None  # what a reload that was refused has left
        if self._revisions is None:
            return load(self._settings, machines=machines)
        if (given := _GIVEN.get()) is not None:
            if "revision" not in given:
                raise ConfigError(
                    given.get("problems") or ["the other server has sent no files along: reload once more"]
                )
            self._read = self._revisions.accept(int(given["revision"])).files
            return parse_files(self._settings, self._read)
        configuration, self._read = self._checked(machines=machines)
        return configuration

    def _checked(self, *, machines: bool = True) -> tuple[Configuration, Mapping[str, Any]]:
        """Return this server's files, and what is in them: that was checked, though they may change meanwhile."""
        configuration = load(self._settings, machines=machines)  # says all that is wrong with them
        read = self._read_files()
        same = parse_files(self._settings, read if machines else {"machines": {}, "users": read["users"]})
        return replace(same, users_mtime=configuration.users_mtime), read

    def answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any], door: Application, *, owns: bool
    ) -> Iterable[bytes]:
        """Answer a request at this server's ``door``. With an admin's for a reload the files go along to the owner, in
        the database. Who is an admin the owner knows: it is asked without files first, and refuses all others.
        """
        hops = environ.get("mac.hops")
        asks = environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] in RELOADS
        if self._revisions is None or not asks:
            return door(environ, start_response)
        if owns and not hops:
            with self.reloading:
                return door(environ, start_response)
        if hops:
            body = environ["wsgi.input"].read()
            environ["wsgi.input"] = BytesIO(body)  # it may go on to yet another server
            token = _GIVEN.set(_given(body))
            try:
                with self.reloading if owns else nullcontext():
                    return door(environ, start_response)
            finally:
                _GIVEN.reset(token)
        said: list[tuple[Any, ...]] = []
        answer = door({**environ, "wsgi.input": BytesIO(b"{}")}, lambda *given: said.append(given))
        if not said[0][0].startswith("422"):
            start_response(*said[0])
            return answer
        with self._proposed(self._revisions) as proposed:
            environ["wsgi.input"] = BytesIO(json.dumps(proposed).encode())
            return door(environ, start_response)

    @contextmanager
    def _proposed(self, revisions: Revisions) -> Iterator[dict[str, Any]]:
        """Give what the owner needs to read the files of this server; afterwards nothing is left of it."""
        number = None
        try:
            number = revisions.propose(self._checked()[1])
            given: dict[str, Any] = {"revision": number}
        except (ConfigError, StorageError) as error:
            given = {"problems": error.problems if isinstance(error, ConfigError) else [str(error)]}
        try:
            yield given
        finally:
            if number is not None:
                revisions.withdraw(number)

    def own(self, epoch: int) -> Configuration:
        """Return what the owner of ``epoch`` uses: the newest of the cell. The first owner's own is the first one.

        Raises :class:`StorageError` where that is another server's to use.
        """
        self.follow()
        if why := self.unfit:
            raise StorageError(why)
        with self._following:
            if self._revisions and self._revisions.known is None:
                self.configuration, read = self._checked()
                self._add(self._revisions, read, epoch)
            return self.configuration

    def store(self, epoch: int, *, machines: bool) -> None:
        """Have the other servers use what the owner of ``epoch`` has just loaded."""
        read, self._read = self._read, None
        if self._revisions is None or read is None:
            return
        newest = self._revisions.newest()
        if not machines and newest is not None:
            read = {**newest.files, "users": read["users"]}
        self._add(self._revisions, read, epoch)
        self._unusable = None
        self.configuration = parse_files(self._settings, read)

    def _add(self, revisions: Revisions, read: Mapping[str, Any], epoch: int) -> None:
        self._membership.revision = revisions.add(read, epoch, self._membership.incarnation)

    def follow(self) -> None:
        """Use the newest configuration of the cell, if there is a newer one."""
        with self._following:  # who asks last gets what is read last
            revision = self._revisions.newest() if self._revisions else None
            known = self._unusable[0] if self._unusable else self._membership.revision
            if revision is None or revision.number <= known:
                return
            try:
                self.configuration = parse_files(self._settings, revision.files)
            except ConfigError as error:
                why = f"the configuration {revision.number} can't be used here, an older one is: {error}"
                self._unusable = revision.number, why
                log.error("%s", why)
                return
            self._unusable = None
            self._membership.revision = revision.number
        log.info("the configuration in use is number %d", revision.number)

    def compare(self) -> None:
        """Look whether the files here are what is in use, if either has changed since."""
        if self._revisions is None or (newest := self._revisions.known) is None:
            return
        files = paths(self._settings).values()
        looked = (newest.number, *(one.stat().st_mtime_ns if one.exists() else 0 for one in files))
        if looked == self._compared:
            return
        try:
            others = ", ".join(newest.differing(self._read_files()))
            what = f"the files here are not what is in use ({others}): a reload takes them"
            self._differ = what if others else None
        except ConfigError as error:
            self._differ = f"the files here can't be read: {error}"
        self._compared = looked

    def _read_files(self) -> dict[str, Any]:
        return {name: read_json(path) for name, path in paths(self._settings).items()}


def _given(body: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        if isinstance(given := json.loads(body), dict):
            return given
    return {}


def request_for_reload(settings: Settings) -> dict[str, Any]:
    """Return the WSGI environment of an admin's request for a reload."""
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": RELOADS[0],
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {settings.tokens.admin}" if settings.tokens.admin else "",
        "wsgi.input": BytesIO(),
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
