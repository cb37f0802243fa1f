"""``/oops-clear``, its modal, and the buttons of notices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from slack_sdk import WebClient

from mac_actors.core.notices import Channel, ThreadKey, text_in
from mac_actors.core.transitions import Already
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.slack import answers, status
from mac_actors.slack.changes import Changes
from mac_actors.slack.commands import ParsedCommand, Target, Verb, moment
from mac_actors.slack.gateway import call_quietly, update_notice
from mac_actors.slack.people import SlackUser, SlackUsers
from mac_actors.slack.replies import Replies
from mac_actors.storage.records import Record

BARRIER_SECONDS = 1.0
"""How long is waited for what was decided before to be on disk, so that it can be told."""


class Interactions:
    """Carries out what people press and choose. Remarks are seen by who did it alone."""

    def __init__(
        self,
        fleet: MachineFleet,
        client: WebClient,
        control: str,
        people: SlackUsers,
        changes: Changes,
        replies: Replies,
    ) -> None:
        self._fleet = fleet
        self._client = client
        self._control = control
        self._people = people
        self._changes = changes
        self._replies = replies

    def oops_clear(self, body: dict[str, Any]) -> None:
        """Clear the machine that is named after the slash command, or offer those that can be."""
        now = datetime.now(UTC)
        user, channel = str(body.get("user_id", "")), str(body.get("channel_id", ""))
        if channel != self._control:
            self._replies.respond(body, answers.elsewhere_text("/oops-clear"))
            return
        argument = str(body.get("text", "")).strip()
        if argument:
            command = ParsedCommand(Verb.CLEAR, argument)
            self._act(user, lambda person: self._clear(self._changes.resolve(command), person, now))
            return
        flagged = [machine for machine in self._fleet.snapshots() if machine.clearable]
        if not flagged:
            self._replies.respond(body, "No machine is oopsed or locked out.")
            return
        view = status.clear_modal(flagged, now)
        if not call_quietly(self._client.views_open, trigger_id=body.get("trigger_id"), view=view):
            self._replies.respond(
                body, "The list could not be opened. Try again, or name the machine: /oops-clear NAME"
            )

    def clear_view(self, body: dict[str, Any]) -> None:
        """Clear the machine that was chosen in the modal, which opens in the control channel alone.

        What was set since the modal was opened is not shown in it, and stays.
        """
        view = body["view"]
        opened = moment(view.get("private_metadata"))
        name = str(view["state"]["values"]["machine"]["name"]["selected_option"]["value"])
        self._act(str(body["user"]["id"]), lambda person: self._clear(Target(self._fleet.find(name)), person, opened))

    def _clear(self, target: Target, person: SlackUser, given: datetime | None) -> list[str]:
        return self._changes.remarks(target.name, self._changes.make(Verb.CLEAR, target, person, given))

    def button(self, command: str, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Give a command to the machine of a notice, if its oops or lock is not over."""
        user, channel = str(body["user"]["id"]), str(body.get("channel", {}).get("id", ""))
        key, given = ThreadKey.parse(str(action.get("value", ""))), moment(action.get("action_ts"))
        if channel != self._control or key is None:
            return
        if not self._people.is_member(user, channel):
            self._replies.respond(body, answers.NOT_A_MEMBER)
            return

        def press(person: SlackUser) -> list[str]:
            machine = self._fleet.snapshot(key.machine)
            flag = machine.oops if key.flag == "oops" else machine.lock
            if flag is None or flag.since != key.since:
                return [self._over(key)]
            answer = self._changes.make(command, Target(key.machine), person, given)
            if not answer.outcomes and command != Verb.LOCK and Already.SET_SINCE not in answer.already:
                return [self._over(key)]  # somebody was quicker
            if answer.outcomes and command == Verb.LOCK:  # that it was cleared its notice says by itself
                self._show_locked(body, key, person)
            return self._changes.remarks(key.machine, answer)

        self._act(user, press, (body.get("message") or {}).get("thread_ts"))

    def _over(self, key: ThreadKey) -> str:
        """Say that an oops or lock is over, and who lifted it, which may be on its way to the disk."""
        self._fleet.journal.record(Record()).wait(BARRIER_SECONDS)
        return answers.over_text(key, self._fleet.store.story(key)[1])

    def _act(self, user: str, act: Callable[[SlackUser], list[str]], thread: str | None = None) -> None:
        """Do something for a user of the control channel."""
        person = self._people.get(user)
        if person.active is False:
            return
        try:
            remarks = act(person)
        except Exception as error:
            remarks = [self._changes.failure(error)]
        for remark in remarks:
            self._replies.whisper(self._control, user, remark, thread)

    def _show_locked(self, body: dict[str, Any], key: ThreadKey, person: SlackUser) -> None:
        begun, _ = self._fleet.store.story(key)
        thread = self._fleet.store.thread(key, Channel.CONTROL)
        if begun and (thread is None or thread.post == body["message"]["ts"]):  # a reminder has another text
            call_quietly(
                update_notice,
                client=self._client,
                channel=self._control,
                post=body["message"]["ts"],
                text=text_in(Channel.CONTROL, begun),
                done=f"Locked out by {person.name}.",
                key=key,
            )
