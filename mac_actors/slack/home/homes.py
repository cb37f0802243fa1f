"""Publishes App Homes: when somebody opens theirs, and again while it may be open, as soon as something has changed."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from mac_actors.core.access import may_use
from mac_actors.core.backoff import Backoff
from mac_actors.core.changed import Changed
from mac_actors.core.config import User
from mac_actors.errors import ChatError, StorageError
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.slack.gateway import error_code, explain
from mac_actors.slack.home.links import Links, Switch
from mac_actors.slack.home.view import Member, home
from mac_actors.slack.live import words
from mac_actors.storage.history.sessions import last_of

log = logging.getLogger(__name__)

OPEN_SECONDS = 600.0
"""How long a Home is kept up to date after it was opened: Slack does not say when it is left."""

PACE_SECONDS = 0.6
"""Between two publications: Slack takes a hundred a minute."""

RETRY = 2.0, 60.0
"""Seconds until what Slack has not taken is tried again: doubled from the first to the last."""

SESSIONS, SESSIONS_AGE = 5, timedelta(days=90)
"""How many sessions are shown, and how old they may be."""

_NEVER = frozenset({"not_enabled", "user_not_found", "user_disabled", "missing_scope", "unknown_method"})


class Homes:
    """All Homes that are open; the latest state wins. :meth:`step` is for one thread, the rest for any."""

    def __init__(self, fleet: MachineFleet, client: WebClient, links: Links) -> None:
        self._fleet, self._client, self._links = fleet, client, links
        self._lock = threading.Lock()
        self._open: dict[str, float] = {}
        self._due: dict[str, None] = {}
        self._changed = Changed(None)
        self._next_at = 0.0
        self._backoff = Backoff(*RETRY)
        self._trouble = Changed(None)

    def opened(self, user: str) -> None:
        """Publish a user's Home as soon as possible."""
        with self._lock:
            self._open[user] = time.monotonic()
            self._due = {user: None} | self._due

    def switched(self, user: str, action: dict[str, Any]) -> None:
        """Remember which direct messages a user wants, and show what is remembered."""
        chosen = {str(option["value"]) for option in action.get("selected_options") or ()}
        try:
            self._links.switch(user, chosen)
        finally:
            self.opened(user)

    def step(self) -> None:
        """Publish one Home that is no longer right, if it is time; what Slack refuses is tried again later."""
        now = time.monotonic()
        with self._lock:
            self._open = {user: at for user, at in self._open.items() if now - at < OPEN_SECONDS}
            if not (self._open or self._due) or now < self._next_at:
                return
            machines, rules = self._fleet.snapshots(), self._fleet.configuration
            sessions = tuple((machine.name, machine.session) for machine in machines)
            if self._changed((words.rows(machines), sessions, id(rules))):
                self._due |= dict.fromkeys(self._open)
            user = next(iter(self._due), None)
            if user is None:
                return
            del self._due[user]
        self._next_at = now + PACE_SECONDS
        try:
            self._client.views_publish(user_id=user, view=home(machines, self._member(user)))
        except (SlackApiError, OSError, ValueError, ChatError, StorageError) as error:
            self._refused(user, error)
            return
        self._backoff.reset()
        self._trouble(None)

    def _refused(self, user: str, error: Exception) -> None:
        refusal = error if isinstance(error, ChatError | StorageError) else explain(error)
        if self._trouble(str(refusal)) and not isinstance(error, OSError):  # that is said of the connection
            log.warning("the App Home of %s can't be published: %s", user, refusal)
        if error_code(error) in _NEVER:
            return
        asked = refusal.retry_after if isinstance(refusal, ChatError) else None
        self._next_at = time.monotonic() + (self._backoff.next() if asked is None else asked)
        with self._lock:
            self._due[user] = None

    def _member(self, slack_id: str) -> Member | None:
        user = self._links.user_of(slack_id)
        if user is None:
            return None
        now, rules = datetime.now(UTC), self._fleet.configuration
        machines, people = rules.machines.values(), rules.directory
        return Member(
            user,
            {config.name for config in machines if may_use(config, people, user, now)},
            people.expired(user, now),
            self._sessions(user, now),
            [switch for switch in Switch if self._links.is_on(slack_id, switch)],
        )

    def _sessions(self, user: User, now: datetime) -> list[Any]:
        with self._fleet.store.reading("read a user's last sessions") as connection:
            return last_of(connection, user.account_id, (now - SESSIONS_AGE).timestamp(), SESSIONS)
