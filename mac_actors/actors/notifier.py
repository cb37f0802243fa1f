"""The notifier: takes notices out of the outbox and into the chat, in order, paced, tried again until taken.

One actor for each channel, so that a channel which refuses does not hold up the others (:mod:`.notifiers`). A notice
leaves the outbox only when the chat has taken it; a kill in between repeats it, and never loses it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from mac_actors.actors.journal import Journal
from mac_actors.actors.outlet import Outlet
from mac_actors.actors.replies import Latch
from mac_actors.core.backoff import Backoff
from mac_actors.core.notices import Channel, Standing, ThreadKey, channel_of, standing, text_in
from mac_actors.core.state import MachineState
from mac_actors.errors import ChatError, StorageError
from mac_actors.storage.outbox import due_notices, next_due
from mac_actors.storage.records import Record, Thread, Waiting

log = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY, JITTER = 0.5, 15.0, 0.25
"""Seconds until a refused post is tried again: doubled from the first to the last, give or take a quarter."""

BURST = 5
"""Posts that may follow each other at once before the pace is kept."""

SLOWER = 2.5
"""By so much the pace of changes to posts is slower: Slack counts those of both channels together."""

BUNDLE_FROM = 30
"""With so many waiting, several go into one post."""

BUNDLE_AFTER = timedelta(seconds=10)
"""More than a burst of them go into one post, too, once the oldest has waited this long."""

BUNDLED = 100
"""Held notices that are looked at at once."""

BUNDLE_CHARACTERS = 3500
"""Length of a post that holds several notices: below the 4,000 that Slack shows well."""


class Chat(Protocol):
    """Where notices are posted."""

    seconds_per_post: float
    """The pace that the chat asks for, in each channel."""

    def post(self, channel: str, notices: Sequence[Waiting], thread: str | None) -> str | None:
        """Post one notice, or several as one post; returns what a thread on it is begun with.

        Raises :class:`ChatError` when the post was not taken, or may not have been.
        """

    def show(self, channel: str, post: str, text: str, key: ThreadKey, shown: Standing) -> None:
        """Have a post of one notice, whose ``text`` this is, show how its matter stands.

        Raises :class:`ChatError` when it may be taken later.
        """


class PrintedChat:
    """A chat that prints: what the demo shows instead of Slack."""

    seconds_per_post = 0.0

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write

    def post(self, channel: str, notices: Sequence[Waiting], thread: str | None) -> None:
        """Print the notices with time, and the channel or the account of the member."""
        del thread
        kind, rest = channel_of(channel)
        where = f"to {rest.removeprefix('@')}" if kind is Channel.DIRECT else f"{channel} channel"
        for notice in notices:
            self._write(f"{notice.at.astimezone():%H:%M:%S}  [{where}]  {notice.text}")

    def show(self, channel: str, post: str, text: str, key: ThreadKey, shown: Standing) -> None:
        """Do nothing: what is printed stays."""


class ChannelNotifier(Outlet):
    """The way to one channel's actor, for any thread. What waits is in the outbox, on disk.

    ``channel`` is the address of its notices. ``stale`` is called with the threads whose first posts are to be looked
    at, in other channels too.
    """

    def __init__(
        self,
        channel: str,
        chat: Chat,
        journal: Journal,
        stale: Callable[[ChannelNotifier, tuple[ThreadKey, ...]], None] = lambda channel, keys: None,
    ) -> None:
        self.channel = channel
        self.retired = False
        """Whether no machine has this channel any more: if it refuses for good, the oops channel gets what waits."""
        self._chat = chat
        self._journal = journal
        self._taken = 0  # id of the last notice that the chat took; its row may still be in the outbox
        self._taken_late: set[int] = set()  # the same of held ones
        self._tell_stale = stale
        self._at: str = channel  # where it posts
        self._urgent: deque[Waiting] = deque(maxlen=100)
        self._threads: dict[ThreadKey, Thread] = {}
        self._stale = dict.fromkeys(journal.store.unsettled(channel))  # whose posts are to be looked at, in order
        self._shown: dict[ThreadKey, Standing] = {}
        self._show_at = 0.0
        self._showing = Backoff(FIRST_RETRY, LAST_RETRY, JITTER)
        self._rate_limiter = RateLimiter(chat.seconds_per_post)
        self._update_limiter = RateLimiter(SLOWER * chat.seconds_per_post)
        of, _, own = channel.partition(":")
        super().__init__(f"{channel} notifier", f"{of} channel {own}".rstrip())

    def say_now(self, text: str) -> None:
        """Post a text that is in no outbox; at most the last 100 are kept."""
        self._urgent.append(Waiting(self.channel, text, id=0, at=datetime.now(UTC)))
        self.wake()

    def look_at(self, keys: tuple[ThreadKey, ...]) -> None:
        """Have the posts of these threads, if there are any, show how their matter stands."""
        self._stale |= dict.fromkeys(keys)
        self.wake()

    # for the actor alone

    def drain(self) -> None:
        """Post until nothing waits."""
        backoff = Backoff(FIRST_RETRY, LAST_RETRY, JITTER)
        while not self._stopping.is_set():
            if not self.retired:
                self._at = self.channel
            try:
                waiting = self._next()
                if not waiting:
                    if not self._show_one():
                        self._wake_when_due()
                        return
                    continue
                if self._stopping.wait(self._rate_limiter.delay()):
                    return
                self._post(waiting)
            except (ChatError, StorageError) as error:
                self._complain(error)
                if self.retired and isinstance(error, ChatError) and error.lasting:
                    self._at = Channel.OOPS
                delay, wanted = backoff.next(), error.retry_after if isinstance(error, ChatError) else None
                self._stopping.wait(delay if wanted is None else wanted)
                continue
            self._well()
            backoff.reset()

    def _show_one(self) -> bool:
        """Have one post show how its matter stands, when no notice waits; whether there is more to do now."""
        key = next(iter(self._stale), None)
        if key is None:
            return False
        if (early := self._show_at - time.monotonic()) > 0:
            return self._show_after(early)  # something else has woken it
        store, thread = self._journal.store, self._thread((key,))
        begun, cleared = store.story(key)
        state = store.load_state(key.machine)
        shown = standing(self.channel, key, state if isinstance(state, MachineState) else None, cleared)
        nothing_new = not (thread and thread.unsettled and begun) or shown == self._shown.get(key, Standing())
        if nothing_new or thread is None or begun is None or self._at != self.channel:
            del self._stale[key]
            return True
        try:
            self._chat.show(self.channel, thread.post, text_in(self.channel, begun), key, shown)
        except ChatError as error:
            log.debug("a post in the %s channel can't show yet how its matter stands: %s", self.channel, error)
            return self._show_after(self._showing.next() if error.retry_after is None else error.retry_after)
        self._shown[key] = shown
        if shown.over:
            del self._shown[key]
            self._remember([thread._replace(unsettled=False)])
        self._showing.reset()
        del self._stale[key]
        return self._show_after(self._update_limiter.delay())

    def _show_after(self, seconds: float) -> bool:
        """Go on in so many seconds; whether that is now. Notices don't wait for it."""
        if seconds <= 0:
            return True
        self._show_at = time.monotonic() + seconds
        self.wake_after(seconds)
        return False

    def _wake_when_due(self) -> None:
        """Look again when the next held notice is due, within a minute: the clock may be set."""
        if due := next_due(self._journal.store, self.channel):
            self.wake_after(min(60.0, max(0.05, (due - datetime.now(UTC)).total_seconds())))

    def _next(self) -> list[Waiting]:
        """Return what makes the next post."""
        if self._urgent:
            return [self._urgent[0]]
        store, now = self._journal.store, datetime.now(UTC)
        taken = frozenset(self._taken_late)  # before looking: a row that goes meanwhile is taken, too
        waiting = store.waiting(self.channel, after=self._taken, limit=2 * BUNDLE_FROM)
        # after it: a held one that comes before one of these is found
        held = due_notices(store, self.channel, now, limit=len(taken) + BUNDLED)
        lines, flags = ([notice for notice in found if notice.id not in taken] for found in held)
        if lines:
            return _bundle(lines)
        waiting = sorted(flags + waiting, key=lambda notice: notice.id)
        if len(waiting) <= BURST:
            return waiting[:1]
        if len(waiting) < BUNDLE_FROM and now - (waiting[0].due or waiting[0].at) < BUNDLE_AFTER:
            return waiting[:1]
        return _bundle(waiting)

    def _post(self, waiting: list[Waiting]) -> None:
        alone = len(waiting) == 1
        thread = self._thread(waiting[0].closes or waiting[0].within) if alone else None
        root = thread and thread.begins if self._at == self.channel else None
        post = self._chat.post(self._at, waiting, root)
        self.posted += len(waiting)
        if waiting[0].id == 0:  # said at once; gone already if there was a flood of them
            with contextlib.suppress(ValueError):
                self._urgent.remove(waiting[0])
            return
        sent = tuple(n.id for n in waiting)
        self._taken = max((n.id for n in waiting if n.due is None), default=self._taken)
        self._taken_late.update(n.id for n in waiting if n.due)
        opened = [Thread(n.opens, self._at, post, alone, root) for n in waiting if n.opens and post]
        self._remember(opened, sent).then(lambda: self._taken_late.difference_update(sent))
        if stale := tuple(key for n in waiting for key in (*n.closes, *n.within)):
            self._stale |= dict.fromkeys(stale)
            self._tell_stale(self, stale)

    def _remember(self, threads: list[Thread], sent: tuple[int, ...] = ()) -> Latch:
        self._threads.update((thread.key, thread) for thread in threads if thread.channel == self.channel)
        while len(self._threads) > 1000:
            del self._threads[next(iter(self._threads))]  # older ones are found in the store
        return self._journal.record(Record(sent=sent, threads=tuple(threads)))

    def _thread(self, keys: Sequence[ThreadKey]) -> Thread | None:
        """Return the oldest post among those that a notice belongs to."""
        for key in keys:
            thread = self._threads.get(key) or self._journal.store.thread(key, self.channel)
            if thread:
                return thread
        return None


def _bundle(waiting: list[Waiting]) -> list[Waiting]:
    """Return the first of them, as many as fit into one post."""
    size = 0
    for count, notice in enumerate(waiting):
        size += len(notice.text) + 25
        if size > BUNDLE_CHARACTERS:
            return waiting[: max(count, 1)]
    return waiting


class RateLimiter:
    """Lets a burst through, then one post each ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._free_at = -math.inf

    def delay(self) -> float:
        """Return how many seconds the next post must wait, and count it."""
        now = time.monotonic()
        self._free_at = max(self._free_at, now - (BURST - 1) * self._seconds) + self._seconds
        return max(0.0, self._free_at - self._seconds - now)
