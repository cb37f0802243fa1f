"""The state of every machine in words, what is wrong first. Without names, and without what changes by itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mac_actors.core.snapshot import Snapshot
from mac_actors.core.text import count, local_time, one_line
from mac_actors.core.wording import details_text
from mac_actors.slack.notices import escape

KEPT = "The machine server keeps this up to date: what is written here by hand is lost."
"""By this sentence a canvas of ours is known again. No canvas of people has it."""

LONGEST_MESSAGE = 3900
"""Characters of the message: Slack takes no change of a longer one than 4,000."""

LONGEST = 500
"""Characters that are said of one machine; its notice has the rest."""

TOGETHER = 20
"""Names in one line."""

OUT, SILENT, USED, FREE = "Out of use", "Reader silent", "In use", "Free"

_SPECIAL = re.compile(r"([\\`*\[\]<>~!|&]|(?<!\w)_|_(?!\w))")

Rows = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""Headings, and below each the machines with what is to be said of them."""


def rows(machines: Sequence[Snapshot]) -> Rows:
    """Return what is to be shown; while it is the same, nothing has changed."""
    found: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (OUT, SILENT, USED, FREE)}
    for machine in machines:
        heading, text = sentence(machine.without_names())
        found[heading].append((one_line(machine.display_name), text))
    return tuple((heading, tuple(entries)) for heading, entries in found.items() if entries)


def sentence(machine: Snapshot) -> tuple[str, str]:
    """Return below which heading a machine stands, and what is to be said of it, without its name."""
    heading, parts = FREE, []
    for word, flag in (("oopsed", machine.oops), ("locked out", machine.lock)):
        if flag:
            heading = OUT
            parts.append(f"{word} since {local_time(flag.since)}" + (f": {flag.reason}" if flag.reason else ""))
    if machine.details:
        parts.append(details_text(machine.details, names=False))
    if heading == FREE and machine.last_checkin and not machine.online:
        heading = SILENT
        parts.append("its reader is silent" + (", a session was running" if machine.session else ""))
    elif machine.session:
        heading = USED if heading == FREE else heading
        parts.append(f"in use since {local_time(machine.session.since)}" if heading == USED else "runs by override")
    elif heading == FREE and machine.relay:
        parts.append("always on")
    if machine.lock_pending:
        why = f": {machine.lock_pending.reason}" if machine.lock_pending.reason else ""
        parts.append(f"to be locked out once it is free{why}")
    if machine.refused:
        parts.append("can't be stopped from here, its reader's reports are refused")
    text = one_line("; ".join(parts))
    return heading, text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def markdown(shown: Rows) -> str:
    """Return the content of a canvas."""
    parts = [KEPT]
    for heading, entries in shown:
        parts.append(f"## {heading}")
        parts.append(
            "\n".join(f"- **{_inert(name)}**" + (f": {_inert(text)}" if text else "") for name, text in entries)
        )
    return "\n\n".join(parts if shown else [KEPT, "There are no machines yet."])


def message(shown: Rows) -> str:
    """Return the text of a message, as much as fits into one; what is wrong is at its head."""
    lines = ["Every machine as it is now; this message is kept up to date."]
    lines += lines_of(shown, escape)
    size = 0
    fitting: list[str] = []
    for line in lines:
        size += len(line) + 1
        if size > LONGEST_MESSAGE:
            more = count(len(lines) - len(fitting), "more line")
            return "\n".join((*fitting, f"… and {more}: mention me with 'status'."))
        fitting.append(line)
    return "\n".join(fitting)


def lines_of(shown: Rows, write: Callable[[str], str]) -> list[str]:
    """Return a line for each machine; those of which there is nothing to say share lines, below their heading."""
    lines = []
    for heading, entries in shown:
        plain = [name for name, text in entries if not text]
        lines += [write(f"{name}: {text}") for name, text in entries if text]
        lines += [write(f"{heading}: {', '.join(plain[at : at + TOGETHER])}") for at in range(0, len(plain), TOGETHER)]
    return lines


def _inert(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
