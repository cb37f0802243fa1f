"""What changes a machine: from a command to the machine's actor, and what is to be said of it beside the notice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from mac_actors.actors.replies import Answer
from mac_actors.core.config import fold_name
from mac_actors.core.decision import Already
from mac_actors.core.inputs import COMMANDS, Done, Lock, Oops
from mac_actors.core.notices import Channel
from mac_actors.core.outcomes import Outcome
from mac_actors.core.state import Source
from mac_actors.core.text import local_time
from mac_actors.errors import ChatError, MacError, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.slack import answers, notices, status
from mac_actors.slack.commands import ALL, ParsedCommand, Target, Verb, resolve
from mac_actors.slack.people import SlackUser, SlackUsers

log = logging.getLogger(__name__)


UNKNOWN_ASKER = "Slack can't say who you are at the moment: nothing was changed. Try again in half a minute."


class Changes:
    """The way from Slack to the machines."""

    def __init__(self, fleet: MachineFleet, people: SlackUsers) -> None:
        self._fleet = fleet
        self._people = people

    def resolve(self, command: ParsedCommand, who: Callable[[str], SlackUser] | None = None) -> Target:
        """Find the machine that is meant (:data:`ALL` of them, for a lock or a clear), and the reason, where ``who``
        says who the members are that it mentions.

        Raises :class:`UnknownMachine`.
        """

        def find(name: str) -> str:
            try:
                return self._fleet.find(name)
            except UnknownMachine:
                if command.verb in {Verb.LOCK, Verb.CLEAR} and fold_name(name) == "all":
                    return ALL
                raise

        who = who or self._people.get
        return resolve(command, find, lambda user: who(user).name)

    def make(
        self, command: str, target: Target, person: SlackUser, given: datetime | None, event_id: str | None = None
    ) -> Answer:
        """Give a machine one of :data:`COMMANDS`, and wait for what came of it. ``given``: when it was given.

        Raises :class:`MacError`. A machine is never given power again for somebody whom Slack does not know.
        """
        kind = COMMANDS[command]
        if kind not in {Oops, Lock} and not person.active:
            raise ChatError(UNKNOWN_ASKER)
        now, reasons = datetime.now(UTC), (target.reason, target.public_reason)
        order = kind(now, Source.SLACK, person.name, *reasons, given)
        if isinstance(order, Lock):
            order = replace(order, when_free=target.when_free)
        elif isinstance(order, Done):
            order = replace(order, due=target.due)
        return self._fleet.ask(target.name, order, event_id)

    def remarks(self, name: str, answer: Answer) -> list[str]:
        """Return what is to be said beside the notice: that nothing was changed, that the disk is slow, or that the
        notice comes later.
        """
        machine = self._fleet.snapshot(name)
        label = machine.display_name
        if Already.SET_SINCE in answer.already:
            return [answers.set_since_text(status.status_line(machine, datetime.now(UTC)))]
        if not answer.outcomes:
            return [answers.already_text(label, answer.already)]
        if not answer.durable:
            return [notices.escape(f"{label}: done, but not on disk yet (the server's disk is slow or failing).")]
        if until := self._held_until(name, answer.outcomes[0]):
            return [notices.escape(f"{label}: done. The notice of it is held until {local_time(until)}: quiet hours.")]
        return []

    def _held_until(self, name: str, outcome: Outcome) -> datetime | None:
        """Return until when the control channel's notice is held, which would be the answer; ``None``: it is not."""
        config, state = self._fleet.supervisor.published[name]
        found = self._fleet.outgoing.notices(outcome, state, config)
        return next((notice.due for notice in found if notice.channel == Channel.CONTROL), None)

    def failure(self, error: Exception) -> str:
        """Say why something was not done; what is the server's own mistake goes to the log."""
        if isinstance(error, UnknownMachine):
            names = self._fleet.configuration.machines
            labels = [names[self._fleet.find(name)].display_name for name in error.suggestions]
            return answers.unknown_text(error.name, labels)
        if isinstance(error, MacError):
            return notices.escape(str(error))
        log.error("a Slack command failed", exc_info=error)
        return answers.MISTAKE
