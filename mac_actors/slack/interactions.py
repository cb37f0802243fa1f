"""``/oops-clear``, the buttons of notices, and the modals of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from mac_actors.core.decision import Already
from mac_actors.core.inputs import AddDetails
from mac_actors.core.notices import MAINTENANCE, ThreadKey
from mac_actors.core.state import Source
from mac_actors.slack import answers, details, status
from mac_actors.slack.bulk import EXPIRES_AFTER
from mac_actors.slack.commands import STOPPING, ParsedCommand, Target, Verb, moment
from mac_actors.slack.gateway import ARRIVED, call_quietly
from mac_actors.slack.handler import Handler
from mac_actors.slack.people import SlackUser
from mac_actors.storage.records import Record

BARRIER_SECONDS = 1.0
"""How long is waited for what was decided before to be on disk, so that it can be told."""


class Interactions(Handler):
    """Carries out what people press and choose. Remarks are seen by who did it alone."""

    def oops_clear(self, body: dict[str, Any]) -> None:
        """Clear the machine that is named after the slash command, or offer those that can be.

        What was set since the command came in stays, however long it has waited for a thread.
        """
        arrived = body[ARRIVED]
        user, channel = str(body.get("user_id", "")), str(body.get("channel_id", ""))
        if channel != self._control:
            self._replies.respond(body, answers.elsewhere_text("/oops-clear"))
            return
        argument = str(body.get("text", "")).strip()
        if argument:
            command = ParsedCommand(Verb.CLEAR, argument)
            self._act(user, lambda person: self._clear(self._changes.resolve(command), person, arrived))
            return
        now = datetime.now(UTC)
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

        What was set since the modal was opened is not shown in it, and stays. One that was left open changes nothing.
        """
        view = body["view"]
        opened = moment(view.get("private_metadata"))
        name = str(view["state"]["values"]["machine"]["name"]["selected_option"]["value"])

        def clear(person: SlackUser) -> list[str]:
            target = Target(self._fleet.find(name))
            # both are this server's time: one that seems to be of the future is from before the clock was set
            if opened is None or not timedelta() <= datetime.now(UTC) - opened <= EXPIRES_AFTER:
                return [answers.FORM_EXPIRED]
            return self._clear(target, person, opened)

        self._act(str(body["user"]["id"]), clear)

    def _clear(self, target: Target, person: SlackUser, given: datetime | None) -> list[str]:
        return self._changes.remarks(target.name, self._changes.make(Verb.CLEAR, target, person, given))

    def button(self, command: str, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Give a command to the machine of a notice, if what it tells of is not over."""
        user, channel = str(body["user"]["id"]), str(body.get("channel", {}).get("id", ""))
        key, given = ThreadKey.parse(str(action.get("value", ""))), moment(action.get("action_ts"))
        if channel != self._control or key is None:
            return
        if why := self._not_admitted(user):
            self._replies.respond(body, why)
            return

        def press(person: SlackUser) -> list[str]:
            if not self._is_on(key):
                return [self._over(key, channel)]
            due = key.since if command == Verb.DONE else None
            answer = self._changes.make(command, Target(key.machine, due=due), person, given)
            if not answer.outcomes and command != Verb.LOCK and Already.SET_SINCE not in answer.already:
                return [self._over(key, channel)]  # somebody was quicker
            return self._changes.remarks(key.machine, answer)

        thread = (body.get("message") or {}).get("thread_ts")
        self._act(user, press, thread=thread, hurry=command in STOPPING)

    def details_button(self, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ask what is wrong, for the oops or lock of a notice, if it is not over; everybody may."""
        key = ThreadKey.parse(str(action.get("value", "")))
        if key is None:
            return
        try:
            machine = self._fleet.snapshot(key.machine)
            remark = "" if self._is_on(key) else self._over(key, body["channel"]["id"])
        except Exception as error:
            remark = self._changes.failure(error)
        if remark:
            self._replies.respond(body, remark)
            return
        where = {"channel": body["channel"]["id"], "thread": body["message"].get("thread_ts"), "key": str(key)}
        view = details.modal(machine, json.dumps(where))
        if not call_quietly(self._client.views_open, trigger_id=body.get("trigger_id"), view=view):
            self._replies.respond(body, "The form could not be opened. Press the button again.")

    def details_view(self, body: dict[str, Any]) -> None:
        """Add what was written in the form to the oops or lock that it was opened for, unless that is over."""
        where = json.loads(body["view"]["private_metadata"])
        key, channel = ThreadKey.parse(where["key"]), where["channel"]
        assert key is not None
        text, severity = details.written(body["view"])

        def add(person: SlackUser) -> list[str]:
            given = AddDetails(datetime.now(UTC), Source.SLACK, person.name, text, severity=severity, about=key.since)
            answer = self._fleet.ask(key.machine, given)
            return self._changes.remarks(key.machine, answer) if answer.outcomes else [self._over(key, channel)]

        self._act(str(body["user"]["id"]), add, channel, where["thread"])

    def _is_on(self, key: ThreadKey) -> bool:
        machine = self._fleet.snapshot(key.machine)
        if key.flag == MAINTENANCE:
            return key.since in [item.due for item in machine.maintenance]
        flag = machine.oops if key.flag == "oops" else machine.lock
        return flag is not None and flag.since == key.since

    def _over(self, key: ThreadKey, channel: str) -> str:
        """Say in a channel that an oops or lock is over, and how that ended, which may be on its way to the disk; or
        that maintenance is not due any more. Names are for the control channel alone.
        """
        if key.flag == MAINTENANCE:
            return answers.NOT_DUE
        self._fleet.journal.record(Record()).wait(BARRIER_SECONDS)
        return answers.over_text(key, self._fleet.store.story(key)[1], names=channel == self._control)

    def _act(
        self,
        user: str,
        act: Callable[[SlackUser], list[str]],
        channel: str | None = None,
        thread: str | None = None,
        *,
        hurry: bool = False,
    ) -> None:
        """Do something for a user of a channel, the control channel unless it is another."""
        person = (self._people.hurried() if hurry else self._people.get)(user)
        if person.active is False:
            return
        try:
            remarks = act(person)
        except Exception as error:
            remarks = [self._changes.failure(error)]
        for remark in remarks:
            self._replies.whisper(channel or self._control, user, remark, thread)
