"""A server on a PostgreSQL database: it has a shop as long as it owns the machines."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from mac_actors.actors.notifier import Chat
from mac_actors.actors.subscribers import Subscriber
from mac_actors.cluster.node import Node
from mac_actors.cluster.revisions import Revision, Revisions
from mac_actors.cluster.warm import Warm
from mac_actors.core.config import Configuration
from mac_actors.errors import ConfigError, MacError, StorageError
from mac_actors.service.door import Door
from mac_actors.service.shop import Shop
from mac_actors.settings import Settings
from mac_actors.settings.files import load, parse_revision, read_json
from mac_actors.storage.database import Fenced
from mac_actors.storage.postgres.migrations import newer
from mac_actors.storage.store import Store

log = logging.getLogger(__name__)

SAVE_SECONDS = 1.0
"""How long machines may take, before a handover, to hand on what heartbeats have changed."""

BUILD_SECONDS = 60.0
"""How long a server that owns alone waits at its start for its shop."""


class Member:
    """A server's part in its cell, or a server that owns its database alone.

    ``adopt`` is given each new shop before it is used; ``on_end`` is called when a server that is to own alone does not
    any more.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        chat: Chat | None,
        subscribers: Iterable[Subscriber],
        adopt: Callable[[Shop], None],
        on_end: Callable[[str], None],
    ) -> None:
        database = settings.cell.database
        if database is None:
            raise ConfigError(["MAC_DATABASE is not set"])
        self._settings = settings
        self._chat = chat
        self._subscribers = tuple(subscribers)
        self._adopt = adopt
        self._on_end = on_end
        self._database = database
        self.configuration = load(settings)
        self.shop: Shop | None = None
        self._store: Store | None = Store.open(database)
        self._warm = Warm(database)
        self._built = threading.Event()
        self._let_go = False
        self._failure: MacError | None = None
        self._read: Revision | None = None
        self._files_differ: str | None = None
        self._revisions = Revisions(database) if settings.cell.node_url else None
        self.node = Node(
            database,
            settings.cell.node_url,
            settings.cell.lease_seconds,
            take=self._take,
            drop=self._drop,
            prepare=self._prepare,
            each_second=self._each_second,
            unfit=lambda steps: newer(set(steps)),
        )
        self.door = Door(lambda: self.shop, self.node.standing, self.notes)

    # the beginning and the end

    def start(self) -> None:
        """Take part. A server that owns alone has its shop when this returns; raises why it has not."""
        if self._revisions:
            self._follow(self._revisions.newest())
        self.node.claim()
        self.node.start()
        if self.node.url is None:
            if not self._built.wait(BUILD_SECONDS):
                raise StorageError("the database does not answer: look at it, then start again")
            if self._failure:
                raise self._failure

    def stop(self) -> None:
        """Hand over, if this server owns, and take no more part."""
        shop = self.shop
        self.release()
        self.node.stop()
        if shop is not None and self.shop is shop:
            self._drop()
        if self._store is not None:
            self._store.close()
        self._warm.close()

    def release(self) -> bool:
        """Have everything written and hand over, to whoever looks next; false: this one does not own."""
        if self.shop is not None:
            self.shop.fleet.supervisor.save_all(SAVE_SECONDS)  # as the owner, while readers are answered
        self._let_go = True
        return self.node.release(self._settle)

    def _settle(self) -> None:
        if self.shop is not None:
            self.shop.fleet.settle()

    # in the thread of the ownership

    def _prepare(self) -> None:
        if self.shop is None:
            self._warm.refresh()
            self._warm.prepare(self.configuration)
            self._open_store()

    def _open_store(self) -> Store:
        if self._store is None:
            self._store = Store.open(self._database)
        return self._store

    def _take(self, epoch: int, incarnation: str) -> None:
        try:
            store = self._open_store()
            store.own(epoch, incarnation)
            if self._revisions:
                self._adopt_files_if_first()
            shop = Shop(
                self._settings,
                self.configuration,
                store,
                self.load,
                chat=self._chat,
                holds=lambda: not self.node.valid(),
                prepared=self._warm.prepared(self.configuration),
                notes=self.notes,
                subscribers=self._subscribers,
            )
        except Fenced as error:
            self.node.lost(str(error))
            return
        except MacError as error:
            self._failure = error
            self._built.set()
            raise
        self._store = None  # the shop has it, and closes it
        shop.fleet.journal.on_fenced = lambda: self.node.lost("the database has another owner by now")
        shop.fleet.on_reload = self._store_revision
        self._adopt(shop)
        self.shop = shop
        self._built.set()
        shop.start()

    def _drop(self) -> None:
        shop, self.shop = self.shop, None
        if shop is None:
            return
        shop.disconnect()
        shop.close(write=False)
        if self.node.url is None and not self._let_go:
            self._on_end("another server owns the database")

    # the configuration

    def load(self, *, machines: bool = True) -> Configuration:
        """Read the files of this server anew, for a reload."""
        configuration = load(self._settings, machines=machines)
        self._read = self._read_files()
        if self.shop and machines:
            self.shop.loaded(configuration)
        return configuration

    def notes(self) -> dict[str, str]:
        """Return what is wrong, but keeps no reader from being served."""
        found = {"configuration": self._files_differ} if self._files_differ else {}
        if (skew := self.node.skew_noted) is not None:
            found["clock"] = f"this computer's clock is {skew:.1f} s off the database's: set it (timedatectl)"
        return found

    def _read_files(self) -> Revision:
        return Revision(0, _read(self._settings.machines_config), _read(self._settings.users_config))

    def _adopt_files_if_first(self) -> None:
        """What is in use at the first owner's start is the first revision."""
        if self._revisions and self.node.revision == 0:
            newest = self._revisions.newest()
            if newest is None:
                self.node.revision = self._revisions.add(self._read_files(), self.node.incarnation)
            else:
                self._follow(newest)

    def _store_revision(self, *, machines: bool) -> None:
        """Have the other servers use what was just loaded here."""
        if self._revisions is None or self.shop is None or self._read is None:
            return
        read, self._read = self._read, None
        newest = self._revisions.newest()
        if not machines and newest is not None:
            read = Revision(0, newest.machines, read.users)
        self.node.revision = self._revisions.add(read, self.node.incarnation)
        self.configuration = self.shop.fleet.configuration

    def _each_second(self, revision: int) -> None:
        if self.shop is None and self.node.url:
            self._warm.refresh()
        if self._revisions is None:
            return
        if revision > self.node.revision and self.shop is None:
            self._follow(self._revisions.newest())
        self._compare_files()

    def _follow(self, revision: Revision | None) -> None:
        """Use a newer configuration."""
        if revision is None or revision.number <= self.node.revision:
            return
        try:
            self.configuration = parse_revision(self._settings, revision.machines, revision.users)
        except ConfigError as error:
            log.error("the configuration %d can't be used here: %s", revision.number, error)
            return
        self.node.revision = revision.number
        log.info("the configuration in use is number %d", revision.number)

    def _compare_files(self) -> None:
        if self._revisions is None or (newest := self._revisions.known) is None:
            return
        try:
            here = self._read_files()
            same = (here.machines, here.users) == (newest.machines, newest.users)
            self._files_differ = None if same else "the files here are not what is in use: reload to take them"
        except ConfigError as error:
            self._files_differ = f"the files here can't be read: {error}"


def _read(path: Path) -> str:
    return json.dumps(read_json(path), ensure_ascii=False)
