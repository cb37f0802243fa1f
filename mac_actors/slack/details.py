"""The form in which everybody can say what is wrong with a machine that is oopsed or locked out. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Severity
from mac_actors.core.text import tidy
from mac_actors.slack.notices import DETAILS_VIEW, plain_text, section
from mac_actors.slack.status import status_line

LONGEST = 1000
"""Characters that can be written."""


def modal(machine: Snapshot, metadata: str) -> dict[str, Any]:
    """Return the form; ``metadata`` comes back with what was written."""
    options = [{"value": severity.value, "text": plain_text(severity.capitalize())} for severity in Severity]
    photo = "A photo? Put it into the thread of the notice afterwards."
    return {
        "type": "modal",
        "callback_id": DETAILS_VIEW,
        "private_metadata": metadata,
        "title": plain_text("What is wrong?"),
        "submit": plain_text("Add details"),
        "close": plain_text("Cancel"),
        "blocks": [
            section(f"{status_line(machine.without_names(), datetime.now(UTC))}. It stays so."),
            {
                "type": "input",
                "block_id": "text",
                "label": plain_text("What is wrong?"),
                "hint": plain_text("Everybody sees it: on the board and in the thread."),
                "element": {
                    "type": "plain_text_input",
                    "action_id": "value",
                    "multiline": True,
                    "max_length": LONGEST,
                },
            },
            {
                "type": "input",
                "block_id": "severity",
                "label": plain_text("How bad is it?"),
                "element": {
                    "type": "radio_buttons",
                    "action_id": "value",
                    "options": options,
                    "initial_option": options[0],
                },
            },
            {"type": "context", "elements": [plain_text(photo)]},
        ],
    }


def written(view: dict[str, Any]) -> tuple[str, Severity]:
    """Return what was written in the form, and how bad it is."""
    values = view["state"]["values"]
    text = tidy(values["text"]["value"]["value"] or "")[:LONGEST]
    return text.strip(), Severity(values["severity"]["value"]["selected_option"]["value"])


def mistakes(view: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with what was written, by block."""
    return {} if written(view)[0] else {"text": "Say in a few words what is wrong."}
