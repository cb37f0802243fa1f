"""A server among others on one database: takes the lease, keeps it, hands it over, and says who has it.

Three threads: one has the lease (it beats, or looks and takes over), one says each second that this node is there
(:mod:`mac_actors.cluster.membership`), and one builds and drops what an owner has, so that no beat waits for that.
"""

from __future__ import annotations

import logging
import math
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from mac_actors import clock
from mac_actors.cluster.lease import SKEW_NOTED, SKEW_REFUSED, Lease, Seen
from mac_actors.cluster.membership import Membership, in_use
from mac_actors.cluster.rows import Rows
from mac_actors.core.changed import Changed
from mac_actors.errors import DirectoryInUse, MacError, StorageError

log = logging.getLogger(__name__)

TURNS: Final = 10
"""So many beats, or looks, in the seconds of a lease."""

LOOK_SECONDS: Final = 0.1
"""How often a standby looks, at the least: so soon it sees that the lease is released."""


_MAY_OWN_STILL: Final = (
    "{} was the only node, and neither beats nor says that it is gone: it may own still. If its computer is off, "
    "'mac-actors cluster release --gone' lets this one take over"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Who owns the machines now, as far as this node knows."""

    owns: bool
    """This node does: its lease is valid."""
    owner: str | None = None
    """The URL of another node that does; ``None``: this node, nobody, or nobody knows who."""


class Node:
    """One server of a cell; ``url`` is its own, ``None``: it is to be the only one.

    ``take(epoch, incarnation)`` builds what an owner has; ``drop()`` drops it, writing nothing; ``prepare()`` makes
    ready what a takeover needs, and may be called again; ``each_second`` is that of the :class:`Membership`.
    ``hand_over()`` calls :meth:`release` when an admin asks for it. ``unfit(steps)`` returns why this program must not
    own a database with these steps, ``None``: it may.
    """

    def __init__(
        self,
        database: str,
        url: str | None,
        seconds: float,
        *,
        take: Callable[[int, str], None],
        drop: Callable[[], None],
        hand_over: Callable[[], object] | None = None,
        prepare: Callable[[], None] = lambda: None,
        each_second: Callable[[int], None] = lambda revision: None,
        unfit: Callable[[frozenset[str]], str | None] = lambda steps: None,
    ) -> None:
        self.url = url
        self.incarnation = uuid.uuid4().hex
        self.lease = Lease(seconds, self.incarnation, url or "")
        self.membership = Membership(database, url, self.incarnation, each_second)
        self.error: str | None = None
        """Why the database does not answer; ``None`` while it does."""
        self._rows = Rows(database, max(0.3, seconds * 0.9), "mac-actors lease")
        self._take, self._drop, self._prepare = take, drop, prepare
        self._unfit, self._release_all = unfit, hand_over or self.release
        self._last_epoch = 0
        """The last one that this node has had."""
        self._last_owner: str | None = None
        self._silence = 0.0
        """For how many seconds it had been silent, by the last look that was answered."""
        self._resting_until = 0.0
        self._handover: threading.Thread | None = None
        self._asked_owner: tuple[Seen, float, bool] | None = None
        self._prepared_for: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._skewed = Changed(False)
        self._why_not = Changed(None)
        self._unfit_because: str | None = None
        self._threads = [
            threading.Thread(target=self._run, name="lease", daemon=True),
            threading.Thread(target=self.membership.run, args=[self._stopping], name="node", daemon=True),
            threading.Thread(target=self._work, name="ownership", daemon=True),
        ]

    # what the others ask

    @property
    def skew(self) -> float:
        """Seconds by which this computer's clock is ahead of the database's."""
        return self.membership.skew

    @property
    def skew_noted(self) -> float | None:
        """By how many seconds this computer's clock is off the database's, where that is too much."""
        return self.skew if abs(self.skew) >= SKEW_NOTED else None

    def standing(self) -> Standing:
        """Say who owns the machines now. Asks nobody.

        Where the database does not answer, it names whoever owned last, who knows best what readers were told: also if
        that one's lease is over by now.
        """
        if self.valid():
            return Standing(owns=True)
        owner = self._last_owner if self.lease.epoch is None else None
        silent = self._silence >= self.lease.patience
        return Standing(owns=False, owner=None if silent or not owner or owner == self.url else owner)

    def valid(self) -> bool:
        """Whether this node may switch something on now."""
        return self.lease.valid(clock.seconds())

    def owns(self, epoch: int) -> bool:
        """Whether it may as the owner of ``epoch``: what was built for an older one may not, though it is there yet."""
        return self.valid() and self.lease.epoch == epoch  # in this order: an epoch never comes back

    def numbers(self) -> tuple[bool, int, float]:
        """Return whether this node's lease is valid, the epoch that it owns (0: none), and its clock's skew."""
        return self.valid(), self.lease.epoch or 0, self.skew

    def problems(self) -> dict[str, str]:
        """Return what keeps this node from taking over, or from doing it in time."""
        lease, theirs = None, self.lease.differs
        if theirs is not None:
            ours = f"this server's MAC_LEASE_SECONDS is {self.lease.seconds:g}"
            lease = f"{ours}, the owner's {theirs:g}: set the same on both"
        found = {"database": self.error, "owner": self._unfit_because, "lease": lease}
        return {what: why for what, why in found.items() if why}

    # the beginning and the end

    def claim(self) -> None:
        """Make sure that no other server runs as this one; a server without a URL takes the lease, too.

        Raises :class:`DirectoryInUse` where another one runs, or may own still; :class:`StorageError` where the
        database can't be had, or is not for this program to own.
        """
        try:
            if self.url is None:
                self._claim_lease()
            else:
                self.membership.claim()
        except BaseException:
            self._rows.close()
            self.membership.close()
            raise

    def start(self) -> None:
        """Take part from now on."""
        for thread in self._threads:
            thread.start()

    def release(self, settle: Callable[[], None] = lambda: None, epoch: int | None = None) -> bool:
        """Hand over: this node owns no more, and leaves it to others for two leases, unless one of them hands over too.
        False: it does not own, or not ``epoch``.

        ``settle`` is called when nothing new is decided any more, and has everything written. Then whoever looks next
        takes over.
        """
        with self._lock:
            epoch = epoch or self.lease.epoch
            if epoch is None or epoch != self.lease.epoch:
                return False
            self._resting_until = math.inf  # what is here is dropped before this node builds anything
            self._last_owner = None
            self.lease.lost()
        try:
            try:
                settle()
            except StorageError as error:
                log.error("%s: the machines are handed over without what is not written yet", error)
            finally:
                self._let_go(epoch)
        finally:
            self._jobs.put(self._drop)
            self._resting_until = clock.seconds() + 2 * self.lease.seconds
        return True

    def _let_go(self, epoch: int) -> None:
        try:
            self._rows.release(epoch)
            log.info("the lease of epoch %d is released", epoch)
        except StorageError as error:
            log.warning("%s: another node takes over when its seconds are over", error)

    def lost(self, why: str, epoch: int) -> None:
        """Own ``epoch`` no more, because of what the database has said: what is here is dropped, unwritten."""
        with self._lock:
            if self.lease.epoch != epoch:
                return
            self.lease.lost()
            self._jobs.put(self._drop)  # before this node can take the lease again
        log.error("this server no longer owns the machines: %s", why)

    def follow(self, owner: str | None) -> None:
        """Take the node at this URL for the owner: that has said so itself, or the database to somebody else here.

        ``None``: another one has owned since this one did, and owns no more.
        """
        if self.valid():
            return
        if (epoch := self.lease.epoch) is not None:
            self.lost("another one has taken over", epoch)
        self._last_owner, self._silence = owner, 0.0

    def stop(self, timeout: float = 5.0) -> None:
        """Take no more part. :meth:`release` before it hands over."""
        self._stopping.set()
        self._wake.set()
        self._jobs.put(None)
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    # the lease, in its thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            begun = time.monotonic()
            try:
                pause = self._beat() if self.lease.epoch is not None else self._watch()
                if self.error is not None:
                    log.warning("the database answers again")
                self.error = None
            except StorageError as error:
                if self.error is None:
                    log.error("%s: tried again until it does", error)
                self.error = str(error)
                self.lease.blind()
                self._silence = 0.0
                pause = self.lease.seconds / TURNS
            except Exception:
                log.exception("the lease's thread goes on after a mistake in it")
                pause = self.lease.seconds / TURNS
            self._wake.wait(max(0.005, pause - (time.monotonic() - begun)))
        self._rows.close()

    def _beat(self) -> float:
        with self._lock:
            beat = self.lease.next_beat(clock.seconds())
        if beat is None:
            return 0.0
        before = time.time()
        answer = self._rows.beat(beat, self.url or "", self.incarnation)
        if answer is None:
            self.lost("another one has taken over", beat.epoch)
            return 0.0
        with self._lock:
            self.lease.beaten(beat, answer.others)
        self._measure(before, answer.clock)
        if answer.asked:
            why = "this server was asked to hand the machines over"
        elif self.url and abs(self.skew) >= SKEW_REFUSED and answer.others:
            why = (
                f"this computer's clock is {self.skew:.0f} s off the database's: another server is to own the machines"
            )
        else:
            return self.lease.seconds / TURNS
        if self._handover is None or not self._handover.is_alive():
            log.warning("%s", why)
            self._handover = threading.Thread(target=self._release_all, name="handover", daemon=True)
            self._handover.start()  # beats go on meanwhile
        return self.lease.seconds / TURNS

    def _watch(self) -> float:
        before = time.time()
        look = self._rows.look()
        now = clock.seconds()
        seen = look.seen
        self.lease.look(seen, now)
        self._measure(before, look.clock)
        self._last_owner = None if seen.released else seen.owner
        self._silence = silent = self.lease.silent(now)
        if silent >= self.lease.patience / 2 and self._prepared_for != (seen.epoch, seen.beat):
            self._prepared_for = (seen.epoch, seen.beat)
            self._jobs.put(self._get_ready)
        may_own = self._may_own(now, look.steps, seen)  # at each look: readyz says what is so now
        if (wanted := self.lease.may_take(now, gone=self._is_gone(seen, silent))) and may_own:
            self._take_over(wanted)
            return 0.0
        left = self.lease.patience - silent
        pause = min(self.lease.seconds / TURNS, LOOK_SECONDS)
        return min(pause, left) if left > 0 else pause

    def _take_over(self, wanted: Seen) -> None:
        sent = clock.seconds()
        self._last_owner = None  # whatever the answer is: a reader is not to be sent to whom this one follows
        epoch = self._rows.take(wanted, self.url or "", self.incarnation, self.lease.seconds, self._last_epoch)
        if epoch is None:
            return
        self._last_epoch = epoch
        with self._lock:
            self.lease.taken(epoch, sent)
        log.warning("this server owns the machines now: epoch %d", epoch)
        self._jobs.put(lambda: self._build(epoch))

    def _may_own(self, now: float, steps: frozenset[str], seen: Seen) -> bool:
        why: str | None = None
        if self.membership.claimed:
            why = f"another server runs with its address {self.url}"
        elif self.url and abs(self.skew) >= SKEW_REFUSED:
            why = f"its clock is {self.skew:.0f} s off the database's: set it (timedatectl)"
        else:
            why = self._unfit(steps)
        self._unfit_because = why
        if self._why_not(why) and why:
            log.error("this server can't own the machines: %s", why)
        # Another node that hands over, and rests, must find somebody.
        wanted = seen.released and seen.incarnation != self.incarnation and self._resting_until < math.inf
        return why is None and (wanted or now >= self._resting_until) and not self._stopping.is_set()

    def _is_gone(self, seen: Seen, silent: float) -> bool:
        """Whether a lone owner's computer says that no server is there any more; asked once a lease."""
        if not seen.alone or not seen.owner or seen.owner == self.url or silent < self.lease.patience:
            return False
        now = clock.seconds()
        if self._asked_owner is None or self._asked_owner[0] != seen or now > self._asked_owner[1] + self.lease.seconds:
            gone = _refuses(seen.owner)
            self._asked_owner = (seen, now, gone)
            if not gone:
                log.warning("%s", _MAY_OWN_STILL.format(seen.owner))
        return self._asked_owner[2]

    def _claim_lease(self) -> None:
        first: Seen | None = None
        while True:
            self._watch()
            if self.lease.epoch is not None:
                return
            if self._unfit_because:
                raise StorageError(self._unfit_because)
            if self._asked_owner and not self._asked_owner[2]:
                raise DirectoryInUse(_MAY_OWN_STILL.format(self._asked_owner[0].owner), "unknown")
            look = self._rows.look().seen
            first = first or look
            if (look.epoch, look.beat) != (first.epoch, first.beat) and not look.released:
                whose = look.owner or "another server"
                raise in_use(
                    f"the database is in use by {whose}", "stop that server first, or set MAC_NODE_URL on both"
                )
            time.sleep(self.lease.seconds / TURNS / 2)

    def _measure(self, before: float, database_clock: float) -> None:
        took = time.time() - before
        if 0 <= took < 1:
            self.membership.skew = before + took / 2 - database_clock
            if self._skewed(abs(self.skew) >= SKEW_NOTED) and abs(self.skew) >= SKEW_NOTED:
                log.warning("this computer's clock is %.1f s off the database's: set it (timedatectl)", self.skew)

    # what an owner has, in its thread

    def _work(self) -> None:
        while job := self._jobs.get():
            try:
                job()
            except Exception:
                log.exception("the thread of the ownership goes on after a mistake in it")

    def _get_ready(self) -> None:
        try:
            self._prepare()
        except StorageError as error:
            log.warning("%s: a takeover may take longer", error)

    def _build(self, epoch: int) -> None:
        """Build what an owner is; where that fails, let another node try."""
        try:
            self._take(epoch, self.incarnation)
        except Exception as error:
            if not isinstance(error, MacError):
                log.exception("building what an owner has failed")
            why = str(error) if isinstance(error, MacError) else "it could not be built"
            log.error("this server can't own the machines: %s", why)
            self.release(epoch=epoch)


def _refuses(url: str) -> bool:
    """Whether the computer at ``url`` is there, and no server on it."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=0.5):
            return False
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
