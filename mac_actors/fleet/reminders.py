"""Asks, in its thread, whether an oops or a lock-out that is old is to stay."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime

from mac_actors.actors.journal import Journal
from mac_actors.core.notices import Channel, Notice, ThreadKey
from mac_actors.core.routing import Routing
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.text import duration, one_line
from mac_actors.core.wording import origin
from mac_actors.storage.outbox import STEP
from mac_actors.storage.records import Record

log = logging.getLogger(__name__)

NOTE = "reminders"
"""The note of what was asked when: written together with the reminder, so that each is posted once."""


class Reminders:
    """Remembers when it was asked about which oops or lock-out."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._asked: dict[str, datetime] | None = None

    def look(self, machines: Iterable[Snapshot], routing: Routing, now: datetime) -> None:
        """Ask about each that is old enough, and was not asked about lately."""
        if not routing.remind_after or routing.is_quiet(now):
            return
        asked = self._load() if self._asked is None else self._asked
        known: dict[str, datetime] = {}
        posts: list[tuple[datetime, Notice]] = []
        for machine in machines:
            flags = {"oops": machine.oops, "lock": machine.lock}
            keys = {word: ThreadKey(machine.name, word, flag.since) for word, flag in flags.items() if flag}
            for word, key in keys.items():
                last = asked.get(str(key), key.since)
                if last > now + STEP:  # it was asked while the clock was wrong
                    last = key.since
                after = routing.remind_after.get(word)
                if after is not None and now - last >= after:
                    within = tuple(sorted(keys.values(), key=lambda key: key.since))
                    posts.append((now, Notice(Channel.CONTROL, _text(machine, word, now), within=within, asks=key)))
                    last = now
                if last != key.since:
                    known[str(key)] = last
        self._asked = known
        if posts:
            written = json.dumps({key: at.isoformat() for key, at in known.items()})
            self._journal.record(Record(notices=tuple(posts), notes=((NOTE, written),)))

    def _load(self) -> dict[str, datetime]:
        try:
            written = json.loads(self._journal.store.note(NOTE) or "{}")
            return {key: datetime.fromisoformat(at) for key, at in written.items()}
        except (ValueError, AttributeError, TypeError) as error:
            log.warning("what was asked about old oopses can't be read: %s", one_line(error))
            return {}


def _text(machine: Snapshot, word: str, now: datetime) -> str:
    flag = machine.oops if word == "oops" else machine.lock
    assert flag is not None
    what = "oopsed" if word == "oops" else "locked out"
    reason = f": {one_line(flag.reason).rstrip('.')}" if flag.reason else ""
    age = duration((now - flag.since).total_seconds())
    return f"{machine.display_name} has been {what} for {age}{origin(flag.source, flag.by)}{reason}. Keep it?"
