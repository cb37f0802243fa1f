"""A running server: fleet, HTTP and Slack, started and stopped in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mac_actors.actors.notifier import Chat
from mac_actors.actors.subscribers import Subscriber
from mac_actors.bootstrap import Fleet
from mac_actors.core.config import Configuration
from mac_actors.errors import FleetClosed
from mac_actors.fleet.reload import ReloadSummary
from mac_actors.service.shop import Shop, check_mqtt
from mac_actors.settings import Settings
from mac_actors.settings.files import load
from mac_actors.storage.store import Store, needing_psycopg
from mac_actors.web.server.origin import Origins
from mac_actors.web.server.server import Application, Server
from mac_actors.web.server.tls import Tls

if TYPE_CHECKING:
    from mac_actors.service.cell import Member


class Service:
    """A running server: :meth:`start` brings everything up, in order; :meth:`stop` down again, the other way round.

    The ``subscribers`` are told of each outcome. With MAC_DATABASE it is a :attr:`member` of those that share the
    database, and has a :attr:`shop` as long as it owns the machines.
    """

    def __init__(self, settings: Settings, chat: Chat | None = None, subscribers: Iterable[Subscriber] = ()) -> None:
        self.settings = settings
        check_mqtt(settings)
        tls = Tls(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
        self.member = self._make_member(chat, subscribers)
        if self.member:
            self._shop = None
            application: Application = self.member.answer
        else:
            self._configuration = load(settings)
            store = Store.open(settings.state_dir)
            self._shop = Shop(settings, self._configuration, store, self.load, chat=chat, subscribers=subscribers)
            application = self._shop.app.wsgi
        secret = settings.cell.secret if settings.cell.node_url else None
        origins = Origins(settings.trusted_proxies or (), secret)
        self.server = Server(application, settings.host, settings.port, tls, origins)
        self.server.direct = self.member.door if self.member else self.shop.app.reports
        try:
            if self.member:
                self.member.start()
            else:
                self._adopt(self.shop)
            self.server.open()
        except BaseException:
            self._close()
            raise

    def _make_member(self, chat: Chat | None, subscribers: Iterable[Subscriber]) -> Member | None:
        if not self.settings.cell.database:
            return None
        with needing_psycopg():
            from mac_actors.service.cell import Member  # a server on SQLite need not have the driver

        return Member(self.settings, chat=chat, subscribers=subscribers, adopt=self._adopt, on_end=self._end)

    def _adopt(self, shop: Shop) -> None:
        shop.app.metrics.refusals.append(self.server.refusals)

    def _end(self, why: str) -> None:
        self.server.failure = self.server.failure or why
        self.server.on_failure()

    @property
    def shop(self) -> Shop:
        """What this server has as the owner. Raises :class:`~mac_actors.errors.FleetClosed` where it is not."""
        shop = self.member.shop if self.member else self._shop
        if shop is None:
            raise FleetClosed("another server owns the machines, or none does just now")
        return shop

    @property
    def fleet(self) -> Fleet:
        """All machines, alive; raises as :attr:`shop`."""
        return self.shop.fleet

    @property
    def configuration(self) -> Configuration:
        """What the server has begun with; in a cell, what is in use."""
        return self.member.configuration if self.member else self._configuration

    def load(self, *, machines: bool = True) -> Configuration:
        """Read the configuration files anew; ``machines=False``: the users file alone."""
        if self.member:
            return self.member.load(machines=machines)
        configuration = load(self.settings, machines=machines)
        if machines:
            self.shop.loaded(configuration)
        return configuration

    def reload(self) -> ReloadSummary | str:
        """Read the files anew and use them, as ``POST /api/reload`` does; in a cell, the owner does that.

        Raises :class:`~mac_actors.errors.ConfigError` or :class:`~mac_actors.errors.ReloadRefused`, and then
        everything is as before.
        """
        if self.member is None:
            return self.fleet.reload(self.load())
        if not self.member.node.valid():
            return self.member.reload_elsewhere()
        with self.member.files.reloading:
            return self.fleet.reload(self.load())

    def start(self) -> None:
        """Answer requests, in threads of the server's own, and connect to Slack. The socket is bound already."""
        self.server.run_in_thread()
        if self._shop:
            self._shop.start()

    def stop(self) -> None:
        """Finish the requests under way, write everything, let the database go."""
        if self.member and self.member.node.url:
            self.member.release()  # another server is the owner before this one answers no more
            self.member.tell_the_next_owner()
        if self._shop:
            self._shop.disconnect()
        self.server.stop()
        self._close()

    def _close(self) -> None:
        if self.member:
            self.member.stop()
        elif self._shop:
            self._shop.close()
