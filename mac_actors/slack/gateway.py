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
from slack_sdk.webhook import WebhookClient, WebhookResponse

from mac_actors.actors.messages import MOVING
from mac_actors.core.notices import Channel, Standing, ThreadKey, channel_of
from mac_actors.errors import ChatError
from mac_actors.settings import SlackSettings
from mac_actors.slack.commands import moment
from mac_actors.slack.notices import escape, notice_blocks, notice_text, shorten, standing_blocks
from mac_actors.storage.records import Waiting

log = logging.getLogger(__name__)

T = TypeVar("T")

QUIET = logging.getLogger("mac_actors.slack.clients")
"""What the SDK's and Bolt's clients write to: nothing. They repeat themselves while Slack is away, and their debug
lines hold tokens; what matters is said here, once."""
QUIET.setLevel(logging.CRITICAL + 1)

TIMEOUT_SECONDS = 5
"""How long one call may take. Slack usually answers within 0.3 s."""

LASTING_RETRY_SECONDS = 30.0
"""How often a channel that refuses for good is tried again, so that it is picked up once mended."""

_COPY = "copy the Bot User OAuth Token to SLACK_BOT_TOKEN, and restart the server"

PATIENCE_SECONDS = 5.0
"""How long what only one person sees waits when Slack's rate limit asks for it."""

ANSWER_PATIENCE_SECONDS = 60.0
"""How long each post of an answer waits when Slack's rate limit asks for it."""

_ARCHIVED = "the channel is archived: unarchive it, or set another one"

REMEDIES = {
    "invalid_auth": f"the bot token is not valid: {_COPY}",
    "not_authed": f"the bot token is not valid: {_COPY}",
    "account_inactive": f"the app was removed from the workspace: install it again, {_COPY}",
    "token_revoked": f"the bot token was revoked: install the app again, {_COPY}",
    "token_expired": f"the bot token has expired: install the app again, {_COPY}",
    "channel_not_found": "there is no such channel, or it is private and the bot is not in it: "
    "correct the channel's id, or invite the bot there by mentioning it",
    "not_in_channel": "the bot is not in the channel: invite it there by mentioning it",
    "is_archived": _ARCHIVED,
    "channel_is_archived": _ARCHIVED,
    "missing_scope": "the app lacks a scope: add those of etc/slack-manifest.yaml, and install the app again",
    "restricted_action": "the workspace does not let the app post there: an owner of the workspace can allow it",
    "messages_tab_disabled": "direct messages of the app are off: switch on the Messages Tab in the app's settings, "
    "below App Home",
    "restricted_action_read_only_channel": "only some may post in the channel: "
    "let the app, in the channel's posting permissions, or set another channel",
    "restricted_action_thread_only_channel": "the channel takes nothing but replies: "
    "change that in the channel's posting permissions, or set another channel",
    "team_access_not_granted": "the app is not allowed in this workspace: "
    "an admin of the organisation can add the workspace to the app",
    "not_allowed_token_type": "this is another kind of token: the bot's begins with xoxb-, the app's with xapp-; "
    "correct SLACK_BOT_TOKEN and SLACK_APP_TOKEN, and restart the server",
}
"""What to do about Slack's lasting refusals."""

