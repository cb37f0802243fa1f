"""Puts the parts together, in one place: configuration, storage, fleet, HTTP server."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mac_actors import settings as settings_module
from mac_actors.actors.notifier import Chat
from mac_actors.core.config import Configuration
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.missing_readers import Watched
from mac_actors.fleet.reload import ReloadSummary
from mac_actors.settings import Settings
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.scratch import scratch_store
from mac_actors.web.access import Access
from mac_actors.web.app import create_app
from mac_actors.web.server.server import Server, Tls

if TYPE_CHECKING:
    from mac_actors.slack.connection import SlackSide

log = logging.getLogger(__name__)

_FROM_ENVIRONMENT: Any = object()


class Fleet(MachineFleet):
    """All machines of a shop, alive: what a script opens, and what the server is built on."""

    @classmethod
    def open(
        cls,
        machines: Path | str | Mapping[str, Any] | None = None,
        users: Path | str | Sequence[Any] | None = None,
        state: Path | str | None = _FROM_ENVIRONMENT,
        *,
        scratch: bool = False,
    ) -> Self:
        """Open a fleet; what is not given comes from the environment, as for the server.

        ``machines`` and ``users`` are paths, parsed JSON or models; ``state`` is a directory, or ``None``
        to keep everything in memory. ``scratch`` works on a copy of the states in that directory, in memory,
        also while a server has it. Raises :class:`~mac_actors.errors.ConfigError` or
        :class:`~mac_actors.errors.StorageError`.
        """
        environment = settings_module.from_environment()
        configuration = settings_module.parse(
            _path_or_data(environment.machines_config if machines is None else machines),
            _path_or_data(environment.users_config if users is None else users),
            enforce_expiration=environment.enforce_expiration,
        )
        directory = environment.state_dir if state is _FROM_ENVIRONMENT else state
        path = None if directory is None else Path(directory)
        store = scratch_store(path) if scratch and path else Store.open(path)
        try:
            # Without HTTP no reader can report: that all are silent is no news.
            return cls(configuration, store, commit_budget=environment.commit_budget, missing=Watched.OFF)
        except BaseException:
            store.close()
            raise


def _path_or_data(given: Any) -> Any:
    return Path(given) if isinstance(given, str) else given


def _slack_side(settings: Settings) -> SlackSide | None:
    if settings.slack is None:
        return None
    from mac_actors.slack.connection import SlackSide  # 8 MB that a server without Slack need not load

    return SlackSide(settings.slack)


class Service:
    """A running server: :meth:`start` brings everything up, in order; :meth:`stop` down again, the other way round."""

    def __init__(self, settings: Settings, chat: Chat | None = None) -> None:
        self.settings = settings
        self.configuration = settings_module.load(settings)
        tls = Tls(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
        self.slack = _slack_side(settings)
        self.fleet = Fleet(
            self.configuration,
            Store.open(settings.state_dir),
            commit_budget=settings.commit_budget,
            missing=Watched(settings.missing_readers),
            retention_days=settings.retention_days,
            chat=self.slack.chat if self.slack else chat,
        )
        access = Access(settings.tokens, public_names=settings.public_names)
        self.app = create_app(self.fleet, access, self.load, self.notes)
        self.server = Server(self.app.wsgi, settings.host, settings.port, tls)
        self.app.metrics.refusals.append(self.server.refusals)
        self.app.metrics.slack_connected = self.slack.is_connected if self.slack else None
        try:
            self.server.open()
        except BaseException:
            self.fleet.close()
            raise

    def load(self, *, machines: bool = True) -> Configuration:
        """Read the configuration files anew; ``machines=False``: the users file alone."""
        return settings_module.load(self.settings, machines=machines)

    def reload(self) -> ReloadSummary:
        """Read both files anew and use them, as ``POST /api/reload`` does.

        Raises :class:`~mac_actors.errors.ConfigError` or :class:`~mac_actors.errors.ReloadRefused`, and then
        everything is as before.
        """
        return self.fleet.reload(self.load())

    def start(self) -> None:
        """Answer requests, in threads of the server's own, and connect to Slack. The socket is bound already."""
        self.server.run_in_thread()
        if self.slack:
            self.slack.start(self.fleet)

    def notes(self) -> dict[str, str]:
        """Return what is wrong beside the fleet: troubles that keep no reader from being served."""
        return self.slack.troubles() if self.slack else {}

    def stop(self) -> None:
        """Finish the requests under way, write everything, let the state directory go."""
        if self.slack:
            self.slack.stop()
        self.server.stop()
        self.fleet.close()
