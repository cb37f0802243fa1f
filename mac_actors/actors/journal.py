"""The journal actor: the only writer to the disk.

Machine actors hand a :class:`~mac_actors.storage.records.Record` to :meth:`Journal.record` and go on. The
actor writes everything that has gathered in one transaction (group commit, no artificial delay). When the
disk refuses or hangs, records wait in memory, in order, and are tried again until they are written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from mac_actors.actors.pump import Pump
from mac_actors.actors.replies import Latch
from mac_actors.actors.runtime import wait_for_ends
from mac_actors.actors.wakes import gathering
from mac_actors.core.backoff import Backoff
from mac_actors.core.notices import notifier_of
from mac_actors.core.phrases import phrase
from mac_actors.core.text import count
from mac_actors.errors import StorageError
from mac_actors.storage.database import BadRecordError, Fenced
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store

DISK_FULL = phrase(
    "the server's disk is not keeping up and too much waits for it already: nothing was changed; free or mend the "
    "disk, then try again"
)

log = logging.getLogger(__name__)

BATCH = 500
"""Most records in one transaction, so that the first of a long queue need not wait for the last."""

BACKLOG_LIMIT = 20_000
"""Waiting records (about 1 kB each) from which on no session starts and admins are told to wait."""

FIRST_RETRY, LAST_RETRY = 0.05, 1.0
"""Seconds until a refused batch is tried again: doubled from the first to the last."""

TRIES = 10
"""How often a record that can't be written is tried, while the disk is well, before it is given up."""


class Journal(Pump):
    """The way to the journal actor, for any thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.error: str | None = None
        """Why the last attempt to write failed; ``None`` while all is well."""
        self.batches = 0
        """Transactions written; together they took :attr:`commit_seconds`."""
        self.commit_seconds = 0.0
        self.queued: Counter[str] = Counter()
        """Notices put into the outbox."""
        self.lost = 0
        """Records that could never be written, whatever the disk: a mistake of ours, each said in the log."""
        self.on_commit: Callable[[], None] = lambda: None
        """Called by the actor after each commit that had notices in it; must not block."""
        self.fenced = False
        """Whether another server owns the database: nothing is written any more, and all latches open, not durable."""
        self.on_fenced: Callable[[], None] = lambda: None
        """Called by the actor, once, when it finds that out; must not block."""
        self._queue: deque[tuple[Record, Latch, float]] = deque()
        self._later: deque[Record] = deque()
        self._writing = threading.Lock()
        super().__init__("journal")

    def record(self, record: Record) -> Latch:
        """Queue a record; the latch opens once it is on disk. Never blocks."""
        latch = Latch()
        self._queue.append((record, latch, time.monotonic()))
        self.wake()
        return latch

    def record_later(self, record: Record) -> None:
        """Have a record written with whatever is written next, or when the actor is woken, before all that comes later.

        Whoever makes it has nothing older in the queue. Never blocks.
        """
        self._later.append(record)

    def write(self, record: Record, timeout: float) -> None:
        """Have a record on disk when this returns; no actor may call it.

        Raises :class:`StorageError` when that takes longer than ``timeout`` seconds: it may get there yet.
        """
        latch = self.record(record)
        if not latch.wait(timeout) or not latch.durable:
            raise StorageError("the disk does not take the changes (yet): look at it, then try again")

    @property
    def depth(self) -> int:
        """Records that wait."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing new should start."""
        return len(self._queue) >= BACKLOG_LIMIT

    @property
    def oldest_age(self) -> float:
        """For how many seconds the oldest record has waited; 0 when none does."""
        try:
            return time.monotonic() - self._queue[0][2]
        except IndexError:
            return 0.0

    def close(self, timeout: float = 10.0) -> None:
        """Write what waits, then stop the actor. What can't be written in ``timeout`` seconds is said in the log."""
        if not self.ref.is_alive():
            self.restart()  # the fleet, which does so otherwise, no longer looks
        deadline = time.monotonic() + timeout
        last = self.record(Record())
        if not last.wait(timeout):
            log.critical(
                "%d changes could not be written before the stop (%s): they are lost",
                self.depth,
                self.error or "the disk does not answer",
            )
        wait_for_ends([self.stop()], deadline - time.monotonic())

    def abandon(self, timeout: float = 1.0) -> None:
        """Stop the actor, and write nothing more: what waits is for ever not on disk."""
        wait_for_ends([self.stop()], timeout)
        for _, latch, _ in tuple(self._queue):
            _open_unwritten(latch)

    # for the actor alone

    def drain(self) -> None:
        """Write until the queue is empty."""
        with self._writing:  # a new actor waits for the end of the old one's transaction
            backoff, suspects, tries, given = Backoff(FIRST_RETRY, LAST_RETRY), 0, 0, 0
            while not self._stopping.is_set():
                if self.fenced:
                    self._let_go()
                    return
                begun = time.monotonic()
                # Counted before the look at what may wait: records that come after it may be newer than what is put
                # there meanwhile, and are left for the next batch.
                waiting = len(self._queue)
                later = [self._later.popleft() for _ in range(len(self._later))]
                for record in reversed(later):
                    self._queue.insert(given, (record, Latch(), begun))  # what is given again must be the same
                batch = [self._queue[i] for i in range(min(waiting + len(later), 1 if suspects else BATCH))]
                if not batch:
                    return
                try:
                    self.store.commit([record for record, _, _ in batch])
                except Fenced as error:
                    log.warning("nothing more is written here: %s", error)
                    self.error, self.fenced = str(error), True
                    self.on_fenced()
                    continue
                except Exception as error:
                    given = len(batch)
                    if isinstance(error, StorageError) and not isinstance(error, BadRecordError):
                        self._complain(error)
                        self._stopping.wait(backoff.next())
                    elif len(batch) > 1 or tries < TRIES:
                        # not the disk, but something in a record: one by one, so that it holds up no other
                        suspects, tries = max(suspects, given), tries + 1
                        self._stopping.wait(FIRST_RETRY)
                    else:
                        suspects = tries = given = 0
                        self._give_up(batch[0][0])
                    continue
                if self.error is not None:
                    log.warning("the disk works again: writing %s", count(self.depth, "waiting change"))
                self.error, suspects, tries, given = None, max(0, suspects - len(batch)), 0, 0
                backoff.reset()
                self.commit_seconds += time.monotonic() - begun
                self.batches += 1
                durable = self.store.displaced() is None
                with gathering():
                    for _, latch, _ in batch:
                        self._queue.popleft()
                        latch.durable = durable
                        latch.open()
                self.queued.update(notifier_of(notice.channel) for record, _, _ in batch for notice in record.posts())
                if any(record.notices or record.rows for record, _, _ in batch):
                    self.on_commit()

    def _let_go(self) -> None:
        while self._queue:
            _open_unwritten(self._queue.popleft()[1])

    def _complain(self, error: StorageError) -> None:
        if self.error is None:
            log.error("%s: waiting in memory, tried again until written: %s", error, count(self.depth, "change"))
        self.error = str(error)

    def _give_up(self, record: Record) -> None:
        log.critical("this change cannot be written, and is lost: %r", record, exc_info=True)
        self.lost += 1
        _open_unwritten(self._queue.popleft()[1])


def _open_unwritten(latch: Latch) -> None:
    latch.durable = False
    latch.open()
