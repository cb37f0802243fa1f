"""What somebody who mentions the bot wants: text in, command out. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from mac_actors.core.redaction import MEMBER
from mac_actors.core.text import DASHES, INVISIBLE, one_line
from mac_actors.errors import UnknownMachine
from mac_actors.slack.notices import unescape


class Verb(StrEnum):
    """What the bot can do. ``HELP`` is also nothing, and anything that is not understood."""

    STATUS = "status"
    OOPS = "oops"
    LOCK = "lock"
    CLEAR = "clear"
    DONE = "done"
    HISTORY = "history"
    NOTIFY = "notify"
    LINK = "link"
    UNLINK = "unlink"
    HELP = "help"


ANYWHERE = frozenset({Verb.STATUS, Verb.NOTIFY})
"""What works outside the control channel too."""

STOPPING = frozenset({Verb.OOPS, Verb.LOCK})
"""What takes a machine's power: it waits for nobody."""

CHANGING = frozenset({Verb.OOPS, Verb.LOCK, Verb.CLEAR, Verb.DONE, Verb.LINK, Verb.UNLINK})

_WORDS = {verb.value: verb for verb in Verb} | {"list": Verb.STATUS}

ALL = "*"
"""Stands for all machines in a :class:`Target`: no machine is called so."""

LONGEST_NAME, MOST_CUTS = 200, 8
"""Characters of a name in a command, and colons and dashes before a reason: what is beyond is not looked for."""

LONGEST_REASON = 1000
"""Characters of a reason; what is longer is cut, and its end marked with an ellipsis."""


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """A verb, and what follows it as Slack sent it: the rest of its line, and the lines below.

    ``unknown`` is the word that was not understood. ``addressed`` is false where the bot is not spoken to: the mention
    stands alone, or somewhere in a sentence.
    """

    verb: Verb
    argument: str = ""
    more: str = ""
    unknown: str = ""
    addressed: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """The machine that a command is about, and the reason that was given with it; ``public_reason`` is the reason
    without the members who are mentioned in it, if there are any.
    """

    name: str
    reason: str | None = None
    public_reason: str | None = None
    when_free: bool = False
    """Whether a lock is to fall when the running session ends."""
    due: datetime | None = None
    """Since when the maintenance is due that was done, where that is known."""


_WHEN_FREE = re.compile(r"[\s,]when\s+free$", re.IGNORECASE)

_QUOTES = "\"'“”„‟‘’‚‛«»"
_AROUND = f"*_~`{_QUOTES}{INVISIBLE}"  # what people and their keyboards put around a command or a name
_MENTION = re.compile(rf"[\s{INVISIBLE}]*(?P<marks>[*_~`]*)<@(?P<user>[A-Z0-9]+)(?:\|[^>]*)?>[*_~`{INVISIBLE}]*[:,]?")
_COMMAND = re.compile(
    rf"(?P<marks>[{_AROUND}]*)(?P<word>[^\W_]+)[{_AROUND}]*(?::[{_AROUND}]*\s*|[.!]*[{_AROUND}]*(?:\s+|$))(?P<argument>.*)"
)
_REFERENCE = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_CUT = re.compile(rf"<[^<>]*>|(?<!\S):[\w+'-]+:(?!\S)|(?P<cut>:|\s[-{DASHES}]+\s)")  # none in a reference or an emoji


def parse(text: str, bot_user: str | None = None) -> ParsedCommand:
    """Read a message that mentions the bot. The mention comes first, and the command is on the first line.

    ``bot_user`` is the bot's own id; a mention of somebody else in the first place is not understood.
    """
    first, *more = text.lstrip().splitlines() or [""]
    mention = _MENTION.match(first)
    if mention is None or (bot_user is not None and mention["user"] != bot_user):
        return ParsedCommand(Verb.HELP, addressed=False)
    line = one_line(first[mention.end() :])
    if not line.strip(_AROUND):
        return ParsedCommand(Verb.HELP, addressed=False)
    command = _COMMAND.match(line)
    verb = _WORDS.get(command["word"].casefold()) if command else None
    if command is None or verb is None:
        return ParsedCommand(Verb.HELP, unknown=plain(line).partition(" ")[0][:40])
    argument = _without_end(mention["marks"] + command["marks"], command["argument"])
    return ParsedCommand(verb, argument, "\n".join(more))


