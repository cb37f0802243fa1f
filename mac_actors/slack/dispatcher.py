"""From a mention of the bot to a command or a question: who asks from where, what is done, and the answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from slack_sdk import WebClient

from mac_actors.core.changed import Changed
from mac_actors.core.text import count, duration
from mac_actors.errors import ChatError, StorageError
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings import SlackSettings
from mac_actors.slack import answers, notices, status
from mac_actors.slack.bulk import Bulk
from mac_actors.slack.changes import UNKNOWN_ASKER, Changes
from mac_actors.slack.commands import (
    ALL,
    ANYWHERE,
    CHANGING,
    STOPPING,
    ParsedCommand,
    Target,
    Verb,
    find_notified,
    find_quoted,
    moment,
    parse,
    plain,
)
from mac_actors.slack.handler import SlackContext
from mac_actors.slack.home.homes import Homes
from mac_actors.slack.home.links import Links, find_users, parse_link
from mac_actors.slack.interactions import Interactions
from mac_actors.slack.once import Once
from mac_actors.slack.people import SlackUser, SlackUsers
from mac_actors.slack.replies import Replies
from mac_actors.slack.training.command import MacCommand
from mac_actors.slack.training.training import Training
from mac_actors.slack.workers import Workers

log = logging.getLogger(__name__)

OBEYED_SUBTYPES = frozenset({None, "thread_broadcast", "me_message", "file_share"})
"""Mentions that people write: as they are, in a thread and to the channel, with ``/me``, with a file."""

SLACKBOT = "USLACKBOT"

HISTORY_LINES = 15
"""Events that ``history`` shows."""

QUESTIONS = 50
"""Questions that may be under way or wait; while Slack takes no answers, nobody waits for those of more."""


class Dispatcher:
    """Carries out what :mod:`mac_actors.slack.listeners` is called with. Every command gets an answer.

    Nothing is waited for once ``stopping`` is set. ``answering`` are the threads that answer questions.
    """

    def __init__(
        self,
        fleet: MachineFleet,
        client: WebClient,
        settings: SlackSettings,
        base_url: str | None,
        stopping: threading.Event,
        answering: Workers,
    ) -> None:
        self._fleet = fleet
        self._control = settings.control_channel
        self._answering = answering
        self._flooded = Changed()
        self.people = SlackUsers(client)
        self._once = Once(fleet)
        self._changes = Changes(fleet, self.people)
        self.links = Links(fleet, client)
        self.homes = Homes(fleet, client, self.links)
        self.replies = Replies(client, self._control, stopping)
        context = SlackContext(fleet, client, self._control, self.people, self.links, self._changes, self.replies)
        self.interactions = Interactions(context)
        self.training = Training(context)
        self.mac = MacCommand(context, base_url)
        self.bulk = Bulk(context, self._once)

    def mention(self, event_id: str, event: dict[str, Any], bot_user: str | None) -> None:
        """Carry out what somebody who mentioned the bot wants; the same event only once."""
        user, channel = event.get("user"), event.get("channel")
        thread = event.get("thread_ts")  # the answer comes where the question was: in its thread, or in the channel
        if why := _why_not(event):
            log.info("a mention by %s in %s is not obeyed: %s", user, channel, why)
            return
        if not user or not channel or not self._once.begin(event_id):
            return
        command = parse(str(event.get("text", "")), bot_user)
        if channel != self._control and command.verb not in ANYWHERE:
            if command.addressed:
                word = command.unknown or command.verb.value
                text = answers.elsewhere_text(notices.escape(word))
                self._answer(event, self.replies.whisper, channel, user, text, thread)
            elif self._once.begin(told := f"told {channel} {user}"):
                self._once.remember(told)
                self._answer(event, self.replies.whisper, channel, user, answers.elsewhere_text(), thread)
        elif command.verb is Verb.NOTIFY:
            text = self._notify(command.argument, user, event_id)
            self._answer(event, self.replies.whisper, channel, user, text, thread)
        elif command.verb in CHANGING:
            self._obey(command, event_id, event)
        else:
            self._answer(event, self._obey, command, event_id, event)

    def _answer(self, event: dict[str, Any], answer: Callable[..., None], *arguments: Any) -> None:
        """Have a thread give an answer that changes nothing, in its turn: no command waits behind it. None is given
        where too many wait.
        """
        full = self._answering.unfinished >= QUESTIONS
        if self._flooded(full) and full:
            log.warning("more questions come from Slack than it takes answers: they are left out until it is less")
        if full:
            return

        def give() -> None:
            try:
                answer(*arguments)
            except Exception as error:
                log.error("a question in Slack could not be answered", exc_info=error)
                self.replies.apologize({"event": event})

        self._answering.submit(give)

    def _obey(self, command: ParsedCommand, event_id: str, event: dict[str, Any]) -> None:
        """Carry out a command, or look up what was asked, and answer."""
        user, channel, thread = event["user"], event["channel"], event.get("thread_ts")
        # whoever stops a machine waits no longer than must be for what people are called
        who = self.people.hurried() if command.verb in STOPPING else self.people.get
        person = who(user) if command.verb in CHANGING else SlackUser(user)
        if person.active is False:
            log.warning("a command of the deactivated user or bot %s was not carried out", user)
            return
        texts = self._carry_out(command, person, event_id, event, who)
        if isinstance(texts, Target):
            self.bulk.ask(command.verb, texts, person, thread)
        else:
            self.replies.post(texts, channel, thread)

    def _carry_out(
        self,
        command: ParsedCommand,
        person: SlackUser,
        event_id: str,
        event: dict[str, Any],
        who: Callable[[str], SlackUser],
    ) -> list[str] | Target:
        """Do it, and return the posts that answer it (none where the notice itself is the answer).

        What concerns all machines is only returned. ``who`` says who a member is.
        """
        remembered = False
        try:
            match command.verb:
                case Verb.STATUS:
                    return self._status(command.argument, names=event["channel"] == self._control)
                case Verb.HISTORY:
                    return self._history(command.argument)
                case Verb.LINK | Verb.UNLINK:
                    return [self._link(command, person)]
                case Verb.HELP:
                    return [answers.help_text(command.unknown)]
                case verb:
                    target = self._changes.resolve(command, who)
                    if target.name == ALL:
                        return target
                    answer = self._changes.make(verb, target, person, moment(event.get("ts")), event_id)
                    remembered = True  # with what it did, or by the machine that was so already
                    return self._changes.remarks(target.name, answer)
        except Exception as error:
            return [self._changes.failure(error)]
        finally:
            if not remembered:
                self._once.remember(event_id)

    def _notify(self, argument: str, user: str, event_id: str) -> str:
        try:
            name, off = find_notified(argument, self._fleet.find)
            answer = self._fleet.tell_when_free(name, user, off=off)
            return answers.notify_text(self._fleet.snapshot(name).display_name, answer.already, off=off)
        except Exception as error:
            return self._changes.failure(error)
        finally:
            self._once.remember(event_id)

    def _status(self, argument: str, *, names: bool) -> list[str]:
        now = datetime.now(UTC)
        if argument:
            name = find_quoted(plain(argument), self._fleet.find)
            machine = self._fleet.snapshot(name)
            return answers.split(status.machine_lines(machine if names else machine.without_names(), now))
        fleet = self._fleet
        machines = [machine if names else machine.without_names() for machine in fleet.snapshots()]
        server = [status.server_line(fleet.configuration, fleet.started_at, now)]
        if names:
            server += [f"Trouble: {notices.escape(text)}" for text in fleet.health().values()]
            server += self._waiting_line(now)
        return status.status_posts(machines, server, now)

    def _link(self, command: ParsedCommand, person: SlackUser) -> str:
        found = parse_link(command.argument)
        unlink = command.verb is Verb.UNLINK
        if found is None or not (unlink or found[1]):
            return answers.LINK_USAGE
        if not person.active:
            raise ChatError(UNKNOWN_ASKER)
        slack_id, who = found
        member = self.people.get(slack_id)
        if member.active is False:
            return answers.not_linkable_text(member.name)
        if unlink:
            self.links.link(slack_id, "")
            return answers.unlinked_text(member.name)
        users = find_users(self._fleet.configuration.directory, who)
        if len(users) == 1:
            self.links.link(slack_id, users[0].account_id)
        return answers.linked_text(member.name, who, users)

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
        name = find_quoted(plain(argument), self._fleet.find)
        page = self._fleet.store.page(machine=name, limit=HISTORY_LINES)
        label = self._fleet.snapshot(name).display_name
        return answers.split(answers.history_text(label, [entry.outcome for entry in page.entries]).splitlines())


def _why_not(event: dict[str, Any]) -> str | None:
    """Say why a mention is not obeyed, if it isn't."""
    if event.get("bot_id") or event.get("user") == SLACKBOT:
        return "it is a bot's"
    if event.get("edited"):
        return "it was edited, and an edited message is no new command"
    subtype = event.get("subtype")
    return None if subtype in OBEYED_SUBTYPES else f"its subtype is {subtype}"
