"""The configuration of a server of a cell: its own files, and what all servers use, which is one for all."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from io import BytesIO
from typing import Any

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
        self.differ: str | None = None
        """What is to be said of this server's files, which are not what is in use."""
        self._settings = settings
        self._membership = membership
        database = settings.cell.database if settings.cell.node_url else None
        self._revisions = Revisions(database) if database else None
        self._read: Mapping[str, Any] | None = None
        self._compared: tuple[int, ...] = ()
        self._following = threading.Lock()

    def load(self, *, machines: bool = True) -> Configuration:
        """Read the files anew, for a reload: this server's own, or those that another one of the cell has read."""
        if self._revisions and (given := _GIVEN.get()) is not None:
            if problems := given.get("problems"):
                raise ConfigError(problems)
            self._read = self._revisions.accept(int(given["revision"])).files
            return parse_files(self._settings, self._read)
        configuration = load(self._settings, machines=machines)
        self._read = self._read_files() if self._revisions else None
        return configuration

    @contextmanager
    def sent_along(self, environ: dict[str, Any], *, owns: bool) -> Iterator[None]:
        """Have a request for a reload take the files along to the owner, and the owner take them from it."""
        given = None
        if environ["PATH_INFO"] in RELOADS:
            if environ.get("mac.hops"):
                with suppress(ValueError):
                    given = json.loads(environ["wsgi.input"].read())
            elif not owns:
                environ["wsgi.input"] = BytesIO(json.dumps(self._propose()).encode())
        token = _GIVEN.set(given)
        try:
            yield
        finally:
            _GIVEN.reset(token)

    def _propose(self) -> dict[str, Any]:
        """Return what the owner needs to read the files of this server."""
        try:
            load(self._settings)  # says all that is wrong with them
            return {"revision": self._revisions.propose(self._read_files())} if self._revisions else {}
        except (ConfigError, StorageError) as error:
            return {"problems": error.problems if isinstance(error, ConfigError) else [str(error)]}

    def own(self, epoch: int) -> Configuration:
        """Return what the owner of ``epoch`` uses: the newest of the cell. The first owner's own is the first one."""
        self.follow()
        with self._following:
            if self._revisions and self._revisions.known is None:
                self._add(self._revisions, self._read_files(), epoch)
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
        self.configuration = parse_files(self._settings, read)

    def _add(self, revisions: Revisions, read: Mapping[str, Any], epoch: int) -> None:
        self._membership.revision = revisions.add(read, epoch, self._membership.incarnation)

    def follow(self) -> None:
        """Use the newest configuration of the cell, if there is a newer one."""
        with self._following:  # who asks last gets what is read last
            revision = self._revisions.newest() if self._revisions else None
            if revision is None or revision.number <= self._membership.revision:
                return
            try:
                self.configuration = parse_files(self._settings, revision.files)
            except ConfigError as error:
                log.error("the configuration %d can't be used here: %s", revision.number, error)
                return
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
            self.differ = what if others else None
        except ConfigError as error:
            self.differ = f"the files here can't be read: {error}"
        self._compared = looked

    def _read_files(self) -> dict[str, Any]:
        return {name: read_json(path) for name, path in paths(self._settings).items()}


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
