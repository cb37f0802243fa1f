"""What is posted for a notice: text, blocks, buttons. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from mac_actors.core.notices import AUTHORIZATION, FOB, MAINTENANCE, Channel, Standing, ThreadKey, channel_of
from mac_actors.core.text import local_time, one_line
from mac_actors.storage.records import Waiting

LATE = timedelta(seconds=60)
"""A notice older than this is posted with the time at which it happened."""

LONGEST = 4000
"""Characters that Slack takes when a post is changed; a new one may be longer."""

CLEAR_VIEW = "mac_clear_modal"

DETAILS_VIEW = "mac_details_modal"

LABELS = {
    "clear": ("Clear", "mac_clear"),
    "lock": ("Lock out", "mac_lock"),
    "unlock": ("Unlock", "mac_unlock"),
    "details": ("Add details", "mac_details"),
    "whose": ("Whose is it?", "mac_whose"),
    "authorize": ("Authorize…", "mac_authorize"),
    "done": ("Done", "mac_done"),
}
"""What the button for a command is called, and the id of its action."""

ALL_ACTION, CANCEL_ACTION = "mac_all", "mac_all_cancel"
"""The ids of the buttons by which something is done to all machines, or not."""

BUTTONS = {
    "oops": ("clear", "lock", "details"),
    "lock": ("clear", "unlock", "details"),
    MAINTENANCE: ("done",),
    FOB: ("whose",),
    AUTHORIZATION: ("authorize",),
}
"""The commands of the buttons of an oops, of a lock, of what is due and of a refusal, in the control channel."""


def escape(text: str) -> str:
    """Make a text inert for Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def notice_text(notices: Sequence[Waiting], now: datetime) -> str:
    """Return the text of a post of one notice or of several, a line each; late ones with their time."""
    return "\n".join(_line(notice, now) for notice in notices)


def _line(notice: Waiting, now: datetime) -> str:
    text = escape(one_line(notice.text))
    return f"[{local_time(notice.at)}] {text}" if now - notice.at > LATE else text


def notice_blocks(channel: str, notices: Sequence[Waiting], text: str) -> list[dict[str, Any]] | None:
    """Return the blocks of an oops, a lock or a reminder that has a post of its own: text and buttons."""
    key = (notices[0].opens or notices[0].asks) if len(notices) == 1 else None
    return standing_blocks(channel, text, key, Standing()) if key else None


def section(text: str) -> dict[str, Any]:
    """Return a block with a text in which nothing is formatted. ``text`` is escaped, as everywhere in blocks."""
    return {"type": "section", "text": plain_text(unescape(text)[:3000])}


def plain_text(text: str) -> dict[str, Any]:
    """Return a text of a block as it is: Slack makes nothing of it."""
    return {"type": "plain_text", "text": text, "emoji": False}


def shorten(text: str) -> str:
    """Cut an escaped text to what Slack takes everywhere."""
    return text if len(text) <= LONGEST else re.sub(r"&[a-z]*$", "", text[: LONGEST - 1]) + "…"


def unescape(text: str) -> str:
    """Undo :func:`escape`: Slack shows a plain_text object letter by letter, entities too."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def buttons(key: ThreadKey, *commands: str) -> dict[str, Any]:
    """Return buttons for an oops or lock; ``key`` is its thread's, so that an old notice acts on nothing newer."""
    return {"type": "actions", "elements": [button(*LABELS[command], str(key)) for command in commands]}


def button(label: str, action: str, value: str) -> dict[str, Any]:
    """Return one button. Slack takes no empty value."""
    return {
        "type": "button",
        "action_id": action,
        "value": value or action,
        "text": plain_text(label),
    }


def standing_blocks(channel: str, text: str, key: ThreadKey, shown: Standing) -> list[dict[str, Any]]:
    """Return the blocks of a notice that shows how its matter stands, and has what is left to press."""
    lines = "\n".join(shown.lines)[:2000]
    note = {"type": "context", "elements": [plain_text(lines)]}
    left = [] if shown.over else [buttons(key, *_commands(channel, key, locked=shown.locked))]
    return [section(text), *([note] if lines else []), *left]


def _commands(channel: str, key: ThreadKey, *, locked: bool = False) -> tuple[str, ...]:
    """Return what can be pressed; in the oops channel by everybody."""
    if channel_of(channel)[0] is Channel.OOPS:
        return ("details",)
    return tuple(command for command in BUTTONS[key.flag] if not (locked and command == "lock"))
