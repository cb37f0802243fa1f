"""Opens a fleet: configuration, storage and actors put together, for scripts and for the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mac_actors.cluster.owning import open_as_owner
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.missing_readers import Watched
from mac_actors.settings import from_environment
from mac_actors.settings.environment import use_time_zone
from mac_actors.settings.files import parse
from mac_actors.settings.language import language
from mac_actors.storage.upkeep.scratch import scratch_store

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
        to keep everything in memory; from the environment it may be a PostgreSQL database, too. ``scratch`` works on a
        copy of the states there, in memory, also while a server has them. Raises
        :class:`~mac_actors.errors.ConfigError` or :class:`~mac_actors.errors.StorageError`.
        """
        use_time_zone()
        environment = from_environment()
        configuration = parse(
            _path_or_data(environment.machines_config if machines is None else machines),
            _path_or_data(environment.users_config if users is None else users),
            enforce_expiration=environment.enforce_expiration,
            report_seconds=environment.report_seconds,
        )
        place = environment.place if state is _FROM_ENVIRONMENT else state and Path(state)
        store = scratch_store(place) if scratch and place else open_as_owner(place, environment.cell.lease_seconds)
        try:
            # Without HTTP no reader can report: that all are silent is no news.
            return cls(
                configuration,
                store,
                commit_budget=environment.commit_budget,
                missing=Watched.OFF,
                displays=language(environment.language).displays,
            )
        except BaseException:
            store.close()
            raise


def _path_or_data(given: Any) -> Any:
    return Path(given) if isinstance(given, str) else given
