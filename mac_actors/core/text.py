"""Small things about texts: one line, lengths of time and numbers of things in words."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime

from mac_actors.core.phrases import Phrase, phrase

JOINERS = "\u200c\u200d"
_LONE_JOINER = re.compile(f"(?<![^\x00-\x7f])[{JOINERS}]|[{JOINERS}](?![^\x00-\x7f])")

INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufe0f\ufeff"
"""Characters without width, which keyboards and copied texts bring along."""

DASHES = "‐‑‒–—―−"
"""What is typed or made by a phone or a spreadsheet for a hyphen."""


def one_line(text: object) -> str:
    """Return the text in one line, with one space wherever there is white space."""
    return " ".join(str(text).split())


def check_text(**given: object) -> None:
    """Raise ``TypeError`` for what a script gives as a text, or as ``None``, and is neither."""
    for name, value in given.items():
        if not (value is None or isinstance(value, str)):
            raise TypeError(f"{name}: expected a text, not {value!r}")


def visible(text: str) -> str:
    """Return the text without what nobody sees: control characters, zero-width ones, marks of direction.

    What joins two emoji, or two letters of a script that needs it, stays.
    """
    return "".join(c for c in _LONE_JOINER.sub("", text) if c.isprintable() or c in JOINERS)


def tidy(text: object) -> str:
    """Return the text in one line, without what nobody sees."""
    return one_line(visible(one_line(text)))


def character(char: str) -> str:
    """Name a character that should not be there, for the end of a sentence; nothing for none."""
    name = unicodedata.name(char, "a control character") if char else ""
    return f" (here is U+{ord(char):04X}, {name})" if char else ""


def count(number: int, noun: str) -> str:
    """Say how many: ``1 user``, ``2 users``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> Phrase:
    """Say a length of time as people do: ``42 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return Phrase(f"{int(seconds)} s")
    if minutes < 60:
        return Phrase(f"{minutes} min")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return Phrase(f"{hours} h {minutes:02} min")
    return phrase("{days} d {hours} h", days=hours // 24, hours=hours % 24)


def read_day(text: object) -> date:
    """Read a day as ``YYYY-MM-DD``. Raises ``ValueError`` with what is expected."""
    try:
        if isinstance(text, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("a day as YYYY-MM-DD, for example 2027-03-31")


def reader_text(
    firmware: str | None,
    poke: int | None,
    obeyed_after: float | None,
    *,
    keyed: bool,
    alone: str,
) -> str | None:
    """Say what a reader told of itself, whether it has a key, and how long it took to learn of the last command.

    Then what it does ``alone`` (:meth:`~mac_actors.core.config.Offline.told`). For example ``mac-actors-reader 1.0, has
    a key, takes pokes, obeyed after 9 ms; without the server after 60 s: list 1795030741512 may start it``; ``None``:
    nothing is known.
    """
    known = (
        firmware,
        "has a key" if keyed else firmware and "no key",
        "takes pokes" if poke else None,
        None if obeyed_after is None else f"obeyed after {seconds_text(obeyed_after)}",
    )
    parts = (", ".join(filter(None, known)), f"without the server {alone}" if alone else None)
    return "; ".join(filter(None, parts)) or None


def seconds_text(seconds: float) -> str:
    """Say a length of time that is mostly short: ``9 ms``, ``4.2 s``; from a minute on as :func:`duration`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def local_time(at: datetime, *, seconds: bool = False) -> str:
    """Say a time as the shop's clocks do, with their zone: ``2026-11-24 19:00 CET``."""
    return f"{at.astimezone():{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}} {zone(at)}"


def zone(at: datetime) -> str:
    """Return the zone of the shop's clocks at this moment: ``CET``; ``UTC+01:00`` where it has no such name."""
    local = at.astimezone()
    return f"{local:%Z}" if f"{local:%Z}".isalpha() else f"UTC{local.isoformat()[-6:]}"


_PLAIN = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def search_key(text: str) -> str:
    """Return a text as it is searched: without case, accents, hyphens and marks (as in static/board.js)."""
    plain = unicodedata.normalize("NFKD", text).lower().translate(_PLAIN)
    return one_line("".join(c for c in plain if unicodedata.category(c)[0] not in "MP" and c not in INVISIBLE))
