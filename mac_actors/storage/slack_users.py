"""Which account a Slack user is, as the disk has it. The journal actor writes it."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime

from sqlalchemy import select

from mac_actors.storage.records import SlackLink
from mac_actors.storage.schema import slack_user
from mac_actors.storage.store import Store


def all_links(store: Store) -> list[SlackLink]:
    """Return every Slack user who is linked. Raises :class:`~mac_actors.errors.StorageError`."""
    with store.reading("read the Slack users") as connection:
        return [
            SlackLink(row.id, row.account_id, row.how, datetime.fromisoformat(row.at), tuple(row.switched_off.split()))
            for row in connection.execute(select(slack_user).order_by(slack_user.c.id))
        ]


def link_of(store: Store, slack_id: str) -> SlackLink | None:
    """Return whom this Slack user is linked with. Raises :class:`~mac_actors.errors.StorageError`."""
    return next((link for link in all_links(store) if link.id == slack_id), None)


def slack_ids_of(store: Store, account_id: str) -> tuple[str, ...]:
    """Return the ids of the Slack users that are this account. Raises :class:`~mac_actors.errors.StorageError`."""
    return tuple(link.id for link in all_links(store) if link.account_id == account_id)


def ids_by_address(store: Store, accounts: Set[str]) -> tuple[str, ...]:
    """Return the ids of the Slack users that are one of these accounts by their e-mail address."""
    links = all_links(store) if accounts else []
    return tuple(link.id for link in links if link.account_id in accounts and link.how == "e-mail")
