"""What a Slack user sees in App Home. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from mac_actors.core.config import User
from mac_actors.core.outcomes import Outcome
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.text import count, duration, local_time
from mac_actors.slack.answers import split
from mac_actors.slack.home.links import Switch
from mac_actors.slack.live import words
from mac_actors.slack.notices import plain_text

SWITCHES = "mac_switches"
"""The action of the switches for direct messages."""

SECTION = 2900
"""Characters of one block: Slack takes 3,000."""

SECTIONS = 12
"""Blocks of one part: Slack takes a hundred altogether, and 250 kB."""

_SWITCHES = {Switch.MISSING: "When a machine refuses my card: which authorization is missing"}

HOW_TO_BE_LINKED = (
    "I don't know who you are in the list of members, so this is what is open to everybody. I know who has the same "
    "e-mail address here as there, confirmed. Else ask an admin to write, in their channel: link @you, and your name."
)


@dataclass(frozen=True, slots=True)
class Member:
    """What a linked Slack user is shown beside the machines: ``usable``: which they may use, by name."""

    user: User
    usable: Collection[str]
    expired: bool
    sessions: Sequence[Outcome]
    switched_on: Collection[str]


def home(machines: Sequence[Snapshot], member: Member | None) -> dict[str, Any]:
    """Return the view of a member, or of somebody who is not linked."""
    if member is None:
        blocks = _text([HOW_TO_BE_LINKED]) + _part("Machines", words.lines_of(words.rows(machines), str))
        return {"type": "home", "blocks": [*blocks, *_incidents(machines)]}
    blocks = _text([f"You are {member.user.full_name} (account {member.user.account_id})."])
    mine = [machine for machine in machines if machine.name in member.usable]
    nothing = "Your membership has expired." if member.expired else "None yet: a training gives you the authorization."
    blocks += _part("Machines that you may use", words.lines_of(words.rows(mine), str) or [nothing])
    blocks += _incidents(machines)
    running = [
        f"{machine.display_name}: since {local_time(machine.session.since)}, it still runs"
        for machine in machines
        if machine.session and machine.session.account_id == member.user.account_id
    ]
    over = [
        f"{outcome.display_name}: {local_time(ended.since)}, for {duration(ended.seconds)}"
        for outcome in member.sessions
        if (ended := outcome.ended_session)
    ]
    blocks += _part("Your last sessions", [*running, *over] or ["None in the last 90 days."])
    return {"type": "home", "blocks": [*blocks, *_switches(member.switched_on)]}


def _incidents(machines: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """Return all that is oopsed or locked out, the oldest first."""
    found = []
    for machine in (one.without_names() for one in machines):
        flags = [flag for flag in (machine.oops, machine.lock) if flag]
        if flags:
            since = min(flag.incident or flag.since for flag in flags)
            found.append((since, f"{machine.display_name}: {words.sentence(machine)[1]}"))
    lines = [line for _, line in sorted(found)]
    return _part(f"Out of use: {count(len(lines), 'machine')}, the oldest first", lines) if lines else []


def _switches(switched_on: Collection[str]) -> list[dict[str, Any]]:
    options = [{"value": switch.value, "text": plain_text(label)} for switch, label in _SWITCHES.items()]
    on = [option for option in options if option["value"] in switched_on]
    boxes = {"type": "checkboxes", "action_id": SWITCHES, "options": options}
    return [
        _header("Direct messages to me"),
        {"type": "actions", "elements": [boxes | ({"initial_options": on} if on else {})]},
    ]


def _part(heading: str, lines: Sequence[str]) -> list[dict[str, Any]]:
    return [_header(heading), *_text(lines)]


def _text(lines: Sequence[str]) -> list[dict[str, Any]]:
    texts = split(lines, SECTION)
    more = ["… and more: mention me with 'status'."] if len(texts) > SECTIONS else []
    return [{"type": "section", "text": plain_text(text)} for text in (*texts[:SECTIONS], *more)]


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": plain_text(text)}
