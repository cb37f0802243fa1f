"""Who is behind a Slack user's id: display names, looked up once and remembered."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from mac_actors.core.text import one_line
from mac_actors.slack.workers import Workers

log = logging.getLogger(__name__)

FRESH_SECONDS = 3600.0
"""How long what Slack said of a user is believed."""

RETRY_SECONDS = 30.0
"""How long a user whom Slack could not tell is named by the id, before Slack is asked again."""

HURRY_SECONDS = 1.0
"""How long all look-ups together may take for a command that stops a machine."""


@dataclass(frozen=True, slots=True)
class SlackUser:
    """A Slack user. ``active`` is false for deactivated ones, and for bots; ``None`` where Slack can't say."""

    name: str
    active: bool | None = None


class SlackUsers:
    """A cache of users.info, for any thread."""

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[str, tuple[SlackUser, float]] = {}
        self._asking = Workers(4, "slack-names")

    def get(self, user: str) -> SlackUser:
        """Return who this is; when Slack can't say, the id stands for the name. Never raises."""
        person, fresh = self._remembered(user)
        if fresh:
            return person
        try:
            info: Any = self._client.users_info(user=user)["user"]
            person = SlackUser(_name(info) or user, not info.get("deleted") and not info.get("is_bot"))
            until = time.monotonic() + FRESH_SECONDS
        except (SlackApiError, OSError, ValueError, KeyError, TypeError) as error:
            log.warning("Slack can't say who %s is (%s): the id stands for the name", user, error)
            until = time.monotonic() + RETRY_SECONDS
        with self._lock:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[user] = (person, until)
        return person

    def hurried(self) -> Callable[[str], SlackUser]:
        """Return :meth:`get` for one command that stops a machine: whom Slack has not told within a second, in all, is
        who they were, or the id. What it says later is for the next command.
        """
        deadline = time.monotonic() + HURRY_SECONDS

        def get(user: str) -> SlackUser:
            person, fresh = self._remembered(user)
            if fresh:
                return person
            try:
                return self._asking.submit(self.get, user).result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                log.warning("Slack does not say in time who %s is: the id stands for the name", user)
                return person

        return get

    def _remembered(self, user: str) -> tuple[SlackUser, bool]:
        """Return who this was when Slack was asked last, and whether it need not be asked again."""
        with self._lock:
            person, until = self._known.get(user, (SlackUser(user), 0.0))
        return person, time.monotonic() < until

    def is_member(self, user: str, channel: str) -> bool | None:
        """Whether this user is in the channel now; ``None``: Slack can't say. Never raises."""
        cursor = ""
        try:
            while True:
                page = self._client.conversations_members(channel=channel, limit=1000, cursor=cursor)
                if user in (page["members"] or ()):
                    return True
                cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
                if not cursor:
                    return False
        except (SlackApiError, OSError, ValueError, KeyError) as error:
            log.warning("Slack can't say whether %s is in %s (%s): taken for no member", user, channel, error)
            return None

    def learn(self, channel: str) -> None:
        """Look up the members of a channel beforehand, so that their commands don't wait for it. Never raises."""
        try:
            members = self._client.conversations_members(channel=channel, limit=200)["members"]
        except (SlackApiError, OSError, ValueError, KeyError) as error:
            log.info("the members of %s can't be listed (%s)", channel, error)
            return
        for user in members or ():
            self.get(user)


def _name(info: dict[str, Any]) -> str | None:
    profile = info.get("profile") or {}
    names = (profile.get("display_name"), profile.get("real_name"), info.get("real_name"), info.get("name"))
    return next((one_line(name) for name in names if name and str(name).strip()), None)
