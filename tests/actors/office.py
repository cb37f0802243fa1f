"""A notifier beside its store, and a chat that keeps what it took."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from mac_actors.actors.journal import Journal
from mac_actors.actors.notifier import (
    ChannelNotifier,
)
from mac_actors.actors.notifiers import Notifier
from mac_actors.core.notices import Channel, Notice, Standing, ThreadKey
from mac_actors.storage.records import Record, Waiting
from mac_actors.storage.store import Store
from tests.fakes import PATIENCE, wait_until

CONTROL, OOPS = Channel.CONTROL, Channel.OOPS


class FakeChat:
    """A chat that notes what it took, and refuses what it is told to refuse."""

    def __init__(self, seconds_per_post: float = 0.0) -> None:
        self.seconds_per_post = seconds_per_post
        self.posts: list[tuple[str, tuple[str, ...], str | None]] = []
        self.tries = 0
        self.errors: dict[str, list[Exception]] = {channel: [] for channel in Channel}
        """Raised first, one a try."""
        self.refusing: dict[str, Exception] = {}
        """Raised until it is taken away."""
        self.open = threading.Event()
        """Closed: whoever posts hangs."""
        self.open.set()
        self.entered = threading.Event()
        self.before: Callable[[Sequence[Waiting]], None] = lambda notices: None
        self._changed = threading.Condition()

    def post(self, channel: str, notices: Sequence[Waiting], thread: str | None) -> str | None:
        """Take notices, or refuse."""
        self.entered.set()
        assert self.open.wait(PATIENCE)
        self.before(notices)
        with self._changed:
            self.tries += 1
            self._changed.notify_all()
            if self.errors[channel]:
                raise self.errors[channel].pop(0)
            if channel in self.refusing:
                raise self.refusing[channel]
            assert {notice.channel for notice in notices} == {channel}
            self.posts.append((channel, tuple(notice.text for notice in notices), thread))
            return f"{channel} post {len(self.posts)}"

    def show(self, channel: str, post: str, text: str, key: ThreadKey, shown: Standing) -> None:
        """Keep nothing: posts stay as they were taken."""

    def texts(self, channel: Channel = CONTROL) -> list[str]:
        """Every notice of a channel, in the order in which they were taken."""
        with self._changed:
            return [text for where, texts, _ in self.posts if where == channel for text in texts]

    def wait_for(self, count: int, channel: Channel = CONTROL) -> list[str]:
        """The same, once there are ``count``."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.texts(channel)) >= count, PATIENCE), self.posts
            return self.texts(channel)

    def wait_for_tries(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.tries >= count, PATIENCE), self.tries


class NoWaiting(threading.Event):
    """Notes for how long one would have waited, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Note the time."""
        self.waits.append(timeout or 0.0)
        return self.is_set()


def thread_key(machine: str) -> ThreadKey:
    """Return the key of an oops of a machine."""
    return ThreadKey(machine, "oops", datetime(2026, 11, 24, 18, tzinfo=UTC))


class Office:
    """A journal on disk and a notifier on it."""

    def __init__(self, store: Store, chat: FakeChat) -> None:
        self.store = store
        self.chat = chat
        self.journal = Journal(store)
        self.notifier = Notifier(chat, self.journal)
        self.journal.on_commit = self.notifier.wake

    def channel_notifier(self, channel: Channel = CONTROL) -> ChannelNotifier:
        return self.notifier.channels[channel]

    def write(
        self,
        *texts: str,
        channel: Channel = CONTROL,
        opens: str | None = None,
        closes: tuple[str, ...] = (),
        within: tuple[str, ...] = (),
        at: datetime | None = None,
    ) -> None:
        """Put notices into the outbox, in one transaction; back when they are there."""
        key, ends, inside = thread_key(opens) if opens else None, map(thread_key, closes), map(thread_key, within)
        threads = (key, tuple(ends), tuple(inside))
        notices = tuple((at or datetime.now(UTC), Notice(channel, text, *threads)) for text in texts)
        assert self.journal.record(Record(notices=notices)).wait(PATIENCE)

    def empty(self) -> None:
        """Wait until the outbox is empty."""
        wait_until(lambda: self.store.count_waiting()[0] == 0)

    def close(self) -> None:
        self.chat.open.set()
        self.notifier.close()
        wait_until(
            lambda: not any(channel_notifier.ref.is_alive() for channel_notifier in self.notifier.channels.values())
        )
        self.journal.close()
        wait_until(lambda: not self.journal.ref.is_alive())
        self.store.close()
