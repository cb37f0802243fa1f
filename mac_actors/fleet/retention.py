"""Retention: once a day names and fobs are removed from lines of the journal that are older than is allowed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from mac_actors.actors.journal import Journal
from mac_actors.actors.replies import Latch
from mac_actors.core.text import count
from mac_actors.errors import StorageError
from mac_actors.storage import redaction, slack_users
from mac_actors.storage.codec import timestamp
from mac_actors.storage.records import Record
from mac_actors.storage.redaction import CLOCK_NOTE, NOTE, Batch, Progress

log = logging.getLogger(__name__)

EVERY_SECONDS = 24 * 3600.0
"""How often it is looked for old lines."""

MOST_LEFT = 1000
"""Lines that can't be changed yet, because what they say is still so, are looked at again each day. With so many of
them it goes no further."""

AGAIN_SECONDS = 600.0
"""How long to wait when the disk has refused, or the clock is in doubt."""

TRUSTED = timedelta(days=90)
"""A clock that is further beyond the last sign of life than this may be wrong: what it would have removed is not."""


class Retention:
    """Goes on by one small batch at each :meth:`step`; killed at any moment it goes on from there at the next start.

    ``days``: from which age on. ``say`` posts a line to the control channel. ``accounts`` has those of the users file:
    of others it is forgotten, too, which Slack user they are. While it runs it notes once a day that it
    believed the clock. After a longer time without a sign of life it asks: what it does can't be undone.
    """

    def __init__(
        self,
        journal: Journal,
        days: int,
        say: Callable[[str], None] = log.warning,
        accounts: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self._journal = journal
        self._accounts = accounts
        self._store = journal.store
        self._days = days
        self._say = say
        self._believed: datetime | None = None
        self._noted: datetime | None = None
        self._confirmed = False
        self.in_doubt = False
        """Whether somebody must say that the clock is right (:meth:`confirm_clock`)."""
        self._due = time.monotonic()
        self._latch: Latch | None = None
        self._progress: Progress | None = None
        self._changed = 0
        self._left: tuple[int, ...] = ()
        self._upto = 0
        self._emptying = False

    def step(self) -> None:
        """Do the next batch, if there is one; never waits for the disk to write."""
        if time.monotonic() < self._due or (self._latch and not self._latch.wait(0)):
            return
        self._latch = None
        now = datetime.now(UTC)
        try:
            if self._believes(now):
                self._go_on(now - timedelta(days=self._days))
            else:
                self._due = time.monotonic() + AGAIN_SECONDS
        except StorageError as error:
            log.warning("names in old lines of the journal are removed later: %s", error)
            self._due = time.monotonic() + AGAIN_SECONDS

    def confirm_clock(self) -> None:
        """Believe the clock as it is now."""
        self._confirmed = True
        self._due = time.monotonic()

    def _believes(self, now: datetime) -> bool:
        """Whether the clock can be right."""
        believed = self._believed or redaction.last_sign(self._store) or now
        doubtful = now - believed > TRUSTED and not self._confirmed
        if doubtful and not self.in_doubt:
            self._say(
                f"The server's clock says {now:%Y-%m-%d}, {(now - believed).days} days after the last sign of life: no "
                "names are removed from old events. Set the clock; or, if it is right: mac-actors forget --old."
            )
        self.in_doubt, self._confirmed = doubtful, False
        self._believed = believed if doubtful else max(now, believed)
        if self._noted is None or self._believed - self._noted > timedelta(hours=1):
            self._noted = self._believed
            self._journal.record(Record(notes=((CLOCK_NOTE, timestamp(self._noted)),)))
        return not doubtful

    def _go_on(self, before: datetime) -> None:
        if self._emptying:
            if self._store.empty_log():
                self._end()
            return
        if self._progress is None:
            self._progress = redaction.progress(self._store)
            self._upto = redaction.last_older(self._store, before)
            batch = redaction.again(self._store, self._progress.left, before=before)  # what was so may be over by now
            self._left = batch.left
            self._forget_links(before)
            if batch.rewrites or batch.left != self._progress.left:
                self._write(batch, self._progress.through)
            return
        batch = redaction.older(self._store, before, self._progress.through, self._upto)
        if batch.last is not None and len(self._left) < MOST_LEFT:
            self._left += batch.left
            self._write(batch, batch.last)
        elif (old := self._old_additions(before)) or self._changed:
            self._emptying = True
            self._latch = self._journal.record(Record(scrub=True, drop=old))
        else:
            self._end()

    def _old_additions(self, before: datetime) -> tuple[tuple[str, int], ...]:
        """Return the changes of users that are over, and old: their lines in the journal name nobody by now.

        Those whose last day has passed are in force until then: that is seen here alone, where the clock is believed.
        """
        everything = self._store.load_additions(everything=True)
        over = (one for one in everything if not one.counts or ((ends := one.ends()) and ends < before))
        return tuple(("addition", one.id) for one in over if one.author.at < before)

    def _forget_links(self, before: datetime) -> None:
        if self._accounts is None:
            return
        known = self._accounts()
        links = slack_users.all_links(self._store)
        if gone := tuple(link.id for link in links if link.at < before and link.account_id not in known):
            self._journal.record(Record(unlinked=gone))

    def _write(self, batch: Batch, through: int) -> None:
        self._changed += len(batch.rewrites)
        self._progress = Progress(through, self._left)
        self._latch = self._journal.record(Record(rewrites=batch.rewrites, notes=((NOTE, self._progress.dump()),)))

    def _end(self) -> None:
        if self._changed:
            log.info("names and fobs were removed from %s over %s days old", count(self._changed, "event"), self._days)
        self._due = time.monotonic() + EVERY_SECONDS
        self._progress, self._changed, self._emptying = None, 0, False
