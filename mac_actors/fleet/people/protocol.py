"""What a script can count on with ``fleet.users``, whether the fleet runs in its own process or in a server's."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from mac_actors.core.people.view import UserAnswer, UserView
from mac_actors.fleet.people.unknown_fobs import UnknownFob


class AnyUsers(Protocol):
    """The users of a fleet. ``who`` is an account id, an e-mail address or a full name.

    Of a change, ``by`` and ``reason`` are for journal and notices. It counts at the next insertion of a fob. All raise
    :class:`~mac_actors.errors.UnknownUser` for who is nobody, or more than one.
    """

    def find(self, query: str = "") -> list[UserView]:
        """Return the users who have all words of ``query`` in name, e-mail address or account id, by name.

        Parts of words are enough; case and accents do not count.
        """

    def show(self, who: str, /) -> UserView:
        """Return what a user has, where it comes from, and what was taken from them."""

    def unknown(self) -> list[UnknownFob]:
        """Return the last 100 unknown fobs of the last 24 hours, the newest first."""

    def add(
        self,
        full_name: str,
        *,
        preferred_name: str = "",
        email: str = "",
        expires: date | None = None,
        fob: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> UserAnswer:
        """Add a user who is not in users.json; ``expires`` is the last day of the membership, if it has one.

        Raises :class:`~mac_actors.errors.UserRefused` where fob or e-mail address is somebody else's.
        """

    def give_fob(
        self,
        who: str,
        code: str | None = None,
        /,
        *,
        seen_at: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> UserAnswer:
        """Give a fob to a user: that of this number, or the unknown one that was last ``seen_at`` a machine.

        Raises :class:`~mac_actors.errors.UserRefused` where it is somebody else's, and says whose; or where none was
        seen there within ten minutes.
        """

    def take_fob(self, who: str, code: str, /, *, by: str | None = None, reason: str | None = None) -> UserAnswer:
        """Have a user's fob count no more, whatever users.json says, until it is given again."""

    def authorize(
        self,
        who: str,
        authorization: str,
        /,
        *,
        until: date | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> UserAnswer:
        """Authorize a user, for good or until the end of a day.

        Raises :class:`~mac_actors.errors.UnknownAuthorization` for what no machine asks for.
        """

    def withdraw(
        self,
        who: str,
        authorization: str,
        /,
        *,
        until: date | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> UserAnswer:
        """Have a user's authorization count no more, whatever users.json says, until it is granted again; or until
        the end of a day.

        Raises :class:`~mac_actors.errors.UnknownAuthorization` for what no machine asks for and they don't have.
        """
