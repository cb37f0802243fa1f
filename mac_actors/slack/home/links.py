"""Which account of the users file a Slack user is: by their confirmed e-mail address, or because an admin said so."""

from __future__ import annotations

import logging
import re
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from mac_actors.core.config import Directory, User, fold_name
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.slack.commands import plain
from mac_actors.slack.gateway import error_code, explain
from mac_actors.storage.records import Record, SlackLink
from mac_actors.storage.slack_users import link_of, slack_ids_of

log = logging.getLogger(__name__)

AGAIN_SECONDS = 60.0
"""How long it is believed that Slack knows nobody by an address."""

WRITE_SECONDS = 1.0
"""How long is waited for a link to be on disk, so that it can be read."""

_MEMBER = re.compile(r"<@(?P<id>[A-Z0-9]+)(?:\|[^>]*)?>\s*(?P<who>.*)")
_NOBODY = frozenset({"users_not_found", "user_not_found", "user_not_visible", "missing_scope"})


class Switch(StrEnum):
    """Direct messages that a member can switch off in App Home; all are on by default."""

    MISSING = "missing"
    """Which authorization is missing, when they were refused."""


def find_users(directory: Directory, text: str) -> list[User]:
    """Return the user with this account id, else all with this e-mail address or full name."""
    folded = fold_name(text)
    by_id = [user for user in directory.users if user.account_id == text.strip()]
    return by_id or [u for u in directory.users if folded in {fold_name(u.full_name), fold_name(u.email)} - {""}]


def parse_link(argument: str) -> tuple[str, str] | None:
    """Return the Slack user whom ``link @member ACCOUNT`` or ``unlink @member`` names, and what follows, as typed."""
    match = _MEMBER.match(argument)
    return (match["id"], plain(match["who"])) if match else None


class Links:
    """Who is who; for any thread. Nobody is linked by a guess.

    What looks in the store raises :class:`~mac_actors.errors.StorageError`, what asks Slack
    :class:`~mac_actors.errors.ChatError` where Slack can't say now.
    """

    def __init__(self, fleet: MachineFleet, client: WebClient) -> None:
        self._fleet = fleet
        self._client = client
        self._unknown: dict[str, float] = {}

    def user_of(self, slack_id: str) -> User | None:
        """Return whose Slack user this is, as the users file has them now; ``None``: it is not known."""
        return self._user(link_of(self._fleet.store, slack_id) or self._link_by_address(slack_id))

    def confirmed_user_of(self, slack_id: str) -> User | None:
        """Return whose Slack user this is by their confirmed e-mail address, not by what an admin said."""
        link = link_of(self._fleet.store, slack_id) or self._link_by_address(slack_id)
        return self._user(link) if link and link.how == "e-mail" else None

    def slack_id_of(self, account_id: str) -> str | None:
        """Return the id of the Slack user that this account is; ``None``: it is not known."""
        if known := slack_ids_of(self._fleet.store, account_id):
            return known[0]
        user = next((user for user in self._users if user.account_id == account_id), None)
        slack_id = self._slack_id_by_address(user.email) if user else None
        if slack_id is None or link_of(self._fleet.store, slack_id) or not self._is_unique(user):
            return None
        self.link(slack_id, account_id, "e-mail")
        return slack_id

    def to_be_told(self, account_id: str) -> str | None:
        """Return the Slack user who is this account, and wants to know which authorization is missing."""
        slack_id = self.slack_id_of(account_id)
        return slack_id if slack_id and self.is_on(slack_id, Switch.MISSING) else None

    def is_on(self, slack_id: str, switch: Switch) -> bool:
        """Whether this Slack user wants these direct messages."""
        link = link_of(self._fleet.store, slack_id)
        return link is None or switch not in link.switched_off

    def switch(self, slack_id: str, on: set[str]) -> None:
        """Switch those direct messages on, and all others off; for a Slack user who is linked."""
        link = link_of(self._fleet.store, slack_id)
        if link is not None:
            off = tuple(switch for switch in Switch if switch not in on)
            self._record(Record(links=(link._replace(switched_off=off),)))

    def link(self, slack_id: str, account_id: str, how: str = "admin") -> SlackLink:
        """Remember who this is, in the place of what was known of both; without an account: that it is nobody."""
        old = link_of(self._fleet.store, slack_id)
        others = tuple(one for one in slack_ids_of(self._fleet.store, account_id) if one != slack_id and account_id)
        off = old.switched_off if old and old.account_id == account_id else ()
        link = SlackLink(slack_id, account_id, how, datetime.now(UTC), off)
        self._record(Record(links=(link,), unlinked=others))
        return link

    @property
    def _users(self) -> tuple[User, ...]:
        return self._fleet.configuration.directory.users

    def _user(self, link: SlackLink | None) -> User | None:
        if link is None or not link.account_id:
            return None
        return self._fleet.configuration.directory.by_account.get(link.account_id)

    def _record(self, record: Record) -> None:
        self._fleet.journal.record(record).wait(WRITE_SECONDS)

    def _link_by_address(self, slack_id: str) -> SlackLink | None:
        """Link a Slack user by the confirmed address of their account in Slack, if exactly one user has it."""
        info = self._ask(f"who {slack_id} is", "users_info", user=slack_id)
        address = str((info.get("profile") or {}).get("email") or "") if info else ""
        found = [user for user in self._users if address and user.email.casefold() == address.casefold()]
        if len(found) != 1 or self._slack_id_by_address(address) != slack_id:
            return None
        return self.link(slack_id, found[0].account_id, "e-mail")

    def _is_unique(self, user: User | None) -> bool:
        return user is not None and sum(u.email.casefold() == user.email.casefold() for u in self._users) == 1

    def _slack_id_by_address(self, address: str) -> str | None:
        """Return whose confirmed address it is."""
        if not address:
            return None
        info = self._ask(address, "users_lookupByEmail", email=address)
        return str(info["id"]) if info else None

    def _ask(self, what: str, call: str, **arguments: str) -> dict[str, Any] | None:
        if time.monotonic() < self._unknown.get(what, 0.0):
            return None
        try:
            info: dict[str, Any] = getattr(self._client, call)(**arguments)["user"]
        except (SlackApiError, OSError, ValueError) as error:
            if error_code(error) not in _NOBODY:
                raise explain(error) from error
            info = {}
        if not info or info.get("deleted") or info.get("is_bot"):
            if len(self._unknown) > 10_000:
                self._unknown.clear()
            self._unknown[what] = time.monotonic() + AGAIN_SECONDS
            return None
        return info
