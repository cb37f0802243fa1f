"""What stands in a cell, whatever spreadsheets, CRMs and phones have put around it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mac_actors.core.config import fold_name
from mac_actors.core.text import tidy

YES: Final = frozenset({"1", "true", "yes", "y", "x", *"✓✔✅☑", "ja", "j", "wahr", "oui", "vrai", "si", "sí", "sì"})
NO: Final = frozenset({"", "0", "false", "no", "n", *"-–—✗✘❌☐", "nein", "falsch", "non", "faux"})

ANYTHING = "*"
"""Among the words that mean yes: whatever is not empty and no word for no, as the day of a training."""

_DOUBTFUL = re.compile(
    r"#.*|\W+|n\W?a\W?|k\W? ?a\W?|(keine?|nicht|noch nicht|not|no|none|never|nie|offen|open|pending)\b.*|00\.01\.1900"
)
"""What is not empty and gives nothing all the same: errors of a formula, marks, what begins like a no, no day."""

_KEPT_AS_TEXT = re.compile(r'^(?:=\s*"([^"]*)"|\'(\d.*))$')
"""How a spreadsheet is told that a number is text and keeps its zeroes: ``="007"``, ``'007``."""


def clean(text: str) -> str:
    """Return what people see in a cell, in one line."""
    return _KEPT_AS_TEXT.sub(r"\1\2", tidy(text))


def folded(text: str) -> str:
    """Return a cell as it is compared with a word, or with the name of a column."""
    return fold_name(clean(text).replace("_", " "))


def listed(texts: Iterable[str], separators: str) -> list[str]:
    """Split texts at any of the separators, and at line ends; what is empty or there twice is left out."""
    parts = (clean(part) for text in texts for part in re.split(f"[{re.escape(separators)}\n\r]", text))
    return list(dict.fromkeys(part for part in parts if part))


def truth(text: str, yes: Iterable[str] = (), no: Iterable[str] = ()) -> bool | None:
    """Understand a yes or a no, in the usual words and in those given; ``None``: it is neither."""
    word, more, less = folded(text), {*map(folded, yes)}, {*map(folded, no)}
    if word in (NO | less) - more:
        return False
    return True if word in YES | more or (ANYTHING in more and not _DOUBTFUL.fullmatch(word)) else None
