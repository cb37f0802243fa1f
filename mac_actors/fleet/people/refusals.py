"""What is refused of changes of users: a fob that is somebody else's."""

from __future__ import annotations

from mac_actors.core.people import changes
from mac_actors.core.people.people import People
from mac_actors.core.phrases import phrase
from mac_actors.errors import UserRefused


def refuse_owner(people: People, fob: str, account_id: str | None) -> None:
    """Raise :class:`UserRefused` if this fob is somebody else's than that account's."""
    other = changes.owner(people, fob)
    if other is None or other.account_id == account_id:
        return
    if people.directory.find(fob) is None:
        raise UserRefused(
            phrase(
                "users.json gives this fob to {name} ({account}), from whom it was taken away: nothing was changed; "
                "give it to them again, or take it out of the file first",
                name=other.full_name,
                account=other.account_id,
            )
        )
    raise UserRefused(
        phrase(
            "this fob is {name}'s ({account}): nothing was changed; take it from them first",
            name=other.full_name,
            account=other.account_id,
        )
    )
