"""The numbers of fobs in a cell: each is taken when it is there whole, or the cell is refused with what to do.

Spreadsheets take the number of a fob for a quantity: they round it, group its digits and cut its zeroes. A part of
such a number would be a short fob that somebody else may carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from statistics import median

from mac_actors.core.config import normalize_fob
from mac_actors.core.text import DASHES
from mac_actors.imports.users.cells import clean
from mac_actors.imports.users.source import Problem

SEPARATORS = ";"
"""What stands between several fobs unless the source says otherwise: a comma stands in numbers too."""

SHORTEST_PART = 6
"""Digits, zeroes included, of a part that was cut at what also stands in numbers."""

_IN_NUMBERS = set(",.'’:- \n")
_QUOTES = "'\"`´‘’“”„"

_ROUNDED = re.compile(r"\d+([.,]\d*)?E\+\d+|\d+[.,]\d*E-?\d+|[1-9]\d{14}0+", re.IGNORECASE)
"""``4,687E+11``; or of more than 15 digits those that a spreadsheet keeps. ``4E872096`` is a UID."""

_GROUPS = re.compile(r"[0-9A-F]{2}([-: ][0-9A-F]{2})+|[0-9A-F]{4}([-: ][0-9A-F]{4})+", re.IGNORECASE)
_DAY_OR_TIME = re.compile(r"\d\d([-: ]\d\d){1,2}")

_ANEW = "set the column's format to text and enter the whole number anew; several fobs stand between ;"
_ALONE = "enter its digits (and A to F) alone, and leave the cell empty if there is none"


def read_fobs(text: str, separators: str = SEPARATORS) -> tuple[list[str], str]:
    """Return the fobs of a cell as they are written there, and what is wrong with them (nothing: empty)."""
    cell = "\n".join(re.sub(f"[{DASHES}]", "-", clean(line)) for line in text.splitlines())
    pieces = re.split(f"[\n{re.escape(separators)}]", cell)
    parts = [part for piece in pieces if (part := clean(piece).strip(_QUOTES)).strip("-")]
    cut_within = _IN_NUMBERS & {"\n", *separators} & {*cell}
    if cut_within and len(parts) > 1 and min(map(len, parts)) < SHORTEST_PART:
        return [], f"{cell!r} may be one number: {_ANEW}"
    problem = "; ".join(filter(None, map(_problem, parts)))
    return [] if problem else list(dict.fromkeys(parts)), problem


def fobs_of(cells: Iterable[tuple[str, str]], separators: str) -> tuple[dict[str, str], list[Problem]]:
    """Return the fobs of a user's cells (their places, and what stands there) with their places; and problems."""
    fobs: dict[str, str] = {}
    problems: list[Problem] = []
    for place, text in cells:
        found, problem = read_fobs(text, separators)
        fobs |= {fob: place for fob in found if fob not in fobs}
        if problem:
            problems.append(Problem("fob_codes", place, problem))
    return fobs, problems


def _problem(part: str) -> str:
    """Say why this is not the whole number of a fob, if it is not."""
    fob = normalize_fob(part) or ""
    if _ROUNDED.fullmatch(part):
        return f"{part!r} is a rounded number: {_ANEW}"
    whole = re.fullmatch("[0-9A-F]+", fob) and (part.isalnum() or _GROUPS.fullmatch(part)) and part.isascii()
    if whole and not _DAY_OR_TIME.fullmatch(part) and not (part.isalpha() and len(part) < 8):
        return ""
    return f"{part!r} is not the whole number of a fob: {_ANEW if fob and re.search('[0-9]', part) else _ALONE}"


def far_shorter(fobs: Sequence[str]) -> frozenset[str]:
    """Return those that are no numbers of fobs if most others are: one of 4 digits among many of 10."""
    lengths = sorted(map(len, fobs))
    usual = len(lengths) >= 10 and median(lengths) >= 8
    return frozenset(fob for fob in fobs if usual and len(fob) < SHORTEST_PART)
