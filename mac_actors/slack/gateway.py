"""The few Web API calls that the server makes, and what Slack's refusals mean."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from mac_actors.core.notices import Channel
from mac_actors.errors import ChatError
from mac_actors.settings import SlackSettings
from mac_actors.slack.notices import notice_blocks, notice_text
from mac_actors.storage.records import Waiting

log = logging.getLogger(__name__)

T = TypeVar("T")

TIMEOUT_SECONDS = 5
"""How long one call may take. Slack usually answers within 0.3 s."""

LASTING_RETRY_SECONDS = 30.0
"""How often a channel that refuses for good is tried again, so that it is picked up once mended."""

_COPY = "copy the Bot User OAuth Token to SLACK_BOT_TOKEN, and restart the server"

PATIENCE_SECONDS = 5.0
"""How long what only one person sees waits when Slack's rate limit asks for it."""

ANSWER_PATIENCE_SECONDS = 60.0
"""How long each post of an answer waits when Slack's rate limit asks for it."""

REMEDIES = {
    "invalid_auth": f"the bot token is not valid: {_COPY}",
    "not_authed": f"the bot token is not valid: {_COPY}",
    "account_inactive": f"the app was removed from the workspace: install it again, {_COPY}",
    "token_revoked": f"the bot token was revoked: install the app again, {_COPY}",
    "token_expired": f"the bot token has expired: install the app again, {_COPY}",
    "channel_not_found": "there is no such channel, or it is private and the bot is not in it: "
    "correct the channel's id, or invite the bot there by mentioning it",
    "not_in_channel": "the bot is not in the channel: invite it there by mentioning it",
    "is_archived": "the channel is archived: unarchive it, or set another one",
    "missing_scope": "the app lacks a scope: add those of etc/slack-manifest.yaml, and install the app again",
    "restricted_action": "the workspace does not let the app post there: an owner of the workspace can allow it",
}
"""What to do about Slack's lasting refusals."""

_TOO_MUCH = frozenset({"msg_too_long", "invalid_blocks", "invalid_blocks_format", "no_text", "msg_blocks_too_long"})

PLAIN = {"mrkdwn": False, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
"""How every text is posted: as it is, with nothing in it made into a link or a mention."""

EPHEMERAL = {"parse": "none", "link_names": False}
"""The same for what one user alone sees."""


def make_client(settings: SlackSettings) -> WebClient:
    """Return a client that never tries again by itself: a post whose answer was cut would be there twice."""
    base = (settings.api_url or WebClient.BASE_URL).rstrip("/") + "/"
    return WebClient(token=settings.bot_token, base_url=base, timeout=TIMEOUT_SECONDS, retry_handlers=[])


def explain(error: Exception) -> ChatError:
    """Turn what the SDK raised into a :class:`ChatError` that says what to do and when to try again."""
    if not isinstance(error, SlackApiError):
        return ChatError(f"Slack can't be reached ({error})")
    response: Any = error.response
    if _is_rate_limit(error):
        return ChatError("Slack asks to wait (rate limit)", _retry_after(response))
    try:
        code = str(response["error"])
    except (KeyError, TypeError, ValueError, AttributeError):
        code = ""
    if code in REMEDIES:
        return ChatError(f"{code}: {REMEDIES[code]}", LASTING_RETRY_SECONDS)
    if re.fullmatch(r"[a-z_]{1,60}", code):
        return ChatError(f"Slack answered {code}")
    return ChatError(f"Slack answered with status {getattr(response, 'status_code', 'unknown')}")


def _retry_after(response: Any) -> float:
    headers = {str(k).lower(): v for k, v in dict(response.headers).items()}
    value = headers.get("retry-after", "")
    value = value[0] if isinstance(value, list) and value else value
    try:
        return min(max(float(value), 0.0), 300.0)
    except (TypeError, ValueError):
        return LASTING_RETRY_SECONDS


class SlackChat:
    """The notifier's way to Slack."""

    seconds_per_post = 1.0

    def __init__(self, client: WebClient, settings: SlackSettings) -> None:
        self._client = client
        self._ids = {Channel.CONTROL: settings.control_channel, Channel.OOPS: settings.oops_channel}

    def post(self, channel: Channel, notices: Sequence[Waiting], thread: str | None) -> str | None:
        """Post notices; in a thread also to the channel. Returns the post's ``ts``. Raises :class:`ChatError`."""
        text = notice_text(notices, datetime.now(UTC))
        arguments: dict[str, Any] = {"blocks": notice_blocks(channel, notices, text)}
        if thread:
            arguments |= {"thread_ts": thread, "reply_broadcast": True}
        try:
            try:
                return self._post(channel, text, arguments)
            except SlackApiError as error:
                code = error.response.get("error") if hasattr(error.response, "get") else None
                if code not in _TOO_MUCH and not (thread and code in {"thread_not_found", "cannot_reply_to_message"}):
                    raise
                # A notice that Slack can't take as it is must not hold up all others: as plainly as can be, then.
                log.warning("Slack answered %s to a notice; it is posted without thread and blocks", code)
                return self._post(channel, text[:3900], {})
        except (SlackApiError, OSError, ValueError) as error:
            raise explain(error) from error

    def _post(self, channel: Channel, text: str, arguments: dict[str, Any]) -> str | None:
        call: Callable[..., SlackResponse] = self._client.chat_postMessage
        response = call(channel=self._ids[channel], text=text, **PLAIN, **arguments)
        posted: str | None = response.get("ts")
        return posted


def call_quietly(
    call: Callable[..., T],
    wait: Callable[[float], object] = time.sleep,
    patience: float = PATIENCE_SECONDS,
    /,
    **arguments: Any,
) -> T | None:
    """Make a call whose failure changes nothing: it is logged. Returns what Slack answered, if all went well.

    When Slack asks to wait, for ``patience`` seconds at most, ``wait`` does that; if it returns true, the call is
    given up.
    """
    for last in (False, False, True):
        try:
            return call(**arguments)
        except (SlackApiError, OSError, ValueError) as error:
            refusal = explain(error)
            asked = refusal.retry_after if _is_rate_limit(error) else None
            if last or asked is None or asked > patience or wait(asked):
                log.warning("an answer could not be given in Slack: %s", refusal)
                return None
    return None


def _is_rate_limit(error: Exception) -> bool:
    return isinstance(error, SlackApiError) and getattr(error.response, "status_code", None) == 429
