"""Readers that have fallen silent: said once for all that belong together, and once more when they are back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mac_actors.core.snapshot import ONLINE_WITHIN, Snapshot
from mac_actors.core.text import duration

GATHER = timedelta(seconds=60)
"""Readers that fall silent within this time of the first one are one incident: a fuse, an access point."""


class Watched(StrEnum):
    """Whose silence is said: of readers that were ever seen, of all that are configured, or of none."""

    SEEN = "seen"
    ALL = "all"
    OFF = "off"


@dataclass
class _Incident:
    began: datetime
    silent: dict[str, datetime] = field(default_factory=dict)
    said: bool = False


class MissingReaders:
    """Looks at all machines now and then, and returns what is to be said. ``started`` is the server's start."""

    def __init__(self, watched: Watched, started: datetime) -> None:
        self._watched = watched
        self._started = started
        self._open: list[_Incident] = []

    def look(self, machines: Iterable[Snapshot], now: datetime) -> list[str]:
        """Return the sentences to be posted now: mostly none."""
        if self._watched is Watched.OFF:
            return []
        labels = {machine.name: machine.display_name for machine in machines}
        silent = {machine.name: since for machine in machines if (since := self._silent_since(machine, now))}
        known = {name for incident in self._open for name in incident.silent}
        for name in silent.keys() - known:
            self._incident(now).silent[name] = silent[name]
        sentences = [sentence for incident in self._open for sentence in self._sentences(incident, silent, labels, now)]
        self._open = [incident for incident in self._open if incident.silent]
        return sentences

    def _silent_since(self, machine: Snapshot, now: datetime) -> datetime | None:
        """Since when a machine is silent; while the server was down nobody could have been heard."""
        if machine.last_checkin is None and self._watched is not Watched.ALL:
            return None
        heard = max(machine.last_checkin or self._started, self._started)
        return heard if now - heard > ONLINE_WITHIN else None

    def _incident(self, now: datetime) -> _Incident:
        if not self._open or self._open[-1].said or now - self._open[-1].began > GATHER:
            self._open.append(_Incident(now))
        return self._open[-1]

    @staticmethod
    def _sentences(
        incident: _Incident, silent: dict[str, datetime], labels: dict[str, str], now: datetime
    ) -> list[str]:
        for name in [name for name in incident.silent if name not in labels]:
            del incident.silent[name]  # no longer configured
        if not incident.silent:
            return []
        if not incident.said:
            for name in [name for name in incident.silent if name not in silent]:
                del incident.silent[name]  # back before anything was said
            if incident.silent and now - incident.began >= GATHER:
                incident.said = True
                return [f"Silent for {_ago(incident, now)}: {_names(incident, labels)} (no report from the reader)."]
        elif not silent.keys() & incident.silent.keys():
            sentence = f"Back after {_ago(incident, now)}: {_names(incident, labels)}."
            incident.silent.clear()
            return [sentence]
        return []


def _names(incident: _Incident, labels: dict[str, str]) -> str:
    return ", ".join(sorted(labels[name] for name in incident.silent))


def _ago(incident: _Incident, now: datetime) -> str:
    return duration((now - min(incident.silent.values())).total_seconds())
