"""What the entries of all the files have in common: no key that is not known, and names that people can read."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from mac_actors.core.text import visible


def readable(text: str) -> str:
    """Return a name as it is; raises ``ValueError`` for one that people can't read."""
    unseen = [*Counter(text) - Counter(visible(text))]
    if unseen or not text.strip():
        code = f" (here is U+{ord(unseen[0]):04X})" if unseen else ""
        raise ValueError(f"a name that people can read: not blank, no control characters or invisible ones{code}")
    return text


Label = Annotated[str, AfterValidator(readable)]
Authorization = Annotated[str, StringConstraints(min_length=1), AfterValidator(readable)]


class Strict(BaseModel):
    """Base of all entries: no key that is not known, no type but the right one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
