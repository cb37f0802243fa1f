"""Nothing goes out to people by a server that may not be the owner any more: the lease is looked at before each post.

What waits stays in the outbox: the next owner posts it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mac_actors.actors.notifier import Chat
from mac_actors.actors.webhooks import Send
from mac_actors.core.config import WebhookConfig
from mac_actors.core.notices import Standing, ThreadKey
from mac_actors.errors import ChatError
from mac_actors.storage.records import Waiting

DEFERRED = "another server is taking over, and posts them"

AGAIN_SECONDS = 1.0
"""After so long a post is tried again: the lease may be valid again by then."""


class GuardedChat:
    """A chat that takes nothing while ``holds`` says that this server does not own the machines."""

    def __init__(self, chat: Chat, holds: Callable[[], bool]) -> None:
        self._chat = chat
        self._holds = holds
        self.seconds_per_post = chat.seconds_per_post

    def post(self, channel: str, notices: Sequence[Waiting], thread: str | None) -> str | None:
        """Post, as the chat does."""
        _check(self._holds)
        return self._chat.post(channel, notices, thread)

    def show(self, channel: str, post: str, text: str, key: ThreadKey, shown: Standing) -> None:
        """Change a post, as the chat does."""
        _check(self._holds)
        self._chat.show(channel, post, text, key, shown)


def guarded(send: Send, holds: Callable[[], bool]) -> Send:
    """Return what sends to webhooks as ``send`` does, and nothing while ``holds`` says so."""

    def send_as_owner(webhook: WebhookConfig, event_id: str, body: bytes) -> object:
        _check(holds)
        return send(webhook, event_id, body)

    return send_as_owner


def _check(holds: Callable[[], bool]) -> None:
    if holds():
        raise ChatError(DEFERRED, AGAIN_SECONDS)
