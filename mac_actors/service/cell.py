"""A server on a PostgreSQL database: it has a shop as long as it owns the machines."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from mac_actors.actors.notifier import Chat
from mac_actors.actors.subscribers import Subscriber
from mac_actors.cluster.door import TURN_SECONDS, Door, Owned
from mac_actors.cluster.fresh import Fresh
from mac_actors.cluster.holding import HoldingFleet, Known
from mac_actors.cluster.looking import Looking
from mac_actors.cluster.node import Node
from mac_actors.cluster.passing import Passing
from mac_actors.cluster.warm import Warm
from mac_actors.core.config import Configuration, Directory
from mac_actors.core.signing import ReaderKeys
from mac_actors.core.text import count
from mac_actors.errors import ConfigError, MacError, StorageError
from mac_actors.service.cell_files import CellFiles, request_for_reload
from mac_actors.service.shop import Shop
from mac_actors.settings import Settings, Tokens
from mac_actors.settings.language import language
from mac_actors.storage.database import Fenced
from mac_actors.storage.postgres.migrations import newer
from mac_actors.storage.store import Store
from mac_actors.web.access import Access
from mac_actors.web.standby import create_standby_app

log = logging.getLogger(__name__)

SAVE_SECONDS = 1.0
"""How long machines may take, before a handover, to hand on what heartbeats have changed, and the disk to take it."""

TELL_SECONDS = 2.0
"""How long a server that stops waits for the next owner, to tell it what came meanwhile."""

BUILD_SECONDS = 60.0
"""How long a server that owns alone waits at its start for its shop."""

StartResponse = Callable[..., Any]


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
        self.shop: Shop | None = None
        self.node = Node(
            database,
            settings.cell.node_url,
            settings.cell.lease_seconds,
            take=self._take,
            drop=self._drop,
            hand_over=self.hand_over,
            prepare=self._prepare,
            each_second=self._each_second,
            unfit=lambda steps: newer(set(steps)) or self.files.unfit,
        )
        self.files = CellFiles(settings, self.node.membership)
        self._store: Store | None = Store.open(database)
        self._warm = Warm(database)
        self._preparing = threading.Lock()
        self._built = threading.Event()
        self._let_go = self._rehearsed = False
        self._failure: MacError | None = None
        self._owned: Owned | None = None
        self._refreshing = threading.Lock()
        self._fresh = Fresh(self._refresh)
        displays = language(settings.language).displays
        self._holding = HoldingFleet(Known(self.configuration), self._fresh.wait, settings.commit_budget, displays)
        self._passing = Passing(settings.cell.secret or "", settings.commit_budget, _trust(settings))
        others = lambda: self.node.membership.others  # noqa: E731
        self._looking = Looking(self._fresh.wait, self._passing, others, self.node.follow)
        self.door = Door(self.node.standing, self._in_use, self._passing, self._holding, self._looking)
        access = Access(settings.tokens)
        held = create_standby_app(
            self._holding, access, self.door.serves, self.node.problems, self.notes, self.node.numbers
        )
        self.door.held = held.wsgi

    # the beginning and the end

    def start(self) -> None:
        """Take part. A server that owns alone has its shop when this returns; raises why it has not."""
        self.files.follow()
        self.node.claim()
        if self.node.url:
            self._refresh()  # a reader may come before the first look: to a key that is not known its report is wrong
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
        self.tell_the_next_owner()
        self.node.stop()
        if shop is not None and self.shop is shop:
            self._drop()
        self.door.tell()
        if self._store is not None:
            self._store.close()
        self._looking.close()
        self._fresh.close()
        self._warm.close()
        self._passing.close()

    def release(self) -> bool:
        """Hand over for good, as :meth:`hand_over`."""
        self._let_go = True
        return self.hand_over()

    def tell_the_next_owner(self) -> None:
        """After :meth:`release`, wait until the next owner knows what came here while there was none: nobody else does,
        once this process has ended.
        """
        until = time.monotonic() + TELL_SECONDS
        while (self.shop is not None or self._holding.untold) and time.monotonic() < until:
            self.door.tell()
            time.sleep(TURN_SECONDS)

    def hand_over(self) -> bool:
        """Have everything written and let the lease go, to whoever looks next; false: this one does not own."""
        if (shop := self.shop) is not None and self.node.valid():
            with suppress(StorageError):  # as the owner, while all are answered: little is left to be written then
                shop.disconnect()  # a command that was taken is carried out
                shop.fleet.supervisor.save_all(SAVE_SECONDS)
                shop.fleet.settle(SAVE_SECONDS)
        return self.node.release(self._settle)

    def _settle(self) -> None:
        if self.shop is not None:
            self.shop.fleet.settle()

    # in the thread of the ownership

    def _prepare(self) -> None:
        with self._preparing:
            if self.shop is not None:
                return
            self._warm.refresh()
            self._warm.prepare(self.configuration)
            if not self._rehearsed:
                self._rehearsed = True
                self._rehearse()
            if self._store is None:
                self._store = Store.open(self._database)
            self._store.warm_up()

    def _rehearse(self) -> None:
        """Build a shop without machines, in memory: all that is loaded and compiled for one is there at a takeover."""
        settings = replace(self._settings, slack=None, mqtt=None, reader_api_keys=None, tokens=Tokens())
        nothing = replace(self.configuration, machines={}, directory=Directory.of(()), webhooks={})
        Shop(settings, nothing, Store.open(None), self.load).close()
        if self._settings.slack:
            import_module("mac_actors.slack.connection")

    def _take(self, epoch: int, incarnation: str) -> None:
        with self._preparing:
            self._build(epoch, incarnation)

    def _build(self, epoch: int, incarnation: str) -> None:
        begun = time.monotonic()
        self._drop()  # what an older epoch has left, if dropping it has failed
        store = self._store = self._store or Store.open(self._database)
        try:
            store.own(epoch, incarnation)
            configuration = self.files.own(epoch)
            prepared = self._warm.prepared(configuration)
            with store.at_once("read what the last owner has left"):
                shop = Shop(
                    self._settings,
                    configuration,
                    store,
                    self.load,
                    chat=self._chat,
                    holds=lambda: not self.node.owns(epoch),
                    prepared=prepared,
                    notes=self.notes,
                    subscribers=self._subscribers,
                )
        except MacError as error:
            self._store = None
            store.close()
            if isinstance(error, Fenced):
                self.node.lost(str(error), epoch)
                return
            self._failure = error
            self._built.set()
            raise
        shop.fleet.journal.on_fenced = lambda: self.node.lost("the database has another owner by now", epoch)
        shop.fleet.on_reload = partial(self.files.store, epoch)
        shop.app.metrics.cell = self.node.numbers
        self._adopt(shop)
        self.door.telling.here(shop.fleet)
        owned = Owned(shop.fleet, shop.app.wsgi, shop.app.reports, epoch)
        self.shop, self._owned, self._store = shop, owned, None
        self._built.set()
        self.door.telling.here(shop.fleet)
        log.info("%s ready after %.2f s", count(len(shop.fleet), "machine"), time.monotonic() - begun)
        shop.start()

    def _in_use(self) -> Owned | None:
        """Return what this server has as the owner; not that of an older epoch, which is yet to be dropped."""
        owned, epoch = self._owned, self.node.lease.epoch
        return owned if owned and epoch in {None, owned.epoch} else None

    def _drop(self) -> None:
        shop = self.shop
        if shop is None:
            return
        self._holding.let_go(shop.fleet, self.configuration)
        self.shop = self._owned = None
        kept = dict(shop.fleet.supervisor.held)
        self._holding.add(shop.fleet.held)
        try:
            shop.disconnect()
        finally:
            shop.close(write=False)
            late = {name: held for name, held in shop.fleet.supervisor.held.items() if held is not kept.get(name)}
            self._holding.add(late)  # a request that had begun may have come to it until it was closed
        if self.node.url is None and not self._let_go:
            self._on_end("another server owns the database")

    # the configuration

    @property
    def configuration(self) -> Configuration:
        """What is in use."""
        return self.files.configuration

    def load(self, *, machines: bool = True) -> Configuration:
        """Read the files anew, for a reload."""
        configuration = self.files.load(machines=machines)
        if self.shop and machines:
            self.shop.loaded(configuration)
        return configuration

    def answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; with one that asks for a reload, go the files of the server that it came to."""
        return self.files.answer(environ, start_response, self.door, owns=self.node.valid())

    def reload_elsewhere(self) -> str:
        """Have the owner use the files of this server; returns what it says. Raises :class:`MacError`."""
        environ = request_for_reload(self._settings)
        statuses: list[str] = []
        body = b"".join(self.answer(environ, lambda status, *_: statuses.append(status)))
        text = body.decode(errors="replace").strip()
        if not statuses or not statuses[0].startswith("200"):
            raise MacError(f"the owner of the machines did not take it: {text}")
        return text

    def notes(self) -> dict[str, str]:
        """Return what is wrong, but keeps no reader from being served."""
        found = {"configuration": self.files.differ} if self.files.differ else {}
        if (skew := self.node.skew_noted) is not None:
            found["clock"] = f"this computer's clock is {skew:.1f} s off the database's: set it (timedatectl)"
        return found

    def _each_second(self, revision: int) -> None:
        if self.node.url:
            self._prepare()
            self._refresh()
            self.door.tell()
        if revision > self.node.membership.revision and self.shop is None:
            self.files.follow()
        self.files.compare()

    def _refresh(self) -> None:
        """Know what readers are to be told while no server owns the machines, and whether another one does by now."""
        with self._refreshing:  # who asks last gets what is read last
            if self.shop is not None:
                seen = None if self.node.valid() else self._warm.look()
                if seen and seen.incarnation != self.node.incarnation:
                    self.node.follow(None if seen.released else seen.owner)
                return
            self._warm.refresh()
            good = self._holding.known.keys
            if (store := self._store) is not None:  # it is opened anew only in the second after the machines are lost
                keys = store.reader_keys().items()
                good = {name: one for name, one in keys if isinstance(one, ReaderKeys)}
            states = self._warm.states
            if self.shop is None:
                self._holding.known = Known(self.configuration, states, good)


def _trust(settings: Settings) -> ssl.SSLContext | None:
    """Return what is trusted of servers whose address begins with https: also the certificate of this one."""
    if not (settings.cell.node_url or "").startswith("https"):
        return None
    context = ssl.create_default_context()
    if settings.tls_cert:
        context.load_verify_locations(settings.tls_cert)
    return context
