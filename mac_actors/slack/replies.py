"""How the bot answers: in the channel, to one person alone, or at the address that came with an interaction."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from slack_sdk import WebClient

from mac_actors.slack import answers, notices
from mac_actors.slack.gateway import (
    ANSWER_PATIENCE_SECONDS,
    EPHEMERAL,
    PLAIN,
    SlackChat,
    answer_url,
    call_quietly,
)


class Replies:
    """Gives answers; one that Slack does not take is logged. Nothing is waited for once ``stopping`` is set."""

    def __init__(self, client: WebClient, control: str, stopping: threading.Event) -> None:
        self._client = client
        self._control = control
        self._stopping = stopping

    def post(self, texts: Sequence[str], channel: str, thread: str | None) -> None:
        """Post an answer; what does not fit into one post follows in the first one's thread, at Slack's pace."""
        for number, text in enumerate(texts):
            if number and self._stopping.wait(SlackChat.seconds_per_post):
                return
            post = {"channel": channel, "thread_ts": thread, "text": text, **PLAIN}
            posted = call_quietly(self._client.chat_postMessage, self._stopping.wait, ANSWER_PATIENCE_SECONDS, **post)
            if not posted:
                return
            thread = thread or posted.get("ts")

    def whisper(self, channel: str, user: str, text: str, thread: str | None = None) -> None:
        """Answer so that only this user sees it."""
        call_quietly(
            self._client.chat_postEphemeral,
            channel=channel,
            user=user,
            thread_ts=thread,
            text=text,
            blocks=[notices.section(text)],
            **EPHEMERAL,
        )

    def change(self, channel: str, post: str, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        """Have a post say something else; ``text`` is escaped."""
        call_quietly(
            self._client.chat_update,
            self._stopping.wait,
            ANSWER_PATIENCE_SECONDS,
            channel=channel,
            ts=post,
            text=notices.shorten(text),
            blocks=blocks,
            **EPHEMERAL,
        )

    def respond(self, body: dict[str, Any], text: str) -> None:
        """Answer an interaction: by its own address, which works also where bot or user are no members."""
        url = body.get("response_url")
        if not (url and call_quietly(answer_url, url=str(url), text=text)):
            self.whisper(*self._asker(body), text)

    def apologize(self, body: dict[str, Any]) -> None:
        """Tell whoever used a command, button or modal that the server made a mistake with it."""
        self.whisper(*self._asker(body), answers.MISTAKE)

    def _asker(self, body: dict[str, Any]) -> tuple[str, str]:
        """Return the channel and the user of a payload; a modal names no channel, and is of the control channel."""
        payload = body.get("event") or body
        channel = payload.get("channel_id") or payload.get("channel") or self._control
        user = payload.get("user_id") or payload.get("user")
        channel, user = (value["id"] if isinstance(value, dict) else str(value) for value in (channel, user))
        return channel, user
