"""What somebody who mentions the bot wants: text in, command out. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mac_actors.core.text import one_line
from mac_actors.errors import UnknownMachine
from mac_actors.slack.notices import unescape


class Verb(StrEnum):
    """What the bot can do. ``HELP`` is also nothing, and anything that is not understood."""

    STATUS = "status"
    OOPS = "oops"
    LOCK = "lock"
    CLEAR = "clear"
    HISTORY = "history"
    HELP = "help"


CHANGING = frozenset({Verb.OOPS, Verb.LOCK, Verb.CLEAR})

_WORDS = {verb.value: verb for verb in Verb} | {"list": Verb.STATUS}

LONGEST_NAME, MOST_COLONS = 200, 8
"""Characters and colons that a name may have in a command: what is beyond is not looked for."""

LONGEST_REASON = 1000
"""Characters of a reason; what is longer is cut, and its end marked with an ellipsis."""


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """A verb, and the rest of its line. ``unknown`` is the word that was not understood."""

    verb: Verb
    argument: str = ""
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The machine that a command is about, and the reason that was given with it."""

    name: str
    reason: str | None = None


_MENTION = re.compile(r"\s*<@([A-Z0-9]+)(?:\|[^>]*)?>")
_REFERENCE = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_QUOTES = "\"'`“”„‟‘’‚‛«»"


def parse(text: str, bot_user: str | None = None) -> ParsedCommand:
    """Read a message that mentions the bot. The mention comes first, and the command is on the first line.

    ``bot_user`` is the bot's own id; a mention of somebody else in the first place is not understood.
    """
    mention = _MENTION.match(text)
    if mention is None or (bot_user is not None and mention[1] != bot_user):
        return ParsedCommand(Verb.HELP)
    lines = text[mention.end() :].splitlines()
    word, _, rest = plain(lines[0] if lines else "").partition(" ")
    verb = _WORDS.get(word.casefold())
    if verb is None:
        return ParsedCommand(Verb.HELP, unknown=word[:40])
    return ParsedCommand(verb, rest)


def plain(text: str) -> str:
    """Return Slack's text as it was typed: references and entities undone, white space folded."""
    return one_line(unescape(_REFERENCE.sub(_typed, text)).encode("utf-8", "replace").decode())


def _typed(reference: re.Match[str]) -> str:
    """Return what a reference (a mention, a channel, a link) looked like to whoever typed it."""
    sign, target, label = reference.groups()
    if sign in {"@", "!"}:
        return "@" + (label or target.partition("^")[0]).lstrip("@")
    if sign == "#":
        return "#" + (label or target)
    return label or target.removeprefix("mailto:")


def resolve(argument: str, find: Callable[[str], str]) -> Target:
    """Find the machine that ``argument`` names, and the reason after a colon.

    The whole argument is tried as a name first, then what stands before each colon from the last to the
    first, so that a name with a colon in it works. ``find`` is the fleet's, and raises
    :class:`UnknownMachine`; so does this, for what stands before the first colon.
    """
    parts = argument.split(":", MOST_COLONS)
    for used in range(len(parts), 0, -1):
        try:
            return Target(find_quoted(":".join(parts[:used]), find), _reason(":".join(parts[used:])))
        except UnknownMachine as error:
            unknown = error
    raise unknown


def find_quoted(text: str, find: Callable[[str], str]) -> str:
    """Find a machine whose name may stand in quotes or backticks (and may have some of its own)."""
    name = text.strip()
    if len(name) > LONGEST_NAME:
        raise UnknownMachine(name)
    while name:
        try:
            return find(name)
        except UnknownMachine:
            if name[0] not in _QUOTES and name[-1] not in _QUOTES:
                raise
            inner = name[1:] if name[0] in _QUOTES else name
            name = (inner[:-1] if inner and inner[-1] in _QUOTES else inner).strip()
    raise UnknownMachine("")


def _reason(text: str) -> str | None:
    reason = one_line(text)
    return (reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…") or None
