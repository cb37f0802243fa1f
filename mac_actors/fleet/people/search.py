"""Finds users by parts of their names, account id or e-mail address, without regard to case and accents."""

from __future__ import annotations

import threading

from mac_actors.core.config import Directory, User
from mac_actors.core.text import search_key

_Entry = tuple[User, str, str, str]
"""A user, their name, all that is searched in, and their e-mail address."""


class UserSearch:
    """Keeps what is searched in, for the users who are the same as before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directory = Directory()
        self._folded: dict[str, _Entry] = {}
        self._sorted: list[_Entry] = []

    def find(self, directory: Directory, query: str, *, addresses: bool) -> list[User]:
        """Return the users who have all words of ``query`` in them, by name; first those with a name that begins so.
        ``addresses``: e-mail addresses count too.
        """
        entries = self._entries(directory)
        words = search_key(query).split()
        found = [
            (user, name)
            for user, name, text, address in entries
            if all(word in text or (addresses and word in address) for word in words)
        ]
        begins = f" {words[0]}" if words else ""
        found.sort(key=lambda entry: begins not in f" {entry[1]}")
        return [user for user, _ in found]

    def _entries(self, directory: Directory) -> list[_Entry]:
        with self._lock:
            if directory is not self._directory:
                before = self._folded
                self._folded = {user.account_id: _entry(user, before.get(user.account_id)) for user in directory.users}
                self._sorted = sorted(self._folded.values(), key=lambda entry: entry[1])
                self._directory = directory
            return self._sorted


def _entry(user: User, before: _Entry | None) -> _Entry:
    if before is not None and before[0] is user:
        return before
    name = search_key(user.full_name)
    text = "\n".join((name, search_key(user.preferred_name), search_key(user.account_id)))
    return user, name, text, search_key(user.email)
