"""From Slack's payloads to the machines: who asks from where, a message to the machine's actor, and an answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from slack_sdk import WebClient

from mac_actors.actors.replies import Answer
from mac_actors.core.inputs import COMMANDS
from mac_actors.core.notices import ThreadKey
from mac_actors.core.outcomes import Cleared
from mac_actors.core.state import Source
from mac_actors.core.text import count, duration
from mac_actors.core.wording import SOURCES
from mac_actors.errors import MacError, StorageError, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings import SlackSettings
from mac_actors.slack import answers, notices, status
from mac_actors.slack.commands import CHANGING, ParsedCommand, Target, Verb, find_quoted, parse, plain, resolve
from mac_actors.slack.gateway import EPHEMERAL, PLAIN, answer_url, call_quietly
from mac_actors.slack.people import SlackUsers
from mac_actors.storage.records import Record

log = logging.getLogger(__name__)

HISTORY_LINES = 15
"""Events that ``history`` shows."""


class Dispatcher:
    """Carries out what :mod:`mac_actors.slack.listeners` is called with. Every command gets an answer."""

    def __init__(self, fleet: MachineFleet, client: WebClient, settings: SlackSettings) -> None:
        self._fleet = fleet
        self._client = client
        self._control = settings.control_channel
        self.people = SlackUsers(client)
        self._once = _Once(fleet)

    # mentions

    def mention(self, event_id: str, event: dict[str, Any], bot_user: str | None) -> None:
        """Carry out what somebody who mentioned the bot wants; the same event only once."""
        user, channel = event.get("user"), event.get("channel")
        if event.get("bot_id") or event.get("subtype") or event.get("edited") or not user or not channel:
            return
        if not self._once.begin(event_id):
            return
        command = parse(str(event.get("text", "")), bot_user)
        if channel != self._control and command.verb is not Verb.STATUS:
            word = command.unknown or command.verb.value
            self._post_ephemeral(channel, user, answers.elsewhere_text(notices.escape(word)))
            return
        if command.verb in CHANGING and not self.people.get(user).active:
            log.warning("a command of the deactivated user or bot %s was not carried out", user)
            return
        thread = event.get("thread_ts")  # the answer comes where the question was: in its thread, or in the channel
        for text in self._carry_out(command, user, channel, event_id):
            call_quietly(self._client.chat_postMessage, channel=channel, thread_ts=thread, text=text, **PLAIN)

    def _carry_out(self, command: ParsedCommand, user: str, channel: str, event_id: str) -> list[str]:
        """Do it, and return the posts that answer it (none where the notice itself is the answer)."""
        remembered = False
        try:
            match command.verb:
                case Verb.STATUS:
                    return self._status(command.argument, names=channel == self._control)
                case Verb.HISTORY:
                    return self._history(command.argument)
                case Verb.HELP:
                    return [answers.help_text(command.unknown)]
                case verb:
                    target = resolve(command.argument, self._fleet.find)
                    answer = self._change(verb, target, self.people.get(user).name, event_id)
                    remembered = True  # with what it did, or by the machine that was so already
                    return self._remarks(target.name, answer)
        except MacError as error:
            return [_error_text(error)]
        except Exception:
            log.exception("a Slack command failed")
            return [answers.MISTAKE]
        finally:
            if not remembered:
                self._once.remember(event_id)

    def _change(self, verb: Verb, target: Target, by: str, event_id: str | None = None) -> Answer:
        command = COMMANDS[verb](datetime.now(UTC), Source.SLACK, by, target.reason)
        return self._fleet.ask(target.name, command, event_id)

    def _remarks(self, name: str, answer: Answer) -> list[str]:
        """What is to be said beside the notice: that nothing was changed, or that the disk is slow."""
        label = self._fleet.snapshot(name).display_name
        if not answer.outcomes:
            return [answers.already_text(label, answer.already)]
        if not answer.durable:
            return [notices.escape(f"{label}: done, but not on disk yet (the server's disk is slow or failing).")]
        return []

    def _status(self, argument: str, *, names: bool) -> list[str]:
        now = datetime.now(UTC)
        if argument:
            name = find_quoted(argument, self._fleet.find)
            machine = self._fleet.snapshot(name)
            return answers.split(status.machine_lines(machine if names else machine.without_names(), now))
        fleet = self._fleet
        machines = [machine if names else machine.without_names() for machine in fleet.snapshots()]
        lines = status.status_lines(machines, fleet.configuration, fleet.started_at, now)
        if names:
            lines += [f"Trouble: {notices.escape(text)}" for text in fleet.health().values()]
            lines += self._waiting_line(now)
        return answers.split(lines)

    def _waiting_line(self, now: datetime) -> list[str]:
        try:
            waiting, oldest = self._fleet.store.count_waiting()
        except StorageError:
            return []  # the disk's trouble is said already
        if not waiting or oldest is None or (now - oldest).total_seconds() < 5:
            return []
        age = duration((now - oldest).total_seconds())
        return [f"Waiting to be posted: {count(waiting, 'notice')}, the oldest for {age}."]

    def _history(self, argument: str) -> list[str]:
        name = find_quoted(argument, self._fleet.find)
        page = self._fleet.store.page(machine=name, limit=HISTORY_LINES)
        label = self._fleet.snapshot(name).display_name
        return answers.split(answers.history_text(label, [entry.outcome for entry in page.entries]).splitlines())

    # /oops-clear, its modal, and the buttons

    def oops_clear(self, body: dict[str, Any]) -> None:
        """Clear the machine that is named after the slash command, or offer those that can be."""
        user, channel = str(body.get("user_id", "")), str(body.get("channel_id", ""))
        if channel != self._control:
            self._respond(body, answers.elsewhere_text("/oops-clear"))
            return
        argument = plain(str(body.get("text", "")))
        if argument:
            self._act(user, channel, lambda by: self._clear(resolve(argument, self._fleet.find), by))
            return
        flagged = [machine for machine in self._fleet.snapshots() if machine.oops or machine.lock]
        if not flagged:
            self._respond(body, "No machine is oopsed or locked out.")
            return
        view = status.clear_modal(flagged, datetime.now(UTC))
        if not call_quietly(self._client.views_open, trigger_id=body.get("trigger_id"), view=view):
            self._respond(body, "The list could not be opened. Try again, or name the machine: /oops-clear NAME")

    def clear_view(self, body: dict[str, Any]) -> None:
        """Clear the machine that was chosen in the modal, which opens in the control channel alone."""
        user = str(body["user"]["id"])
        name = str(body["view"]["state"]["values"]["machine"]["name"]["selected_option"]["value"])
        self._act(user, self._control, lambda by: self._clear(Target(self._fleet.find(name)), by))

    def _clear(self, target: Target, by: str) -> list[str]:
        return self._remarks(target.name, self._change(Verb.CLEAR, target, by))

    def button(self, verb: Verb, body: dict[str, Any], value: str) -> None:
        """Clear or lock the machine of an oops notice, and show in the notice who did it."""
        user, channel = str(body["user"]["id"]), str(body.get("channel", {}).get("id", ""))
        key = ThreadKey.parse(value)
        if channel != self._control or key is None:
            return

        def press(by: str) -> list[str]:
            oops = self._fleet.snapshot(key.machine).oops
            if oops is None or key != ThreadKey(key.machine, "oops", oops.since):
                self._show_pressed(body, self._how_it_ended(key), None)
                return ["This oops is over already: nothing was changed."]
            answer = self._change(verb, Target(key.machine), by)
            if answer.outcomes:
                done, left = ("Cleared", None) if verb is Verb.CLEAR else ("Locked out", key)
                self._show_pressed(body, f"{done} by {by}.", left)
            return self._remarks(key.machine, answer)

        self._act(user, channel, press)

    def _how_it_ended(self, key: ThreadKey) -> str:
        """Say who cleared an oops that is over."""
        for entry in self._fleet.store.page(machine=key.machine, limit=100).entries:
            outcome = entry.outcome
            if isinstance(outcome, Cleared) and outcome.oops and outcome.oops.since == key.since:
                return f"Cleared {f'by {outcome.by}' if outcome.by else f'from {SOURCES[outcome.source]}'}."
        return "This oops is over already."

    def _act(self, user: str, channel: str, act: Callable[[str], list[str]]) -> None:
        """Do something for a user; remarks and errors are shown to that user alone."""
        person = self.people.get(user)
        if not person.active:
            return
        try:
            remarks = act(person.name)
        except MacError as error:
            remarks = [_error_text(error)]
        for remark in remarks:
            self._post_ephemeral(channel, user, remark)

    def _show_pressed(self, body: dict[str, Any], done: str, key: ThreadKey | None) -> None:
        message = body.get("message") or {}
        text = str(message.get("text", ""))
        call_quietly(
            self._client.chat_update,
            channel=self._control,
            ts=message.get("ts"),
            text=f"{text}\n{notices.escape(done)}",
            blocks=notices.pressed_blocks(text, done, key),
        )

    # answers

    def _post_ephemeral(self, channel: str, user: str, text: str) -> None:
        call_quietly(
            self._client.chat_postEphemeral,
            channel=channel,
            user=user,
            text=text,
            blocks=[notices.section(text)],
            **EPHEMERAL,
        )

    def _respond(self, body: dict[str, Any], text: str) -> None:
        """Answer a slash command: by its own address, which works also where the bot is not a member."""
        url = body.get("response_url")
        if not (url and call_quietly(answer_url, url=str(url), text=text)):
            self._post_ephemeral(str(body.get("channel_id")), str(body.get("user_id")), text)

    def apologize(self, body: dict[str, Any]) -> None:
        """Tell whoever used a command, button or modal that the server made a mistake with it."""
        payload = body.get("event") or body
        user = payload.get("user_id") or payload.get("user")
        channel = payload.get("channel_id") or payload.get("channel") or self._control  # a modal names none
        user, channel = (value["id"] if isinstance(value, dict) else str(value) for value in (user, channel))
        self._post_ephemeral(channel, user, answers.MISTAKE)


def _error_text(error: MacError) -> str:
    if isinstance(error, UnknownMachine):
        return answers.unknown_text(error.name, error.suggestions)
    return notices.escape(str(error))


class _Once:
    """Which chat events were carried out: in memory, and on disk."""

    def __init__(self, fleet: MachineFleet) -> None:
        self._fleet = fleet
        self._lock = threading.Lock()
        self._begun: dict[str, None] = {}

    def begin(self, event_id: str) -> bool:
        """Whether this event is to be carried out now."""
        if not event_id:
            return True
        with self._lock:
            if event_id in self._begun:
                return False
            self._begun[event_id] = None
            if len(self._begun) > 10_000:
                del self._begun[next(iter(self._begun))]
        try:
            return not self._fleet.store.has_seen(event_id)
        except StorageError as error:
            # An oops must work while the disk does not; at the worst it finds that it is so already.
            log.warning("whether a Slack event was carried out before can't be looked up: %s", error)
            return True

    def remember(self, event_id: str) -> None:
        """Have it on disk that this event was answered; for those of which no machine has recorded that."""
        if event_id:
            self._fleet.journal.record(Record(seen=(event_id, datetime.now(UTC))))
