"""All notifiers: one for each channel, and one for all direct messages."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from mac_actors.actors.journal import Journal
from mac_actors.actors.notifier import (
    FIRST_RETRY,
    JITTER,
    LAST_RETRY,
    ChannelNotifier,
    Chat,
)
from mac_actors.actors.runtime import wait_for_ends
from mac_actors.core.backoff import Backoff
from mac_actors.core.changed import Changed
from mac_actors.core.notices import Channel, ThreadKey
from mac_actors.errors import ChatError, StorageError
from mac_actors.storage.outbox import addresses, direct_messages
from mac_actors.storage.records import Record, Waiting

log = logging.getLogger(__name__)

REFUSED_SECONDS = 600.0
"""How long a member to whom Slack takes no direct message is left alone before the next try."""

GIVEN_UP_AFTER = timedelta(days=1)
"""How old a direct message may be: then it is no news any more."""

AT_ONCE = 100
"""Direct messages that are looked at at once."""


class Notifier:
    """All channels of the chat, by address; direct messages are one of them."""

    def __init__(self, chat: Chat, journal: Journal) -> None:
        self._chat = chat
        self._journal = journal
        self.channels: dict[str, ChannelNotifier] = {}  # the first one may look there before the others are made
        self.channels = {
            Channel.CONTROL: ChannelNotifier(Channel.CONTROL, chat, journal),
            Channel.OOPS: ChannelNotifier(Channel.OOPS, chat, journal, self._stale),
            Channel.DIRECT: DirectNotifier(Channel.DIRECT, chat, journal),
        }
        self._add(addresses(journal.store))

    def configure(self, own: Iterable[str]) -> None:
        """Take notices for machines with oops channels of their own at these addresses, from now on."""
        used = {*Channel, *own}
        self._add(used)
        for address, channel_notifier in self.channels.items():
            channel_notifier.retired = address not in used
            channel_notifier.wake()

    def _add(self, found: Iterable[str]) -> None:
        own = f"{Channel.OOPS}:"
        new = {address for address in found if address.startswith(own)} - self.channels.keys()
        # a dict of its own: other threads look through it
        made = {address: ChannelNotifier(address, self._chat, self._journal, self._stale) for address in sorted(new)}
        self.channels = self.channels | made

    def _stale(self, channel: ChannelNotifier, keys: tuple[ThreadKey, ...]) -> None:
        """Tell the other oops channels: a machine may have had another one when its oops or lock began."""
        for address, other in self.channels.items():
            if other is not channel and address.startswith(Channel.OOPS):
                other.look_at(keys)

    def wake(self) -> None:
        """Have the actors look at the outbox. Never blocks."""
        for channel_notifier in self.channels.values():
            channel_notifier.wake()

    def say_now(self, text: str) -> None:
        """Post to the control channel without going over the disk: for what is said about the disk itself."""
        self.channels[Channel.CONTROL].say_now(text)

    def troubles(self) -> dict[str, str]:
        """Return, by channel, why posts are refused at the moment."""
        return {one.label: one.error for one in self.channels.values() if one.error}

    def close(self, timeout: float = 1.5) -> None:
        """Stop after the posts under way, which are waited for, ``timeout`` seconds at the most. What is still in the
        outbox is posted after the next start.
        """
        wait_for_ends([channel_notifier.stop() for channel_notifier in self.channels.values()], timeout)


class DirectNotifier(ChannelNotifier):
    """Sends direct messages: one that can't be sent holds up no other, and is given up after a day."""

    def __init__(self, channel: str, chat: Chat, journal: Journal) -> None:
        self._sent: set[int] = set()  # their rows may still be in the outbox
        self._refused: dict[str, float] = {}
        self._refusal = Changed(None)
        super().__init__(channel, chat, journal)

    def drain(self) -> None:
        """Send what can be sent."""
        backoff = Backoff(FIRST_RETRY, LAST_RETRY, JITTER)
        while not self._stopping.is_set():
            try:
                waits = self._send_all()
            except (ChatError, StorageError) as error:
                self._complain(error)
                delay, wanted = backoff.next(), error.retry_after if isinstance(error, ChatError) else None
                self._stopping.wait(delay if wanted is None else wanted)
                continue
            self.failing_since = None
            if not waits:
                self.error = None
            else:
                self.wake_after(REFUSED_SECONDS)
            return

    def _send_all(self) -> bool:
        """Send one after the other; whether some that were refused are left."""
        left, after = False, 0
        sent = frozenset(self._sent)  # before looking: a row that goes meanwhile was sent, too
        while waiting := direct_messages(self._journal.store, after, AT_ONCE):
            after = waiting[-1].id
            for notice in waiting:
                if notice.id in sent:
                    continue
                if datetime.now(UTC) - notice.at > GIVEN_UP_AFTER:
                    log.warning("a direct message of %s could not be sent for a day, and is given up", notice.at)
                    self._drop(notice)
                elif time.monotonic() < self._refused.get(notice.channel, 0.0):
                    left = True
                elif self._stopping.wait(self._rate_limiter.delay()):
                    return left
                else:
                    left = not self._send(notice) or left
        return left

    def _send(self, notice: Waiting) -> bool:
        """Send one; whether it is done with. Raises :class:`ChatError` for what is not about this member alone."""
        try:
            self._chat.post(notice.channel, [notice], None)
        except ChatError as error:
            if not error.lasting:
                raise
            self.retried += 1
            self.error = str(error)
            if self._refusal(self.error):
                log.error("a direct message can't be sent, and waits for a day at the most: %s", error)
            self._refused[notice.channel] = time.monotonic() + REFUSED_SECONDS
            return False
        self.posted += 1
        self._refused.pop(notice.channel, None)
        self._drop(notice)
        return True

    def _drop(self, notice: Waiting) -> None:
        self._sent.add(notice.id)
        self._journal.record(Record(sent=(notice.id,))).then(lambda: self._sent.discard(notice.id))
