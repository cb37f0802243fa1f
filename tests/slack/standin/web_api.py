"""The Web API methods: arguments in, Slack's answer out; what is taken is recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .canvases import Canvases
from .checks import characters, complaints_about_blocks, complaints_about_view
from .envelopes import APP, BOT_ID, BOT_USER, TEAM, link_addresses
from .records import Answer, Channel, Ephemeral, Json, Post, SlackError, State, Update, User, View

# The scopes of the source document, and what etc/slack-manifest.yaml asks for beside them.
SCOPES = (
    "app_mentions:read",
    "canvases:read",
    "canvases:write",
    "channels:read",
    "chat:write",
    "commands",
    "groups:read",
    "groups:write",
    "incoming-webhook",
    "pins:write",
    "users.profile:read",
    "users:read",
    "users:read.email",
)


class WebApi:
    """The methods that the bot token is good for."""

    def __init__(self, state: State, echo: Callable[[str], object] | None) -> None:
        self._state = state
        self._echo = echo
        self.scopes: tuple[str, ...] = SCOPES
        self.trigger_life = 3.0
        self.page = 100
        self.home_enabled = True
        self.messages_tab = True
        self.canvases = Canvases(state)
        self._methods: dict[str, tuple[str | None, Callable[[Mapping[str, Any]], Json]]] = {
            "auth.test": (None, self._auth_test),
            "canvases.create": ("canvases:write", self._create_canvas),
            "canvases.edit": ("canvases:write", self.canvases.edit),
            "canvases.sections.lookup": ("canvases:read", self.canvases.lookup),
            "chat.postEphemeral": ("chat:write", self._post_ephemeral),
            "chat.postMessage": ("chat:write", self._post_message),
            "chat.update": ("chat:write", self._update),
            "conversations.canvases.create": ("canvases:write", self._create_channel_canvas),
            "conversations.info": (None, self._channel_info),
            "conversations.members": (None, self._channel_members),
            "pins.add": ("pins:write", self._pin),
            "reactions.add": ("reactions:write", lambda _: {}),
            "reactions.remove": ("reactions:write", lambda _: {}),
            "users.info": ("users:read", self._user_info),
            "users.lookupByEmail": ("users:read.email", self._lookup),
            "users.profile.get": ("users.profile:read", self._user_profile),
            "views.open": (None, self._open_view),
            "views.publish": (None, self._publish_view),
        }

    def call(self, method: str, params: Mapping[str, Any]) -> Json:
        """Carry a method out; a SlackError says what Slack would refuse."""
        if method not in self._methods:
            raise SlackError("unknown_method", req_method=method)
        scope, function = self._methods[method]
        self._need(scope)
        with self._state.changed:
            answer = function(params)
            self._state.changed.notify_all()
        return {"ok": True, **answer}

    def take_answer(self, url: str, body: Mapping[str, Any]) -> None:
        """A post to a response_url."""
        with self._state.changed:
            if not self._state.response_urls.get(url):
                raise SlackError("used_url")
            self._state.response_urls[url] -= 1
            blocks = _blocks(body)
            in_channel = body.get("response_type") == "in_channel"
            replaces, deletes = body.get("replace_original") is True, body.get("delete_original") is True
            answer = Answer(url, body.get("text", ""), blocks, in_channel, replaces, deletes, time.monotonic())
            self._state.answers.append(answer)
            self._state.changed.notify_all()

    def _need(self, scope: str | None) -> None:
        if scope is not None and scope not in self.scopes:
            raise SlackError("missing_scope", needed=scope, provided=",".join(self.scopes))

    def _channel(self, params: Mapping[str, Any], name: str = "channel") -> Channel:
        """The channel, as far as the bot can see it."""
        channel = self._state.channels.get(str(params.get(name)))
        if channel is None or (channel.private and BOT_USER not in channel.members):
            raise SlackError("channel_not_found")
        return channel

    def _readable_channel(self, params: Mapping[str, Any]) -> Channel:
        channel = self._channel(params)
        self._need("groups:read" if channel.private else "channels:read")
        return channel

    def _writable_channel(self, params: Mapping[str, Any]) -> Channel:
        channel = self._channel(params)
        if channel.archived:
            raise SlackError("is_archived")
        if BOT_USER not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def _direct(self, params: Mapping[str, Any]) -> Channel | None:
        """The direct messages of the user whose id is given as the channel, if it is one."""
        to = str(params.get("channel"))
        user = self._state.users.get(to)
        if user is None:
            if to.startswith(("U", "W")):
                raise SlackError("user_not_found")
            return None
        if user.is_bot:
            raise SlackError("cannot_dm_bot")
        if user.deleted:
            raise SlackError("user_disabled")
        if not self.messages_tab:
            raise SlackError("messages_tab_disabled")
        direct = Channel(f"D{user.id[1:]}", "", private=True, members=[BOT_USER, user.id])
        return self._state.channels.setdefault(direct.id, direct)

    def _user(self, params: Mapping[str, Any]) -> User:
        user = self._state.users.get(str(params.get("user")))
        if user is None:
            raise SlackError("user_not_found")
        return user

    def _auth_test(self, _: Mapping[str, Any]) -> Json:
        return {
            "url": "https://space.slack.com/",
            "team": "Space",
            "user": "mac",
            "team_id": TEAM,
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        }

    def _post_message(self, params: Mapping[str, Any]) -> Json:
        channel = self._direct(params) or self._writable_channel(params)
        text, blocks = _content(params)
        thread, ts = params.get("thread_ts"), self._state.ts()
        if thread is not None:
            self._check_thread(channel.id, str(thread))
        self._state.threads[channel.id, ts] = str(thread or ts)
        broadcast = thread is not None and _true(params.get("reply_broadcast"))
        post = Post(channel.id, ts, text, blocks, thread, broadcast, time.monotonic(), dict(params))
        self._state.posts.append(post)
        self._state.current[channel.id, ts] = post
        if self._echo is not None:
            place = " (in thread)" if thread and not broadcast else " (in thread, and to the channel)" if thread else ""
            self._echo(f"#{channel.name}{place}: {' / '.join(text.splitlines())}")
        return {"channel": channel.id, "ts": ts, "message": _message(post)}

    def _check_thread(self, channel: str, thread: str) -> None:
        parent = self._state.threads.get((channel, thread))
        if parent is None:
            raise SlackError("thread_not_found")
        if parent != thread:
            raise SlackError("cannot_reply_to_message")
        if (channel, thread) in self._state.locked:
            raise SlackError("restricted_action_thread_locked")

    def _pin(self, params: Mapping[str, Any]) -> Json:
        place = self._writable_channel(params).id, str(params.get("timestamp"))
        if place not in self._state.current:
            raise SlackError("message_not_found")
        if place in self._state.pins:
            raise SlackError("already_pinned")
        self._state.pins.append(place)
        return {}

    def _update(self, params: Mapping[str, Any]) -> Json:
        channel = self._writable_channel(params)
        post = self._state.current.get((channel.id, str(params.get("ts"))))
        if post is None:
            raise SlackError("message_not_found")
        text, blocks = _content(params, longest=4_000)
        if params.get("parse") != "none":
            text = link_addresses(text)
        if "blocks" not in params:
            blocks = list(post.blocks)
        self._state.updates.append(Update(channel.id, post.ts, text, blocks, time.monotonic()))
        self._state.current[channel.id, post.ts] = new = replace(post, text=text, blocks=blocks)
        return {"channel": channel.id, "ts": post.ts, "text": text, "message": _message(new)}

    def _post_ephemeral(self, params: Mapping[str, Any]) -> Json:
        channel = self._writable_channel(params)
        if params.get("user") not in channel.members:
            raise SlackError("user_not_in_channel")
        text, blocks = _content(params)
        now = time.monotonic()
        self._state.ephemerals.append(
            Ephemeral(channel.id, str(params["user"]), text, blocks, params.get("thread_ts"), now)
        )
        return {"message_ts": self._state.ts()}

    def _lookup(self, params: Mapping[str, Any]) -> Json:
        email = str(params.get("email") or "").casefold()
        for user in self._state.users.values():
            if email == user.email.casefold() and user.confirmed and not (user.deleted or user.is_bot or user.stranger):
                return {"user": self._info(user)}
        raise SlackError("users_not_found")

    def _user_info(self, params: Mapping[str, Any]) -> Json:
        return {"user": self._info(self._user(params))}

    def _info(self, user: User) -> Json:
        return {
            "id": user.id,
            "team_id": TEAM,
            "name": user.display_name,
            "deleted": user.deleted,
            "real_name": user.real_name,
            "profile": self._profile(user),
            "is_bot": user.is_bot,
            "is_app_user": False,
        }

    def _user_profile(self, params: Mapping[str, Any]) -> Json:
        return {"profile": self._profile(self._user(params))}

    def _profile(self, user: User) -> Json:
        address = {"email": user.email} if user.email and "users:read.email" in self.scopes else {}
        return {"display_name": user.display_name, "real_name": user.real_name, **address}

    def _channel_info(self, params: Mapping[str, Any]) -> Json:
        channel = self._readable_channel(params)
        info: Json = {
            "id": channel.id,
            "name": channel.name,
            "is_channel": not channel.private,
            "is_group": channel.private,
            "is_private": channel.private,
            "is_archived": channel.archived,
            "is_member": BOT_USER in channel.members,
            "properties": {},
        }
        if canvas := self.canvases.of_channel(channel.id):
            info["properties"]["canvas"] = {"file_id": canvas.id, "is_empty": not canvas.markdown}
        return {"channel": info}

    def _channel_members(self, params: Mapping[str, Any]) -> Json:
        members = self._readable_channel(params).members
        start, limit = int(params.get("cursor") or 0), min(int(params.get("limit") or self.page), self.page)
        cursor = str(start + limit) if start + limit < len(members) else ""
        return {"members": members[start : start + limit], "response_metadata": {"next_cursor": cursor}}

    def _open_view(self, params: Mapping[str, Any]) -> Json:
        trigger = str(params.get("trigger_id"))
        if trigger in self._state.exchanged:
            raise SlackError("exchanged_trigger_id")
        user, given = self._state.triggers.pop(trigger, (None, 0.0))
        if user is None:
            raise SlackError("invalid_trigger_id")
        self._state.exchanged.add(trigger)
        if time.monotonic() - given > self.trigger_life:
            raise SlackError("expired_trigger_id")
        if complaints := complaints_about_view(params.get("view")):
            raise SlackError("invalid_arguments", response_metadata={"messages": complaints})
        view = View(f"V{self._state.number():05d}", user, params["view"], time.monotonic())
        self._state.views.append(view)
        return {"view": {"id": view.id, "team_id": TEAM, "app_id": APP, **view.view}}

    def _publish_view(self, params: Mapping[str, Any]) -> Json:
        user = params.get("user_id")
        if not self.home_enabled:
            raise SlackError("not_enabled")
        if (params.get("view") or {}).get("type") != "home":
            raise SlackError("invalid_arguments", response_metadata={"messages": ["not a home view"]})
        shown = self._state.homes.get(str(user))
        if params.get("hash") and (shown is None or params["hash"] != shown.hash):
            raise SlackError("hash_conflict")
        if user not in self._state.users:
            raise SlackError("user_not_found")
        if complaints := complaints_about_view(params.get("view")):
            raise SlackError("invalid_arguments", response_metadata={"messages": complaints})
        self._state.homes[str(user)] = view = View(
            f"V{self._state.number():05d}", str(user), params["view"], time.monotonic()
        )
        return {"view": {"id": view.id, "team_id": TEAM, "app_id": APP, **view.view}}

    def _create_canvas(self, params: Mapping[str, Any]) -> Json:
        if params.get("channel_id"):
            self._channel(params, "channel_id")
        return self.canvases.create(params)

    def _create_channel_canvas(self, params: Mapping[str, Any]) -> Json:
        return self.canvases.create_in_channel(self._channel(params, "channel_id").id, params)


def _content(params: Mapping[str, Any], longest: int = 40_000) -> tuple[str, list[Json]]:
    text, blocks = str(params.get("text") or ""), _blocks(params)
    if not text and not blocks:
        raise SlackError("no_text")
    if len(text) > longest:
        raise SlackError("msg_too_long")
    return text, blocks


def _blocks(params: Mapping[str, Any]) -> list[Json]:
    blocks: list[Json] = params.get("blocks") or []
    if complaints := complaints_about_blocks(blocks):
        raise SlackError("invalid_blocks", errors=complaints, response_metadata={"messages": complaints})
    if characters(blocks) > 13_200:
        raise SlackError("msg_blocks_too_long")
    return blocks


def _message(post: Post) -> Json:
    message: Json = {
        "type": "message",
        "user": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": APP,
        "ts": post.ts,
        "text": post.text,
        "blocks": list(post.blocks),
    }
    return message | ({"thread_ts": post.thread_ts} if post.thread_ts else {})


def _true(value: object) -> bool:
    return value in (True, "1", "true")