def plain(text: str) -> str:
    """Return Slack's text as it was typed: references and entities undone, white space folded."""
    return _readable(_REFERENCE.sub(_typed, text))


def _readable(text: str) -> str:
    return one_line(unescape(text).encode("utf-8", "replace").decode())


def _typed(reference: re.Match[str]) -> str:
    """Return what a reference (a mention, a channel, a link) looked like to whoever typed it."""
    sign, target, label = reference.groups()
    if sign in {"@", "!"}:
        date = target.startswith("date^")
        return (label or "") if date else "@" + (label or target.partition("^")[0]).lstrip("@")
    if sign == "#":
        return "#" + (label or target)
    return label or target.removeprefix("mailto:")


def resolve(command: ParsedCommand, find: Callable[[str], str], name_of: Callable[[str], str]) -> Target:
    """Find the machine that a command names, and the reason after a colon, a dash or on further lines.

    The whole argument is tried as a name first, then what stands before each colon and dash from the last to the
    first, so that a name with a colon in it works; of a lock's, each also without "when free", which is no reason by
    itself either. ``find`` is the fleet's, and raises :class:`UnknownMachine`; so does this, for what stands before
    the first. ``name_of`` says what the member with an id is called.
    """
    argument = command.argument
    cuts = [match for match in _CUT.finditer(argument) if match["cut"]][:MOST_CUTS]
    for name, reason in [(argument, "")] + [(argument[: cut.start()], argument[cut.end() :]) for cut in reversed(cuts)]:
        later = _WHEN_FREE.search(name.rstrip(" \t.!")) if command.verb is Verb.LOCK else None
        for called in (name, name[: later.start()].rstrip(" \t,")) if later else (name,):
            try:
                machine = find_quoted(plain(called), find)
            except UnknownMachine as error:
                unknown = error
            else:
                marks = re.match(r"[*_~`]*", name.lstrip())
                why = f"{_without_end(marks[0] if marks else '', reason.strip())}\n{command.more}"
                if command.verb is Verb.LOCK and plain(why).strip(_AROUND + " .!").casefold() == "when free":
                    return Target(machine, when_free=True)
                said, public = (_reason(why, who) for who in (name_of, lambda _: MEMBER.full_name))
                return Target(machine, said, public if public != said else None, called is not name)
    raise unknown


def find_quoted(text: str, find: Callable[[str], str]) -> str:
    """Find a machine whose name may stand in quotes or marks, or at the end of a sentence (or have some of its own)."""
    name = text.strip()
    if len(name) > LONGEST_NAME:
        raise UnknownMachine(name)
    while name:
        try:
            return find(name)
        except UnknownMachine:
            begins, ends = name[0] in _AROUND, name[-1] in _AROUND + ".!"
            if not begins and not ends:
                raise
            name = name[begins : len(name) - ends].strip()
    raise UnknownMachine("")


def find_notified(argument: str, find: Callable[[str], str]) -> tuple[str, bool]:
    """Find the machine that somebody wants to be told about, and whether they don't want that any more.

    Raises :class:`UnknownMachine`.
    """
    typed = re.sub(r"^me\b\s*", "", plain(argument).strip(_AROUND + " "), flags=re.IGNORECASE)
    off = re.match(r"off\b\s*(.*)", typed, re.IGNORECASE)
    try:
        return find_quoted(typed, find), False
    except UnknownMachine:
        if off is None:
            raise
        return find_quoted(off[1], find), True


def _without_end(marks: str, text: str) -> str:
    """Return the text without the counterpart of marks that began before it."""
    end = marks[::-1]
    return text.removeprefix(f"{end} ").removesuffix(end) if end else text


def _reason(text: str, name_of: Callable[[str], str]) -> str | None:
    """Return a reason as it is shown: with names for mentions, and with both label and address of links."""

    def shown(reference: re.Match[str]) -> str:
        sign, target, _ = reference.groups()
        if sign == "@":
            return name_of(target)
        typed = _typed(reference)
        bare = re.sub(r"^(https?://|mailto:|tel:)", "", target).rstrip("/")
        return typed if sign or bare in {typed, typed.rstrip("/")} or target == typed else f"{typed} ({target})"

    reason = _readable(_REFERENCE.sub(shown, text))
    return (reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…") or None


def moment(text: object) -> datetime | None:
    """Return the time that Slack writes as seconds since 1970; ``None``: it is no such time."""
    try:
        return datetime.fromtimestamp(float(str(text)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
