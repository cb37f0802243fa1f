"""The lists that readers keep for when the server is away, each with its revision: another one for another content."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.offline import FobList, fob_list
from mac_actors.core.state import MachineState


@dataclass(frozen=True, slots=True)
class RevisedList:
    """A list, and its revision: milliseconds since 1970 when its content came to be so, in this process."""

    revision: int
    content: FobList


@dataclass(frozen=True, slots=True)
class _Made:
    config: MachineConfig
    directory: Directory
    flags: tuple[bool, ...]
    result: RevisedList


class ReaderLists:
    """Makes lists, and remembers them until something changes. Any thread may call.

    A revision is a time so that none comes twice, also after a restart of the server, with nothing kept on disk.
    """

    def __init__(self, published: Mapping[str, tuple[MachineConfig, MachineState]]) -> None:
        self._published = published
        self._made: dict[str, _Made] = {}
        self._lock = threading.Lock()

    def get(self, machine: str, directory: Directory, at: datetime) -> RevisedList | None:
        """Return a machine's list as it is now; ``None``: it is to have none."""
        with self._lock:  # what is published is read within, so that of two threads the later one does not see less
            config, state = self._published.get(machine, (None, None))
            if config is None or state is None or not config.offline.list:
                self._made.pop(machine, None)
                return None
            flags = tuple(flag is not None for flag in (state.oops, state.lock, state.lock_pending))
            made = self._made.get(machine)
            if made and made.config is config and made.directory is directory and made.flags == flags:
                expires = made.result.content.expires_at
                if expires is None or at < expires:
                    return made.result
            content = fob_list(config, directory, state, at)
            if made and made.result.content == content:
                result = made.result
            else:
                now = int(at.timestamp() * 1000)
                result = RevisedList(max(now, made.result.revision + 1) if made else now, content)
            self._made[machine] = _Made(config, directory, flags, result)
            return result
