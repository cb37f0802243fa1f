"""The notifier actor: takes notices out of the outbox and into the chat, in order, tried again until taken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

import pykka

from mac_actors.actors.journal import Journal, Wake
from mac_actors.actors.runtime import MacActor, Ping
from mac_actors.errors import ChatError, StorageError
from mac_actors.storage.store import Record, Waiting

log = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = 1.0, 30.0
"""Seconds until a refused post is tried again: doubled from the first to the last."""


class Chat(Protocol):
    """Where notices are posted."""

    def post(self, notice: Waiting) -> None:
        """Post one notice; raises :class:`ChatError` when it was not taken."""


class PrintedChat:
    """A chat that prints: what the demo shows instead of Slack."""

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write

    def post(self, notice: Waiting) -> None:
        """Print the notice with its time and channel."""
        self._write(f"{notice.at.astimezone():%H:%M:%S}  [{notice.channel} channel]  {notice.text}")


class Notifier:
    """The way to the notifier actor, for any thread. Survives the actor: what is in the outbox is on disk."""

    def __init__(self, chat: Chat, journal: Journal) -> None:
        self.chat = chat
        self.journal = journal
        self.error: str | None = None
        """Why the last post was refused; ``None`` while all is well."""
        self.stopping = threading.Event()
        self.taken = 0
        """Id of the last notice that the chat took (its row may still be on its way out)."""
        self._woken = threading.Event()
        self.ref: pykka.ActorRef[NotifierActor] = NotifierActor.start(self)
        self.wake()

    def wake(self) -> None:
        """Have the actor look at the outbox. Never blocks."""
        if not self._woken.is_set():
            self._woken.set()
            try:
                self.ref.tell(Wake())
            except pykka.ActorDeadError:
                self._woken.clear()

    def restart(self) -> None:
        """Start a new actor; for the fleet, when the old one is dead."""
        self._woken.clear()
        self.ref = NotifierActor.start(self)
        self.wake()

    def close(self) -> None:
        """Stop after the post under way. What is still in the outbox is posted after the next start."""
        self.stopping.set()
        self.ref.stop(block=False)

    def drain(self) -> None:
        """Post until the outbox is empty; for the actor alone."""
        retry = FIRST_RETRY
        while not self.stopping.is_set():
            self._woken.clear()
            try:
                batch = self.journal.store.waiting(after=self.taken)
                if not batch:
                    return
                for notice in batch:
                    if self.stopping.is_set():
                        return
                    self.chat.post(notice)
                    self.taken = notice.id
                    self.journal.record(Record(sent=(notice.id,)))
            except (ChatError, StorageError) as error:
                if self.error is None:
                    log.error("notices wait in the outbox: %s", error)
                self.error = str(error)
                wanted = getattr(error, "retry_after", None)
                self.stopping.wait(wanted if wanted is not None else retry)
                retry = min(retry * 2, LAST_RETRY)
                continue
            if self.error is not None:
                log.warning("notices are taken again")
            self.error, retry = None, FIRST_RETRY


class NotifierActor(MacActor):
    """Drains the outbox whenever it is told to."""

    def __init__(self, notifier: Notifier) -> None:
        super().__init__()
        self._notifier = notifier

    def on_receive(self, message: Any) -> None:
        """Post what waits."""
        if isinstance(message, Ping):
            return
        self._notifier.drain()
