"""``/mac login`` and ``/mac train``."""

from __future__ import annotations

from typing import Any

from mac_actors.errors import ChatError
from mac_actors.fleet.people.logins import Role
from mac_actors.slack import answers
from mac_actors.slack.changes import UNKNOWN_ASKER
from mac_actors.slack.commands import find_quoted, plain
from mac_actors.slack.gateway import call_quietly
from mac_actors.slack.handler import Handler, SlackContext
from mac_actors.slack.training import forms

USAGE = (
    "/mac login – a link that logs you in on the board\n"
    "/mac train MACHINE – authorize a member for a machine; without a name, for any"
)
NO_ADDRESS = (
    "There are no links to the board: the server does not know the board's address. "
    "Whoever runs it can set MAC_BASE_URL, and restart it."
)
NO_LOGIN = (
    "Links to the board are for members of the control channel, and for trainers whose e-mail address in Slack is "
    "the one that the users file has. If you train others, ask an admin about that."
)
NO_TRAINER = (
    "/mac train works in the admins' control channel. Elsewhere it is for trainers, and you are none of whom I know: "
    "nothing was changed. An admin can say who you are: link @MEMBER ACCOUNT"
)


class MacCommand(Handler):
    """Carries out the slash command ``/mac``. Its answers are seen by the asker alone.

    ``base_url`` is the address of the board, where it is known.
    """

    def __init__(self, context: SlackContext, base_url: str | None) -> None:
        super().__init__(context)
        self._base_url = base_url

    def run(self, body: dict[str, Any]) -> None:
        """Do what is named after the command."""
        word, _, argument = plain(str(body.get("text", ""))).partition(" ")
        try:
            match word.casefold():
                case "login":
                    answer = self._login(str(body["user_id"]))
                case "train":
                    answer = self._train(body, argument)
                case _:
                    answer = USAGE
        except Exception as error:
            answer = self._changes.failure(error)
        if answer:
            self._replies.respond(body, answer)

    def _login(self, slack_id: str) -> str:
        if self._base_url is None:
            return NO_ADDRESS
        person = self._people.get(slack_id)
        if not person.active:
            raise ChatError(UNKNOWN_ASKER)
        stranger = self._not_admitted(slack_id)
        if stranger is None:
            path, role = self._fleet.logins.link(Role.ADMIN, person.name), "an admin"
        else:
            user = self._links.confirmed_user_of(slack_id)
            if user is None or not self._fleet.users.trained_by(user.account_id):
                return NO_LOGIN if stranger == answers.NOT_A_MEMBER else stranger
            path, role = self._fleet.logins.link(Role.TRAINER, user.full_name, user.account_id), "a trainer"
        return f"This link logs you in on the board as {role}, once, within two minutes: {self._base_url}{path}"

    def _train(self, body: dict[str, Any], argument: str) -> str:
        """Open the form; returns what there is to say instead."""
        channel, machines = str(body["channel_id"]), list(self._fleet.configuration.machines.values())
        if channel != self._control:
            user = self._links.user_of(str(body["user_id"]))
            machines = self._fleet.users.trained_by(user.account_id if user else None)
            if not machines:
                return NO_TRAINER
        label = "No machine"
        if argument:
            name = find_quoted(argument, self._fleet.find)
            label = self._fleet.configuration.machines[name].display_name
            machines = [machine for machine in machines if machine.name == name]
            if not machines:
                return f"You train nobody for {label}: nothing was changed."
        options = forms.by_authorization(machines)
        if not options:
            return f"{label} asks for no authorization."
        text = "It counts when the fob is next held to the reader."
        if len(options) > forms.MOST:
            text = "Not all fit into the menu. To see the rest, name the machine: /mac train MACHINE"
        where = {"channel": channel, "url": str(body.get("response_url") or "")}
        view = forms.Form("Training", text, "Authorize", options).view(where)
        if call_quietly(self._client.views_open, trigger_id=body.get("trigger_id"), view=view):
            return ""
        return "The form could not be opened. Try again."
