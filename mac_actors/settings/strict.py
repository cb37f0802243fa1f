"""What the entries of all the files have in common: no key that is not known, and names that people can read."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from mac_actors.core.text import character, visible


def readable(text: str) -> str:
    """Return a name, its accents as most keyboards write them; raises ``ValueError`` for one that people can't read."""
    unseen = "".join(Counter(text) - Counter(visible(text)))
    if unseen or not text.strip():
        code = character(unseen[:1])
        raise ValueError(f"a name that people can read: not blank, no control characters or invisible ones{code}")
    return unicodedata.normalize("NFC", text)


Label = Annotated[str, AfterValidator(readable)]
Authorization = Annotated[str, StringConstraints(min_length=1), AfterValidator(readable)]


class Strict(BaseModel):
    """Base of all entries: no key that is not known, no type but the right one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
