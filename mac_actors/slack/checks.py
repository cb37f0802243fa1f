"""Is the Slack side set up as it must be? One line for each part, with what to do."""

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
        problem = _channel_problem(client, channel)
        yield Check(variable, problem is None, problem or f"the bot is in {channel}")
    try:
        client.apps_connections_open(app_token=settings.app_token)
    except (SlackApiError, OSError, ValueError) as error:
        remedy = "generate an app-level token with the scope connections:write, and enable Socket Mode"
        yield Check("SLACK_APP_TOKEN", False, f"{_code(error) or error}: {remedy}")
    else:
        yield Check("SLACK_APP_TOKEN", True, "Socket Mode can be used")


def check_channels(client: WebClient, settings: SlackSettings) -> Iterator[str]:
    """Return what is wrong with the two channels, a line each."""
    for variable, channel in _channels(settings):
        problem = _channel_problem(client, channel)
        if problem:
            yield f"{variable} {channel}: {problem}"


def _channels(settings: SlackSettings) -> tuple[tuple[str, str], ...]:
    return (
        ("SLACK_CONTROL_CHANNEL_ID", settings.control_channel),
        ("SLACK_OOPS_CHANNEL_ID", settings.oops_channel),
    )


def _channel_problem(client: WebClient, channel: str) -> str | None:
    try:
        info = client.conversations_info(channel=channel).get("channel") or {}
    except (SlackApiError, OSError, ValueError) as error:
        return str(explain(error))
    if info.get("is_archived"):
        return REMEDIES["is_archived"]
    return None if info.get("is_member") else REMEDIES["not_in_channel"]


def _scopes(granted: str) -> Check:
    have = {scope.strip() for scope in granted.split(",")} - {""}
    missing = [scope for scope in SCOPES if scope not in have]
    if not have:
        return Check("scopes", True, "Slack did not say which scopes the token has")
    if missing:
        return Check("scopes", False, f"missing {', '.join(missing)}: {REMEDIES['missing_scope'].partition(': ')[2]}")
    return Check("scopes", True, "all that are needed")


def _code(error: Exception) -> str | None:
    if isinstance(error, SlackApiError) and hasattr(error.response, "get"):
        return str(error.response.get("error"))
    return None
