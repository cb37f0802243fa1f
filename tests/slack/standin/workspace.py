"""A Slack workspace on this machine: the Web API and Socket Mode, for the real clients, with faults on demand."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from . import envelopes
from .checks import complaints_about_options, elements
from .endpoint import Endpoint
from .faults import Faults
from .records import Channel, Json, Post, State, Suggested, User, View
from .seen import Seen
from .server import Server
from .socket_mode import Delivery, SocketMode
from .troubles import Troubles
from .web_api import WebApi

CONTROL, OOPS, OTHER = "C0CONTROL", "C0OOPS", "C0OTHER"
ADA, BOB, EVE = "U0ADA", "U0BOB", "U0EVE"


class Workspace(Seen, Troubles):
    """The workspace; a context manager that is up inside.

    Ada and Bob are in all three channels, Eve is not in the control channel. Waiting methods raise a TimeoutError
    that says what there was instead. Times are `time.monotonic()`.
    """

    def __init__(self, echo: Callable[[str], object] | None = None) -> None:
        self.bot_user_id = envelopes.BOT_USER
        self._state = State()
        self._faults = Faults()
        self._api = WebApi(self._state, echo)
        self._sockets = SocketMode(self._state)
        self._endpoint = Endpoint(self._state, self._faults, self._api, self._sockets)
        self._server = Server(self._endpoint.serve)
        self.add_user(self.bot_user_id, "mac", "Machine Access Control", is_bot=True)
        self.add_user(ADA, "ada", "Ada Lovelace")
        self.add_user(BOB, "bob", "Bob Ross")
        self.add_user(EVE, "eve", "Eve Outside")
        self.add_channel(CONTROL, "mac-control", private=True, members=(self.bot_user_id, ADA, BOB))
        self.add_channel(OOPS, "mac-oops", members=(self.bot_user_id, ADA, BOB, EVE))
        self.add_channel(OTHER, "general", members=(self.bot_user_id, ADA, BOB, EVE))

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self._faults.mend()
        self._server.close()

    def variables(self, signing_secret: str = "secret") -> dict[str, str]:
        """Return the environment of a server that is to be in this workspace."""
        return {
            "SLACK_API_URL": self.url,
            "SLACK_BOT_TOKEN": self.bot_token,
            "SLACK_APP_TOKEN": self.app_token,
            "SLACK_SIGNING_SECRET": signing_secret,
            "SLACK_CONTROL_CHANNEL_ID": CONTROL,
            "SLACK_OOPS_CHANNEL_ID": OOPS,
        }

    @property
    def url(self) -> str:
        """The base URL of the Web API, for `WebClient(base_url=...)` and SLACK_API_URL."""
        return f"http://127.0.0.1:{self._server.port}/api/"

    @property
    def bot_token(self) -> str:
        """The token that the Web API takes."""
        return self._endpoint.bot_token

    @bot_token.setter
    def bot_token(self, token: str) -> None:
        self._endpoint.bot_token = token

    @property
    def app_token(self) -> str:
        """The token that opens websockets."""
        return self._endpoint.app_token

    @app_token.setter
    def app_token(self, token: str) -> None:
        self._endpoint.app_token = token

    # Who and what there is.

    def add_user(
        self,
        user: str,
        display_name: str,
        real_name: str,
        *,
        deleted: bool = False,
        is_bot: bool = False,
        email: str = "",
        confirmed: bool = True,
        stranger: bool = False,
    ) -> User:
        """Add a member, or replace one."""
        self._state.users[user] = User(user, display_name, real_name, deleted, is_bot, email, confirmed, stranger)
        return self._state.users[user]

    def add_channel(self, channel: str, name: str, *, private: bool = False, members: Iterable[str] = ()) -> Channel:
        """Add a channel, or replace one; its `members` and `archived` can be changed at any time."""
        self._state.channels[channel] = Channel(channel, name, private, list(members))
        return self._state.channels[channel]

    def channel(self, channel: str) -> Channel:
        return self._state.channels[channel]

    def user(self, user: str) -> User:
        return self._state.users[user]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The bot token's scopes; without the right one a method answers missing_scope."""
        return self._api.scopes

    @scopes.setter
    def scopes(self, scopes: Iterable[str]) -> None:
        self._api.scopes = tuple(scopes)

    @property
    def members_page(self) -> int:
        """How many members conversations.members gives at once, at most."""
        return self._api.page

    @members_page.setter
    def members_page(self, size: int) -> None:
        self._api.page = size

    @property
    def trigger_life(self) -> float:
        """For how many seconds a trigger_id opens a modal (once)."""
        return self._api.trigger_life

    @trigger_life.setter
    def trigger_life(self, seconds: float) -> None:
        self._api.trigger_life = seconds

    # What can be made to happen. An envelope waits for a websocket when there is none; with queued=False it is lost.

    def mention(
        self,
        text: str,
        *,
        user: str = ADA,
        channel: str = CONTROL,
        event_id: str | None = None,
        thread_ts: str | None = None,
        ts: str | None = None,
        edited: bool = False,
        bot_id: str | None = None,
        subtype: str | None = None,
        queued: bool = True,
    ) -> Delivery:
        """Somebody writes to the bot; the mention is put before a text that has none.

        The text is what Slack would send: & < > already escaped. `ts` is when it was written, if not now.
        """
        at_bot = f"<@{self.bot_user_id}>"
        ts = self._said(channel, thread_ts, ts)
        payload = envelopes.app_mention(
            text=text if at_bot in text else f"{at_bot} {text}",
            user=user,
            channel=channel,
            ts=ts,
            event_id=event_id or f"Ev{self._state.number():08d}",
            thread_ts=thread_ts,
            edited=edited,
            bot_id=bot_id,
            subtype=subtype,
        )
        return self._event(payload, 0, "", queued=queued)

    def _said(self, channel: str, thread_ts: str | None, ts: str | None = None) -> str:
        """The ts of somebody's message, which may begin a thread; the message it replies to is there too."""
        with self._state.changed:
            ts = ts or self._state.ts()
            if thread_ts is not None:
                self._state.threads.setdefault((channel, thread_ts), thread_ts)
            self._state.threads[channel, ts] = thread_ts or ts
            return ts

    def open_home(self, user: str = ADA, tab: str = "home") -> Delivery:
        """Somebody looks at one of the app's tabs: "home", "messages" or "about"."""
        return self._event(
            envelopes.app_home_opened(user=user, tab=tab, event_id=f"Ev{self._state.number():08d}"), 0, "", queued=True
        )

    def redeliver(
        self, delivery: Delivery, *, attempt: int = 1, reason: str = "timeout", queued: bool = True
    ) -> Delivery:
        """Slack sends an event again, in a new envelope."""
        return self._event(delivery.payload, attempt, reason, queued=queued)

    def slash(
        self, command: str, text: str = "", *, user: str = ADA, channel: str = CONTROL, queued: bool = True
    ) -> Delivery:
        """Somebody uses a slash command."""
        payload = envelopes.slash_command(
            command=command,
            text=text,
            user=self.user(user),
            channel=channel,
            channel_name="privategroup" if self.channel(channel).private else self.channel(channel).name,
            trigger_id=self._trigger(user),
            response_url=self._response_url("commands"),
        )
        return self._envelope("slash_commands", payload, queued=queued)

    def press(
        self, action_id: str, *, message: Post, user: str = ADA, value: str | None = None, queued: bool = True
    ) -> Delivery:
        """Somebody presses a button (or chooses in a menu) of a message, as `message` shows it; a ValueError when it
        shows none such. Pass `workspace.message(channel, ts)` for what is to be seen now.
        """
        payload = envelopes.block_actions(
            action_id=action_id,
            value=value,
            user=self.user(user),
            channel_name=self.channel(message.channel).name,
            message=message,
            trigger_id=self._trigger(user),
            response_url=self._response_url("actions"),
        )
        return self._envelope("interactive", payload, queued=queued)

    def check_boxes(self, action_id: str, *values: str, user: str = ADA) -> Delivery:
        """Somebody checks these boxes, and no others, in their App Home."""
        payload = envelopes.home_actions(
            action_id=action_id,
            values=values,
            user=self.user(user),
            view=self.homes[user],
            trigger_id=self._trigger(user),
        )
        return self._envelope("interactive", payload, queued=True)

    def suggest(self, view: View, action_id: str, typed: str, *, user: str | None = None) -> Suggested:
        """Somebody types into an external select of a modal; what is suggested then. A ValueError for what Slack's
        client does not ask the app about, and for an answer of which it shows nothing.
        """
        least = [e.get("min_query_length", 3) for _, e in elements(view.view["blocks"]) if e["action_id"] == action_id]
        if len(typed) < least[0]:
            raise ValueError(f"Slack's client asks from {least[0]} characters on")
        payload = envelopes.block_suggestion(
            view=view, action_id=action_id, value=typed, user=self.user(user or view.user)
        )
        ack = self._envelope("interactive", payload, queued=False).acked()
        options = (ack.payload or {}).get("options")
        if complaints := complaints_about_options(options):
            raise ValueError(f"Slack's client shows nothing of {ack.payload}: {complaints}")
        assert options is not None
        with self._state.changed:
            self._state.suggested.setdefault(view.id, []).extend(options)
        return Suggested(options, ack.took)

    def submit_view(
        self,
        view: View | None = None,
        *,
        values: Mapping[str, Mapping[str, Any]],
        callback_id: str = "",
        private_metadata: str = "",
        user: str | None = None,
        queued: bool = True,
    ) -> Delivery:
        """Somebody submits a modal: one that the bot opened, or one made up of callback_id and private_metadata.

        `values` is the state: block_id -> action_id -> element state, such as `envelopes.chosen("lathe")`.
        """
        if view is None:
            made: Json = {"callback_id": callback_id, "private_metadata": private_metadata, "blocks": []}
            view = View(f"V{self._state.number():05d}", user or ADA, made, time.monotonic())
        needed = {b["block_id"] for b in view.view["blocks"] if b.get("type") == "input" and not b.get("optional")}
        if missing := needed - set(values):
            raise ValueError(f"Slack's client sends no form without {missing}")
        for block, element in elements(view.view["blocks"]):
            if element["type"] == "external_select":
                option = values[block["block_id"]][element["action_id"]]["selected_option"]
                if option not in self._state.suggested.get(view.id, []):
                    raise ValueError(f"nobody can choose what was not suggested: {option}")
        who = self.user(user or view.user)
        payload = envelopes.view_submission(view=view, values=values, user=who, trigger_id=self._trigger(who.id))
        return self._envelope("interactive", payload, queued=queued)

    def _event(self, payload: Json, attempt: int, reason: str, *, queued: bool) -> Delivery:
        envelope = self._new_envelope("events_api", payload, accepts=False)
        return self._sockets.deliver(envelope | {"retry_attempt": attempt, "retry_reason": reason}, queued=queued)

    def _envelope(self, kind: str, payload: Json, *, queued: bool) -> Delivery:
        return self._sockets.deliver(self._new_envelope(kind, payload, accepts=True), queued=queued)

    @staticmethod
    def _new_envelope(kind: str, payload: Json, *, accepts: bool) -> Json:
        return {
            "envelope_id": secrets.token_hex(16),
            "payload": payload,
            "type": kind,
            "accepts_response_payload": accepts,
        }

    def _trigger(self, user: str) -> str:
        with self._state.changed:
            trigger = f"{self._state.number()}.{secrets.token_hex(8)}"
            self._state.triggers[trigger] = (user, time.monotonic())
            return trigger

    def _response_url(self, kind: str) -> str:
        with self._state.changed:
            url = f"http://127.0.0.1:{self._server.port}/response/{kind}/{self._state.number()}"
            self._state.response_urls[url] = 5
            return url
