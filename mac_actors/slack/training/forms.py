"""The form in which a member is chosen, and what they are authorized for. Pure."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mac_actors.core.config import MachineConfig, User
from mac_actors.core.text import one_line
from mac_actors.slack.notices import plain_text, section

VIEW = "mac_people_modal"

MEMBER_ACTION = "mac_member"
"""The id of the action by which Slack asks for members, as somebody types."""

MOST = 100
"""Options that a menu in Slack can have."""

LONGEST_TEXT, LONGEST_VALUE = 75, 150
"""Characters of an option's text and of its value that Slack takes."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked: ``authorizations`` are those that can be chosen, with what each is called there. ``needed``: one
    must be chosen. ``member``: the member is asked, too.
    """

    title: str
    text: str
    submit: str
    authorizations: Mapping[str, str]
    member: bool = True
    needed: bool = True

    def view(self, metadata: Mapping[str, str]) -> dict[str, Any]:
        """Return the modal; ``metadata`` comes back with what was chosen."""
        blocks = [section(self.text)]
        if self.member:
            blocks.append(_input("member", "Member", _MEMBERS, "A part of the name, e-mail address or account id"))
        if options := [option(text, name) for name, text in self.authorizations.items() if _fits(name)]:
            menu: dict[str, Any] = {"type": "static_select", "action_id": "name", "options": options[:MOST]}
            if self.needed:
                menu["initial_option"] = options[0]
            asked = _input("authorization", "Authorize for" if self.needed else "And authorize for", menu)
            blocks.append(asked if self.needed else asked | {"optional": True})
        return {
            "type": "modal",
            "callback_id": VIEW,
            "private_metadata": json.dumps(metadata),
            "title": plain_text(self.title),
            "submit": plain_text(self.submit),
            "close": plain_text("Cancel"),
            "blocks": blocks,
        }


class Chosen(NamedTuple):
    """What was chosen in a form: the member's account id, and an authorization."""

    account_id: str | None
    authorization: str | None


def chosen(view: Mapping[str, Any]) -> Chosen:
    """Return what was chosen in a form."""
    values = view["state"]["values"]

    def value(block: str, action: str) -> str | None:
        option = (values.get(block) or {}).get(action, {}).get("selected_option")
        return str(option["value"]) if option else None

    return Chosen(value("member", MEMBER_ACTION), value("authorization", "name"))


def members(users: Iterable[User]) -> list[dict[str, Any]]:
    """Return the first of these users as options. Two of one name are told apart by their account ids."""
    first = itertools.islice((user for user in users if _fits(user.account_id)), MOST)
    return [option(user.full_name, user.account_id, f" ({user.account_id})") for user in first]


def option(text: str, value: str, end: str = "") -> dict[str, Any]:
    """Return an option; of a text that is too long the ``end`` stays."""
    end = end[-40:]
    text, room = one_line(text), LONGEST_TEXT - len(end)
    return {"text": plain_text((text if len(text) <= room else f"{text[: room - 1]}…") + end), "value": value}


def by_authorization(machines: Iterable[MachineConfig]) -> dict[str, str]:
    """Return what these machines ask for, by name, each with the machines that do: ``Laser: CO2 Laser``."""
    asked: dict[str, list[str]] = {}
    for machine in machines:
        for name in machine.teachable:
            asked.setdefault(name, []).append(machine.display_name)
    return {name: f"{name}: {', '.join(asked[name])}" for name in sorted(asked)}


def _fits(value: str) -> bool:
    return bool(value.strip()) and len(value) <= LONGEST_VALUE


def _input(block: str, label: str, element: dict[str, Any], hint: str = "") -> dict[str, Any]:
    more = {"hint": plain_text(hint)} if hint else {}
    return {"type": "input", "block_id": block, "label": plain_text(label), "element": element, **more}


_MEMBERS = {
    "type": "external_select",
    "action_id": MEMBER_ACTION,
    "placeholder": plain_text("Type a name"),
    "min_query_length": 1,
}