_SOCKET_REMEDY = (
    "generate an app-level token with the scope connections:write for SLACK_APP_TOKEN and restart the server, "
    "or enable Socket Mode in the app's settings"
)
_PASSING = frozenset({"", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"})

_NO_THREAD = frozenset(
    {
        "thread_not_found",
        "cannot_reply_to_message",
        "restricted_action_thread_locked",
        "restricted_action_non_threadable_channel",
    }
)
_TOO_MUCH = frozenset({"msg_too_long", "invalid_blocks", "invalid_blocks_format", "no_text", "msg_blocks_too_long"})
_AS_IT_IS = _TOO_MUCH | {"message_not_found", "edit_window_closed", "cant_update_message"}

PLAIN: dict[str, Any] = {
    "mrkdwn": False,
    "parse": "none",
    "link_names": False,
    "unfurl_links": False,
    "unfurl_media": False,
}
"""How every text is posted: as it is, with nothing in it made into a link or a mention."""

ARRIVED = "mac_arrived"
"""The key under which a payload has the time, by this server's clock, at which it came: it may wait for a thread."""

EPHEMERAL = {"parse": "none", "link_names": False}
"""The same for what one user alone sees, and for changes."""


class Client(WebClient):
    """Calls nothing while ``holds`` says that another server may own the machines: it is the one to speak then."""

    holds: Callable[[], bool] = staticmethod(lambda: False)

    def api_call(self, *arguments: Any, **options: Any) -> SlackResponse:
        """Call a method, as the SDK does; raises ``ConnectionError`` instead."""
        if self.holds():
            raise ConnectionError(MOVING)
        return super().api_call(*arguments, **options)


def make_client(settings: SlackSettings) -> Client:
    """Return a client that never tries again by itself: a post whose answer was cut would be there twice."""
    base = (settings.api_url or WebClient.BASE_URL).rstrip("/") + "/"
    return Client(token=settings.bot_token, base_url=base, timeout=TIMEOUT_SECONDS, retry_handlers=[], logger=QUIET)


def explain(error: Exception) -> ChatError:
    """Turn what the SDK raised into a :class:`ChatError` that says what to do and when to try again."""
    if not isinstance(error, SlackApiError):
        return ChatError(f"Slack can't be reached ({str(error).partition(' -+-+- ')[0]})")
    if _is_rate_limit(error):
        return ChatError("Slack asks to wait (rate limit)", _retry_after(error.response))
    code = error_code(error)
    if code in REMEDIES:
        return ChatError(f"{code}: {REMEDIES[code]}", LASTING_RETRY_SECONDS, lasting=True)
    if code:
        return ChatError(f"Slack answered {code}", lasting=code not in _PASSING)
    return ChatError(f"Slack answered with status {getattr(error.response, 'status_code', 'unknown')}")


def explain_socket_mode(error: Exception) -> ChatError:
    """Do the same for a refusal to open a connection, about which other things are to be done."""
    return explain(error) if is_passing(error) else ChatError(f"{error_code(error)}: {_SOCKET_REMEDY}")


def is_passing(error: Exception) -> bool:
    """Whether what was refused may be right all the same: Slack can't be reached, has troubles, or asks to wait."""
    return error_code(error) in _PASSING or _is_rate_limit(error)


def error_code(error: Exception) -> str:
    """Return Slack's word for a refusal; empty when there is none."""
    try:
        code = str(error.response["error"])  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
    return code if re.fullmatch(r"[a-z_]{1,60}", code) else ""


def _retry_after(response: Any) -> float:
    headers = {str(k).lower(): v for k, v in dict(response.headers).items()}
    value = headers.get("retry-after", "")
    value = value[0] if isinstance(value, list) and value else value
    try:
        return min(max(float(value), 0.0), 300.0)
    except (TypeError, ValueError):
        return LASTING_RETRY_SECONDS


def _not_yet(account_id: str) -> str | None:
    del account_id
    raise ChatError("it is not known yet who is who in Slack: the server is starting", 1.0)


class SlackChat:
    """The notifier's way to Slack."""

    seconds_per_post = 1.0

    def __init__(self, client: WebClient, settings: SlackSettings) -> None:
        self._client = client
        self._ids = {Channel.CONTROL: settings.control_channel, Channel.OOPS: settings.oops_channel}
        self.find_member: Callable[[str], str | None] = _not_yet
        """Says which Slack user an account is, if they want to be told why they were refused."""

    def post(self, channel: str, notices: Sequence[Waiting], thread: str | None) -> str | None:
        """Post notices; what begins or ends something in a thread goes to the channel, too. Returns the post's ``ts``.

        Raises :class:`ChatError`, or :class:`StorageError` where it must be looked up who somebody is.
        """
        to = self._id(channel)
        if to is None:
            return None  # nobody who wants to be told
        text = notice_text(notices, datetime.now(UTC))
        blocks = notice_blocks(channel, notices, text)
        try:
            try:
                broadcast = any(notice.opens or notice.closes for notice in notices)
                in_thread = {"thread_ts": thread, "reply_broadcast": broadcast} if thread else {}
                return self._post(to, text, blocks=blocks, **in_thread)
            except SlackApiError as error:
                # A notice that Slack can't take as it is must not hold up all others.
                if thread and error_code(error) in _NO_THREAD:
                    return self._post(to, text, blocks=blocks)
                if error_code(error) not in _TOO_MUCH:
                    raise
                log.warning("Slack answered %s to a notice; it is posted without thread and blocks", error_code(error))
                return self._post(to, shorten(text))
        except (SlackApiError, OSError, ValueError) as error:
            raise explain(error) from error

    def show(self, channel: str, post: str, text: str, key: ThreadKey, shown: Standing) -> None:
        """Show in a notice's post how its matter stands; its buttons go when it is over. Raises :class:`ChatError`.

        ``text`` is that of the notice: what Slack gives back is not what was posted. One that was late has its time.
        """
        posted = moment(post) or key.since
        text = notice_text([Waiting(channel, text, id=0, at=key.since)], posted)
        try:
            self._client.chat_update(
                channel=str(self._id(channel)),
                ts=post,
                text=shorten("\n".join((text, *map(escape, shown.lines)))),
                blocks=standing_blocks(channel, text, key, shown),
                parse="none",
                link_names=False,
            )
        except (SlackApiError, OSError, ValueError) as error:
            if error_code(error) not in _AS_IT_IS:
                raise explain(error) from error
            log.info("Slack answered %s: a notice stays as it is, though there is news", error_code(error))

    def _id(self, address: str) -> str | None:
        """Return the id that Slack has for an address; ``None``: it is nobody's."""
        channel, rest = channel_of(address)
        if channel is Channel.DIRECT and rest.startswith("@"):
            return self.find_member(rest[1:])
        return rest or self._ids[channel]

    def _post(self, to: str, text: str, **arguments: Any) -> str | None:
        call: Callable[..., SlackResponse] = self._client.chat_postMessage
        response = call(channel=to, text=text, **PLAIN, **arguments)
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


def answer_url(url: str, text: str) -> WebhookResponse:
    """Answer at a ``response_url``, for the asker alone. Raises what :func:`call_quietly` expects."""
    webhook = WebhookClient(url, timeout=TIMEOUT_SECONDS, retry_handlers=[], logger=QUIET)
    response = webhook.send(text=text, response_type="ephemeral", unfurl_links=False, unfurl_media=False)
    if response.status_code != 200:  # the client only returns it
        raise SlackApiError("response_url", response)  # type: ignore[no-untyped-call]
    return response


def _is_rate_limit(error: Exception) -> bool:
    return isinstance(error, SlackApiError) and getattr(error.response, "status_code", None) == 429
