"""What all have in common that carry out what people press, choose and send in Slack."""

from __future__ import annotations

from dataclasses import dataclass

from slack_sdk import WebClient

from mac_actors.fleet.fleet import MachineFleet
from mac_actors.slack import answers
from mac_actors.slack.changes import Changes
from mac_actors.slack.home.links import Links
from mac_actors.slack.people import SlackUsers
from mac_actors.slack.replies import Replies


@dataclass(frozen=True, slots=True)
class SlackContext:
    """What they share. ``control`` is the id of the control channel."""

    fleet: MachineFleet
    client: WebClient
    control: str
    people: SlackUsers
    links: Links
    changes: Changes
    replies: Replies


class Handler:
    """Base of these."""

    def __init__(self, context: SlackContext) -> None:
        self._fleet = context.fleet
        self._client = context.client
        self._control = context.control
        self._people = context.people
        self._links = context.links
        self._changes = context.changes
        self._replies = context.replies

    def _not_admitted(self, user: str) -> str | None:
        """Say why somebody may not do what is for members of the control channel; ``None``: they may."""
        match self._people.is_member(user, self._control):
            case True:
                return None
            case False:
                return answers.NOT_A_MEMBER
        return answers.MEMBERS_UNKNOWN
