"""Outcomes without the names of people: what retention and ``forget`` make of lines of the journal.

What happened, where, when and how long stays; who it was, which fob, and who gave a command goes. A removed name is
an empty text, which wording shows as "someone", so that no line is ever longer than before.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from mac_actors.core.config import normalize_fob
from mac_actors.core.outcomes import FORGOTTEN, Cleared, Ended, Outcome, Person, Reported, SessionStarted, UserChanged
from mac_actors.core.people.additions import Author
from mac_actors.core.state import Details, Flag

MEMBER = Person("", "a member")
"""Whoever it was, where names are hidden."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """Whose names are taken out: by account, by the names under which they gave commands, by fob; or everybody's.

    ``person`` and ``by`` are what stands in their place.
    """

    accounts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    fobs: frozenset[str] = frozenset()
    everybody: bool = False
    person: Person = FORGOTTEN
    by: str | None = ""

    def has(self, person: Person | None) -> bool:
        """Whether this is them."""
        return person is not None and (self.everybody or person.account_id in self.accounts)

    def has_fob(self, fob: str) -> bool:
        """Whether this fob is theirs; in the journal it may be as an earlier version wrote it."""
        return self.everybody or normalize_fob(fob) in self.fobs

    def has_name(self, name: str | None) -> bool:
        """Whether this is one of their names, without regard to case."""
        if name is None or self.everybody:
            return name is not None
        return name.casefold() in {known.casefold() for known in self.names}

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


EVERYBODY = Redaction(everybody=True)
"""All people; what was written as a reason stays, for nobody knows whose names are in it."""

_HIDDEN = Redaction(everybody=True, person=MEMBER, by=None)


def without(outcome: Outcome, redaction: Redaction, *, current: bool = False) -> Outcome:
    """Return the outcome with those people's names and fobs removed; the same one if they are not in it.

    ``current``: it tells of the session, oops or lock that its machine has now. That part stays as it is.
    """
    if current and isinstance(outcome, SessionStarted):
        return outcome
    changes: dict[str, Any] = {}
    for name, fact in outcome.facts(Person, Ended, Flag, Details).items():
        match fact:
            case Person() if redaction.has(fact):
                changes[name] = redaction.person
            case Ended(user=user) if redaction.has(user):
                changes[name] = replace(fact, user=redaction.person)
            case Flag() if not current and (removed := _origin(fact, redaction)):
                changes[name] = replace(fact, **removed)
    if outcome.fob and (redaction.has_fob(outcome.fob) or redaction.has(outcome.person)):
        changes["fob"] = ""
    if isinstance(outcome, Cleared | UserChanged):
        changes |= _origin(outcome, redaction)
    if isinstance(outcome, Reported):
        text = "" if redaction is _HIDDEN else redaction.out_of(outcome.text)
        changes |= {"by": redaction.by if redaction.has_name(outcome.by) else outcome.by, "text": text}
    changes = {name: fact for name, fact in changes.items() if fact != getattr(outcome, name)}
    return replace(outcome, **changes) if changes else outcome


def _origin(origin: Flag | Cleared | UserChanged | Author, redaction: Redaction) -> dict[str, Any]:
    """Return what changes in ``by`` and ``reason``."""
    changes: dict[str, Any] = {}
    if redaction.has_name(origin.by):
        changes["by"] = redaction.by
    reasons = ["reason"]
    if isinstance(origin, UserChanged | Author):
        if redaction.everybody:
            changes["reason"] = origin.reason and ""
    else:
        reasons.append("public_reason")
        if redaction.everybody and origin.public_reason:
            changes |= {"reason": origin.public_reason, "public_reason": ""}
    for name in reasons:
        if redaction.names and (text := getattr(origin, name)):
            changes[name] = redaction.out_of(text)
    return {name: text for name, text in changes.items() if text != getattr(origin, name)}


def without_author(author: Author, redaction: Redaction) -> Author:
    """Return who changed a user without those people's names."""
    return replace(author, **_origin(author, redaction))


def without_fob(outcome: Outcome) -> Outcome:
    """Return the outcome without the code of the fob, which nobody outside is shown."""
    hidden: dict[str, Any] = {"fob": ""}
    return replace(outcome, **hidden) if outcome.fob else outcome


def without_names(outcome: Outcome) -> Outcome:
    """Return the outcome without fob, and without saying which member or admin it was."""
    return without(outcome, _HIDDEN)
