"""The payloads of Socket Mode envelopes, shaped like Slack's own."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .checks import elements
from .records import Json, Post, User, View

TEAM = "T0SPACE"
APP = "A0MAC"
BOT_USER = "UBOT"
BOT_ID = "B0MAC"
VERIFICATION = "verification-Vf8sQw"
"""A secret that comes with every payload: it must be in no log."""


def app_mention(
    *,
    text: str,
    user: str,
    channel: str,
    ts: str,
    event_id: str,
    thread_ts: str | None,
    edited: bool,
    bot_id: str | None,
    subtype: str | None,
) -> Json:
    """An Events API callback for a message that mentions the bot."""
    event: Json = {
        "type": "app_mention",
        "user": user,
        "text": text,
        "ts": ts,
        "team": TEAM,
        "channel": channel,
        "event_ts": ts,
    }
    if thread_ts is not None:
        event["thread_ts"] = thread_ts
    if edited:
        event["edited"] = {"user": user, "ts": ts}
    if bot_id is not None:
        event["bot_id"] = bot_id
        event["bot_profile"] = {"id": bot_id, "app_id": "A0ELSE", "name": "another bot", "team_id": TEAM}
    if subtype is not None:
        event["subtype"] = subtype
    return _callback(event, event_id)


def app_home_opened(*, user: str, tab: str, event_id: str) -> Json:
    """An Events API callback for a look at one of the app's tabs: "home", "messages" or "about"."""
    event = {"type": "app_home_opened", "user": user, "channel": f"D{user}", "tab": tab, "event_ts": "1.0"}
    return _callback(event, event_id)


def slash_command(
    *, command: str, text: str, user: User, channel: str, channel_name: str, trigger_id: str, response_url: str
) -> Json:
    """A slash command; Slack sends it flat."""
    return {
        "token": VERIFICATION,
        "team_id": TEAM,
        "team_domain": "space",
        "channel_id": channel,
        "channel_name": channel_name,
        "user_id": user.id,
        "user_name": user.display_name,
        "command": command,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def block_actions(
    *,
    action_id: str,
    value: str | None,
    user: User,
    channel_name: str,
    message: Post,
    trigger_id: str,
    response_url: str,
) -> Json:
    """A press of a button (or a choice in a menu) that the message carries."""
    found = [pair for pair in elements(message.blocks) if pair[1]["action_id"] == action_id]
    if not found:
        raise ValueError(f"this message has no {action_id!r} to press: {message}")
    block, element = found[0]
    action: Json = {
        "action_id": action_id,
        "block_id": block.get("block_id", "b1"),
        "type": element["type"],
        "action_ts": f"{time.time():.6f}",
    }
    if element["type"] == "button":
        action |= {"text": element["text"], "value": element.get("value", "") if value is None else value}
    else:
        action["selected_option"] = next(o for o in element["options"] if value in (None, o["value"]))
    shown: Json = {
        "type": "message",
        "user": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": APP,
        "team": TEAM,
        "ts": message.ts,
        "text": link_addresses(message.text),  # not as it was posted
        "blocks": list(message.blocks),
    }
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
    return {
        "type": "block_actions",
        **_interaction(user, trigger_id),
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": False,
        },
        "channel": {"id": message.channel, "name": channel_name},
        "message": shown,
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }


def home_actions(*, action_id: str, values: Sequence[str], user: User, view: View, trigger_id: str) -> Json:
    """A change of the boxes that are checked in somebody's App Home."""
    [(block, element)] = [pair for pair in elements(view.view["blocks"]) if pair[1]["action_id"] == action_id]
    options = [option for option in element["options"] if option["value"] in values]
    action = {
        "action_id": action_id,
        "block_id": block.get("block_id", "b1"),
        "type": element["type"],
        "selected_options": options,
        "action_ts": f"{time.time():.6f}",
    }
    return {
        "type": "block_actions",
        **_interaction(user, trigger_id),
        "container": {"type": "view", "view_id": view.id},
        "view": {"id": view.id, "team_id": TEAM, **view.view, "state": {"values": {}}, "hash": view.hash},
        "actions": [action],
    }


def block_suggestion(*, view: View, action_id: str, value: str, user: User) -> Json:
    """What somebody has typed so far into an external select of a modal."""
    [(block, _)] = [pair for pair in elements(view.view["blocks"]) if pair[1]["action_id"] == action_id]
    whole = _interaction(user, "")
    del whole["trigger_id"]  # there is none
    return {
        "type": "block_suggestion",
        **whole,
        "container": {"type": "view", "view_id": view.id},
        "action_id": action_id,
        "block_id": block.get("block_id", "b1"),
        "value": value,
        "view": {"id": view.id, "team_id": TEAM, **view.view, "state": {"values": {}}, "hash": view.hash},
    }


def view_submission(*, view: View, values: Mapping[str, Mapping[str, Any]], user: User, trigger_id: str) -> Json:
    """The submission of a modal."""
    return {
        "type": "view_submission",
        **_interaction(user, trigger_id),
        "view": {
            "id": view.id,
            "team_id": TEAM,
            "type": "modal",
            **view.view,
            "private_metadata": view.private_metadata,
            "callback_id": view.callback_id,
            "state": {"values": {block: dict(actions) for block, actions in values.items()}},
            "hash": "1.a",
            "root_view_id": view.id,
            "previous_view_id": None,
            "app_id": APP,
            "bot_id": BOT_ID,
        },
        "response_urls": [],
    }


def chosen(value: str, text: str | None = None) -> Json:
    """The state of a static_select in which `value` was chosen, for the values of a submission."""
    return {
        "type": "static_select",
        "selected_option": {"text": {"type": "plain_text", "text": text or value}, "value": value},
    }


def picked(option: Json) -> Json:
    """The state of an external select in which this option was chosen, for the values of a submission."""
    return {"type": "external_select", "selected_option": option}


def link_addresses(text: str) -> str:
    """What Slack makes of addresses in a text that it parses, and of those in a text that it gives back."""
    return re.sub(r"(?<![<|])\bhttps?://[^\s<>|]+", r"<\g<0>>", text)


def _callback(event: Json, event_id: str) -> Json:
    return {
        "token": VERIFICATION,
        "team_id": TEAM,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{event_id}",
    }


def _interaction(user: User, trigger_id: str) -> Json:
    return {
        "team": {"id": TEAM, "domain": "space"},
        "user": {"id": user.id, "username": user.display_name, "name": user.display_name, "team_id": TEAM},
        "api_app_id": APP,
        "token": VERIFICATION,
        "trigger_id": trigger_id,
        "enterprise": None,
        "is_enterprise_install": False,
    }
