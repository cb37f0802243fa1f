"""Is Slack set up as it must be? One line for each part, with what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from mac_actors.errors import ChatError
from mac_actors.settings import SlackSettings
from mac_actors.slack.gateway import REMEDIES, explain, explain_socket_mode, is_passing, make_client

SCOPES = ("app_mentions:read", "channels:read", "chat:write", "groups:read", "users:read")
"""What the bot token must be allowed to do; etc/slack-manifest.yaml asks for these and a few more."""

OPTIONAL_SCOPES = {
    "canvases:read": "a canvas whose answer was lost",
    "canvases:write": "the live status",
    "commands": "/oops-clear and /mac",
    "pins:write": "pinning the live status where it is a message",
    "users:read.email": "members that are linked by their e-mail addresses",
}
"""What it may be allowed to do, and what there is not without it."""

_ADD_SCOPES = REMEDIES["missing_scope"].partition(": ")[2]


class Grade(StrEnum):
    """How right something is."""

    OK = "ok"
    NOTE = "note"
    """It works, but should be looked at."""
    UNKNOWN = "unknown"
    """Slack could not say."""
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: whether it is right, and what to do if not."""

    what: str
    grade: Grade
    text: str

    @property
    def ok(self) -> bool:
        """Whether the server can work with it."""
        return self.grade in (Grade.OK, Grade.NOTE)


def check_all(settings: SlackSettings, own: Mapping[str, Sequence[str]] = MappingProxyType({})) -> Iterator[Check]:
    """Look at tokens, scopes, channels and Socket Mode, one after the other.

    ``own`` are the oops channels of some machines' own, with these machines.
    """
    client = make_client(settings)
    try:
        me = client.auth_test()
    except (SlackApiError, OSError, ValueError) as error:
        yield _failed("SLACK_BOT_TOKEN", error, explain(error))
        return
    yield Check("SLACK_BOT_TOKEN", Grade.OK, f"the bot is {me.get('user')} in {me.get('team')}")
    yield _scopes(str({k.lower(): v for k, v in dict(me.headers or {}).items()}.get("x-oauth-scopes", "")))
    for variable, channel in _channels(settings, own):
        yield _check_channel(client, settings, variable, channel)
    try:
        client.apps_connections_open(app_token=settings.app_token)
    except (SlackApiError, OSError, ValueError) as error:
        yield _failed("SLACK_APP_TOKEN", error, explain_socket_mode(error))
    else:
        yield Check("SLACK_APP_TOKEN", Grade.OK, "Socket Mode can be used")


def check_channels(client: WebClient, settings: SlackSettings, own: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Return what is wrong with the channels, a line each."""
    for variable, channel in _channels(settings, own):
        check = _check_channel(client, settings, variable, channel)
        if not check.ok:
            yield f"{variable} {channel}: {check.text}"


def _channels(settings: SlackSettings, own: Mapping[str, Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return (
        ("SLACK_CONTROL_CHANNEL_ID", settings.control_channel),
        ("SLACK_OOPS_CHANNEL_ID", settings.oops_channel),
        *((f"slack_channel of {', '.join(labels[:5])}", channel) for channel, labels in own.items()),
    )


def _check_channel(client: WebClient, settings: SlackSettings, variable: str, channel: str) -> Check:
    try:
        info = client.conversations_info(channel=channel).get("channel") or {}
    except (SlackApiError, OSError, ValueError) as error:
        return _failed(variable, error, explain(error))
    if info.get("is_archived"):
        return Check(variable, Grade.WRONG, REMEDIES["is_archived"])
    if not info.get("is_member"):
        return Check(variable, Grade.WRONG, REMEDIES["not_in_channel"])
    there = f"the bot is in #{info.get('name', '?')} ({channel})"
    if variable != "SLACK_CONTROL_CHANNEL_ID":
        if channel == settings.control_channel:
            same = "which is the control channel too: everything is posted twice, set another channel for everybody"
            return Check(variable, Grade.NOTE, f"{there}, {same}")
    elif not info.get("is_private", True):
        public = "which is public: whoever joins it can clear machines, and sees names. Make it private"
        return Check(variable, Grade.NOTE, f"{there}, {public}")
    return Check(variable, Grade.OK, there)


def _failed(what: str, error: Exception, refusal: ChatError) -> Check:
    if isinstance(error, SlackApiError) and is_passing(error):
        return Check(what, Grade.UNKNOWN, f"it could not be looked at, try again later: {refusal}")
    return Check(what, Grade.WRONG, str(refusal))


def _scopes(granted: str) -> Check:
    have = {scope.strip() for scope in granted.split(",")} - {""}
    if not have:
        return Check("scopes", Grade.OK, "Slack did not say which scopes the token has")
    if missing := [scope for scope in SCOPES if scope not in have]:
        return Check("scopes", Grade.WRONG, f"missing {', '.join(missing)}: {_ADD_SCOPES}")
    if less := [f"{scope} (for {use})" for scope, use in OPTIONAL_SCOPES.items() if scope not in have]:
        return Check("scopes", Grade.NOTE, f"all that are needed; optional and missing: {', '.join(less)}")
    return Check("scopes", Grade.OK, "all that are needed")
