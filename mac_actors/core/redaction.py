"""Outcomes without the names of people: what retention and ``forget`` make of lines of the journal.

What happened, where, when and how long stays; who it was, which fob, and who gave an order goes. A removed name is
an empty text, which wording shows as "someone", so that no line is ever longer than before.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from mac_actors.core.outcomes import (
    FORGOTTEN,
    Ended,
    Outcome,
    Person,
    SessionStarted,
)
from mac_actors.core.state import Flag


@dataclass(frozen=True, slots=True)
class Redaction:
    """Who is to be forgotten: by account, by the names under which they gave orders, by fob."""

    accounts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    fobs: frozenset[str] = frozenset()

    def has(self, person: Person | None) -> bool:
        """Whether this is them."""
        return person is not None and person.account_id in self.accounts

    def has_fob(self, fob: str) -> bool:
        """Whether this fob is theirs."""
        return fob in self.fobs

    def called(self, name: str | None) -> bool:
        """Whether they are called so, without regard to case."""
        return name is not None and name.casefold() in {known.casefold() for known in self.names}

    def out_of(self, text: str) -> str:
        """Return the text with "someone" where one of their names was, or less where that would be longer."""
        for name in sorted(spellings(self.names), key=len, reverse=True):
            size = len(name.encode())
            word = "someone" if size >= 7 else "…" if size >= 3 else "?"
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", word, text, flags=re.IGNORECASE)
        return text


def spellings(names: Iterable[str]) -> set[str]:
    """Return the names as they may be written beside upper and lower case: ``Strauß`` and ``STRAUSS``, é and e´."""
    cases = {form for name in names if name for form in (name, name.casefold())}
    return {unicodedata.normalize(form, name) for name in cases for form in ("NFC", "NFD")}


class Everybody(Redaction):
    """All people; what was written as a reason stays, for nobody knows whose names are in it."""

    def has(self, person: Person | None) -> bool:
        """Whether it is somebody at all."""
        return person is not None

    def has_fob(self, fob: str) -> bool:
        """Every fob is somebody's."""
        return True

    def called(self, name: str | None) -> bool:
        """Whether there is a name."""
        return name is not None


EVERYBODY = Everybody()


def without(outcome: Outcome, whom: Redaction, *, current: bool = False) -> Outcome:
    """Return the outcome with those people's names and fobs removed; the same one if they are not in it.

    ``current``: it tells of the session, oops or lock that its machine has now. That part stays as it is.
    """
    if current and isinstance(outcome, SessionStarted):
        return outcome
    changes: dict[str, Any] = {}
    user: Person | None = getattr(outcome, "user", None)
    fob: str = getattr(outcome, "fob", "")
    if user is not None and whom.has(user):
        changes["user"] = FORGOTTEN
    if fob and (whom.has(user) or whom.has_fob(fob)):
        changes["fob"] = ""
    ended: Ended | None = getattr(outcome, "ended", None)
    if ended is not None and whom.has(ended.user):
        changes["ended"] = replace(ended, user=FORGOTTEN)
    for part in ("flag", "oops", "lock"):
        flag: Flag | None = getattr(outcome, part, None)
        if flag is not None and not current:
            changes[part] = replace(flag, **_order(flag, whom))
    if hasattr(outcome, "by"):
        changes |= _order(outcome, whom)
    changed = replace(outcome, **changes)
    return outcome if changed == outcome else changed


def _order(order: Any, whom: Redaction) -> dict[str, Any]:
    return {
        "by": "" if order.by and whom.called(order.by) else order.by,
        "reason": whom.out_of(order.reason) if order.reason else order.reason,
    }


MEMBER = Person("", "a member")
"""Whoever it was, where names are hidden."""


def without_fob(outcome: Outcome) -> Outcome:
    """Return the outcome without the code of the fob, which is told to nobody outside."""
    hidden: dict[str, Any] = {"fob": ""} if hasattr(outcome, "fob") else {}
    return replace(outcome, **hidden)


def without_names(outcome: Outcome) -> Outcome:
    """Return the outcome without fob, and without saying which member or admin it was."""
    hidden: dict[str, Any] = {}
    if getattr(outcome, "user", None):
        hidden["user"] = MEMBER
    if ended := getattr(outcome, "ended", None):
        hidden["ended"] = replace(ended, user=MEMBER)
    for name in ("flag", "oops", "lock"):
        if flag := getattr(outcome, name, None):
            hidden[name] = replace(flag, by=None)
    if hasattr(outcome, "by"):
        hidden["by"] = None
    return without_fob(replace(outcome, **hidden))
