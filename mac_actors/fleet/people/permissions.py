"""What trainers may do: admins may do all. Each of these raises :class:`~mac_actors.errors.NotAllowed`.

``trainer`` is the account id of a trainer, ``None`` for an admin. What a trainer may do follows from what they hold at
this moment.
"""

from __future__ import annotations

from dataclasses import replace

from mac_actors.core.config import read_fob
from mac_actors.core.people.additions import Author
from mac_actors.core.people.trainers import teachable
from mac_actors.core.people.view import Item, UserView
from mac_actors.core.phrases import phrase
from mac_actors.errors import NotAllowed
from mac_actors.fleet.people.users import Users


def allow_authorization(users: Users, trainer: str | None, name: str) -> None:
    """Let trainers grant and withdraw what the machines ask for that they train others for."""
    if trainer is not None and name not in teachable(users.trained_by(trainer)):
        raise NotAllowed(phrase("you train nobody for {name}: ask an admin, or a trainer for it", name=repr(name)))


def allow_fob(users: Users, trainer: str | None, code: str | None) -> None:
    """Let trainers give a fob that was just seen; ``None``: one that is named by where it was seen, or none."""
    if trainer is None or code is None:
        allow_any(users, trainer)
    elif read_fob(code) not in {one.code for one in users.just_seen()}:
        raise NotAllowed(
            phrase("trainers give fobs that were held to a reader within the last 10 minutes: hold it there, first")
        )


def allow_take(users: Users, trainer: str | None, author: Author, view: UserView, code: str) -> None:
    """Let trainers take a fob back that they have given themselves."""
    if trainer is None:
        return
    allow_any(users, trainer)
    given = next((item for item in view.fobs if item.value == code), None)
    if given is None or given.source == "file" or given.by != author.by:
        raise NotAllowed(phrase("trainers take back fobs alone that they have given themselves: ask an admin"))


def allow_any(users: Users, trainer: str | None) -> None:
    """Let whoever is a trainer at all look for users, and add some."""
    if trainer is not None and not users.trained_by(trainer):
        raise NotAllowed(phrase("you are no trainer any more"))


def for_trainers(view: UserView) -> UserView:
    """Return a user as trainers see them: without e-mail address, and no more than the end of each fob."""
    return replace(view, email="", fobs=_ends(view.fobs), fobs_taken=_ends(view.fobs_taken))


def _ends(fobs: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(replace(fob, value=f"…{fob.value[-4:]}") for fob in fobs)
