"""Who is behind a Slack user's id: display names, looked up once and remembered."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from mac_actors.core.text import one_line

log = logging.getLogger(__name__)

FRESH_SECONDS = 3600.0
"""How long what Slack said of a user is believed."""

RETRY_SECONDS = 30.0
"""How long a user whom Slack could not tell is named by the id, before Slack is asked again."""


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

    def get(self, user: str) -> SlackUser:
        """Return who this is; when Slack can't say, the id stands for the name. Never raises."""
        with self._lock:
            person, until = self._known.get(user, (SlackUser(user), 0.0))
        if time.monotonic() < until:
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

    def is_member(self, user: str, channel: str) -> bool:
        """Whether this user is in the channel now; not, when Slack can't say. Never raises."""
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
            return False

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
