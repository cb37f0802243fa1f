"""Webhooks: an actor for each sends its events out of the outbox, signed, until its receiver has taken them.

In the order in which they happened at each machine. A receiver that can't be reached is tried again, later and later;
an event that it refuses holds up the others of its machine alone. What was not taken for three days is given up, by a
process that has tried for an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from mac_actors.actors.journal import Journal
from mac_actors.actors.outlet import Outlet, log
from mac_actors.actors.replies import Latch
from mac_actors.actors.runtime import wait_for_ends
from mac_actors.core.backoff import Backoff
from mac_actors.core.config import WEBHOOK_CHANNEL, WebhookConfig
from mac_actors.core.events import event_fields
from mac_actors.core.notices import Notice
from mac_actors.core.outcomes import Outcome, kind
from mac_actors.core.text import count
from mac_actors.errors import ChatError, EventRefused, StorageError
from mac_actors.storage.records import Due, Entry, Record

FIRST_RETRY, LAST_RETRY, JITTER = 1.0, 60.0, 0.25
"""Seconds until what was not taken is sent again: doubled from the first to the last, give or take a quarter."""

GIVEN_UP_AFTER = timedelta(days=3)

TRIED_SECONDS = 3600.0
"""For so long must this process have tried in vain before it gives anything up: server or network may have been away
for these days, or a clock wrong.
"""

Send = Callable[[WebhookConfig, str, bytes], object]
"""Sends a webhook the event of this id and body. Raises :class:`ChatError`, or :class:`EventRefused`."""


class Webhooks:
    """All webhooks. ``say`` posts a line to the control channel."""

    def __init__(self, send: Send, journal: Journal, say: Callable[[str], None]) -> None:
        self.notifiers: dict[str, WebhookNotifier] = {}
        """The actors, by the channel of the outbox."""
        self._send = send
        self._journal = journal
        self._say = say

    def configure(self, webhooks: Mapping[str, WebhookConfig]) -> None:
        """Have these webhooks, and no others. What waits for one that there was before is dropped."""
        by_channel = {one.channel: one for one in webhooks.values()}
        notifiers = {}
        for channel, webhook in by_channel.items():
            known = self.notifiers.get(channel)
            if known is None or known.webhook != webhook:
                new = WebhookNotifier(webhook, self._send, self._journal, self._say)
                if known is not None:  # what is counted of it goes on
                    new.posted, new.retried, new.given_up = known.posted, known.retried, known.given_up
                known = new
            notifiers[channel] = known
        for channel, one in self.notifiers.items():
            if notifiers.get(channel) is not one:
                one.stop()
        self.notifiers = notifiers  # replaced, never changed: others iterate
        for channel, (number, _) in self._journal.store.waiting_by_channel().items():
            if channel.startswith(WEBHOOK_CHANNEL) and channel not in notifiers:
                log.warning("the %s is no longer configured: %s for it dropped", channel, count(number, "event"))
                self._journal.record(Record(sent=self._journal.store.waiting_ids(channel)))

    def notices(self, outcome: Outcome) -> tuple[Notice, ...]:
        """Return what is to be put into the outbox for an outcome."""
        return tuple(Notice(c, "") for c, one in self.notifiers.items() if kind(outcome) in one.webhook.kinds)

    def wake(self) -> None:
        """Have the actors look at the outbox. Never blocks."""
        for notifier in self.notifiers.values():
            notifier.wake()

    def close(self, timeout: float = 1.5) -> None:
        """Stop after what is under way, which is waited for, ``timeout`` seconds at the most."""
        wait_for_ends([notifier.stop() for notifier in self.notifiers.values()], timeout)


class WebhookNotifier(Outlet):
    """The way to one webhook's actor, for any thread. What waits is in the outbox, on disk."""

    def __init__(self, webhook: WebhookConfig, send: Send, journal: Journal, say: Callable[[str], None]) -> None:
        self.webhook = webhook
        self._send = send
        self._journal = journal
        self._say = say
        self._said = False  # that events are given up
        self._sent: dict[int, Latch] = {}  # taken; their rows may still be in the outbox
        self._held: dict[str, tuple[float, Backoff]] = {}  # until when nothing is sent of a machine
        self._in_vain: dict[str | None, float] = {}  # since when nothing of a machine is taken, or (None) of any
        self._backoff = Backoff(FIRST_RETRY, LAST_RETRY, JITTER)
        super().__init__(f"{webhook.channel} notifier", webhook.channel)

    def drain(self) -> None:
        """Send until nothing waits, but what its receiver has refused."""
        while not self._stopping.is_set():
            try:
                self._send_all()
            except (ChatError, StorageError) as error:
                self._complain(error)
                if isinstance(error, ChatError):
                    self._give_up_old(error)
                wanted = getattr(error, "retry_after", None)
                self._stopping.wait(self._backoff.next() if wanted is None else wanted)
                continue
            if self._held:
                self.wake_after(max(0.05, min(until for until, _ in self._held.values()) - time.monotonic()))
            return

    def _send_all(self) -> None:
        self._sent = {number: latch for number, latch in self._sent.items() if not latch.wait(0)}
        now, after = time.monotonic(), 0
        held = {machine for machine, (until, _) in self._held.items() if until > now}
        # A machine that becomes free meanwhile waits for the next round: what it was held for comes first.
        while due := self._journal.store.due(self.webhook.channel, after, held):
            for event in due:
                if self._stopping.is_set():
                    return
                if event.id not in self._sent and event.machine not in held and not self._deliver(event):
                    held.add(event.machine)
            after = due[-1].id

    def _deliver(self, event: Due) -> bool:
        """Send an event; whether that is done with."""
        webhook = self.webhook
        if event.entry is not None:
            body = to_json(event_fields(event.entry.id, event.entry.outcome, names=webhook.names))
            try:
                self._send(webhook, event_id(event.entry), body)
            except EventRefused as error:
                self._in_vain.pop(None, None)
                if self._has_tried(event.machine) and datetime.now(UTC) - event.at > GIVEN_UP_AFTER:
                    self._give_up((event.id,), error)
                    return True
                self._complain(error)
                _, backoff = self._held.get(event.machine) or (0, Backoff(FIRST_RETRY, LAST_RETRY, JITTER))
                self._held[event.machine] = (time.monotonic() + backoff.next(), backoff)
                return False
            self.posted += 1
            for what in (event.machine, None):
                self._in_vain.pop(what, None)
        self._said = False
        self._held.pop(event.machine, None)
        if not self._held:
            self._well()
        self._backoff.reset()
        self._sent[event.id] = self._journal.record(Record(sent=(event.id,)))
        return True

    def _has_tried(self, what: str | None) -> bool:
        """Whether this process has tried in vain for long enough to give something up."""
        now = time.monotonic()
        return now - self._in_vain.setdefault(what, now) >= TRIED_SECONDS

    def _give_up_old(self, error: ChatError) -> None:
        if not self._has_tried(None):
            return
        before = datetime.now(UTC) - GIVEN_UP_AFTER
        try:
            self._give_up(self._journal.store.waiting_ids(self.webhook.channel, before), error)
        except StorageError as trouble:
            log.warning("events for the %s are given up later: %s", self.label, trouble)

    def _give_up(self, numbers: tuple[int, ...], error: ChatError) -> None:
        numbers = tuple(number for number in numbers if number not in self._sent)
        if not numbers:
            return
        latch = self._journal.record(Record(sent=numbers))
        self._sent |= dict.fromkeys(numbers, latch)
        self.given_up += len(numbers)
        if not self._said:
            self._say(
                f"The {self.label} has not taken events for 3 days ({error}): they are given up "
                f"({count(len(numbers), 'event')} now), and so is what comes to be so old. The journal has all."
            )
        self._said = True


def event_id(entry: Entry) -> str:
    """Return what stays the same however often an event is sent, and is no other's, also after a restore."""
    return f"event_{entry.id}_{entry.outcome.at:%Y%m%dT%H%M%S%f}"
