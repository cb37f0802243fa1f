"""Is Slack set up as it must be? One line for each part, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from mac_actors.settings import SlackSettings
from mac_actors.slack.gateway import REMEDIES, explain, make_client

SCOPES = ("app_mentions:read", "channels:read", "chat:write", "commands", "groups:read", "users:read")
"""What the bot token must be allowed to do; etc/slack-manifest.yaml asks for these and a few more."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: whether it is right, and what to do if not."""

    what: str
    ok: bool
    text: str


def check_all(settings: SlackSettings) -> Iterator[Check]:
    """Look at tokens, scopes, both channels and Socket Mode, one after the other."""
    client = make_client(settings)
    try:
        me = client.auth_test()
    except (SlackApiError, OSError, ValueError) as error:
        yield Check("SLACK_BOT_TOKEN", False, str(explain(error)))
        return
    yield Check("SLACK_BOT_TOKEN", True, f"the bot is {me.get('user')} in {me.get('team')}")
    yield _scopes(str({k.lower(): v for k, v in dict(me.headers or {}).items()}.get("x-oauth-scopes", "")))
    for variable, channel in _channels(settings):
        name, problem = _look_at(client, channel)
        yield Check(variable, problem is None, problem or f"the bot is in {name}")
    try:
        client.apps_connections_open(app_token=settings.app_token)
    except (SlackApiError, OSError, ValueError) as error:
        yield Check("SLACK_APP_TOKEN", False, explain_socket_mode(error))
    else:
        yield Check("SLACK_APP_TOKEN", True, "Socket Mode can be used")


def check_channels(client: WebClient, settings: SlackSettings) -> Iterator[str]:
    """Return what is wrong with the two channels, a line each."""
    for variable, channel in _channels(settings):
        _, problem = _look_at(client, channel)
        if problem:
            yield f"{variable} {channel}: {problem}"


def _channels(settings: SlackSettings) -> tuple[tuple[str, str], ...]:
    return (
        ("SLACK_CONTROL_CHANNEL_ID", settings.control_channel),
        ("SLACK_OOPS_CHANNEL_ID", settings.oops_channel),
    )


def _look_at(client: WebClient, channel: str) -> tuple[str, str | None]:
    """Return a channel's name with its id, and what is wrong with it."""
    try:
        info = client.conversations_info(channel=channel).get("channel") or {}
    except (SlackApiError, OSError, ValueError) as error:
        return channel, str(explain(error))
    name = f"#{info.get('name', '?')} ({channel})"
    if info.get("is_archived"):
        return name, REMEDIES["is_archived"]
    return name, None if info.get("is_member") else REMEDIES["not_in_channel"]


def _scopes(granted: str) -> Check:
    have = {scope.strip() for scope in granted.split(",")} - {""}
    missing = [scope for scope in SCOPES if scope not in have]
    if not have:
        return Check("scopes", True, "Slack did not say which scopes the token has")
    if missing:
        return Check("scopes", False, f"missing {', '.join(missing)}: {REMEDIES['missing_scope'].partition(': ')[2]}")
    return Check("scopes", True, "all that are needed")


def explain_socket_mode(error: Exception) -> str:
    """Say why Socket Mode can't be used, and what to do."""
    if not isinstance(error, SlackApiError):
        return str(explain(error))
    code = error.response.get("error") if hasattr(error.response, "get") else None
    return (
        f"{code or 'Slack refuses Socket Mode'}: generate an app-level token with the scope connections:write "
        "for SLACK_APP_TOKEN, enable Socket Mode in the app's settings, and restart the server"
    )
