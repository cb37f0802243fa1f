"""What leaves a fleet: notices for the chat, routed as slack.json says, and events for webhooks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from mac_actors.actors.journal import Journal
from mac_actors.actors.notifiers import Notifier
from mac_actors.actors.outlet import Outlet
from mac_actors.actors.webhooks import Webhooks
from mac_actors.core.config import Configuration, MachineConfig
from mac_actors.core.notices import Channel, Notice, notices, oops_channel, route
from mac_actors.core.outcomes import Outcome, kind
from mac_actors.core.routing import AT_ONCE, SERVER
from mac_actors.core.state import MachineState
from mac_actors.storage.records import Record


class Outgoing:
    """Says what is written to the outbox, and who takes it from there; ``None``: nobody does."""

    def __init__(self, journal: Journal, notifier: Notifier | None, webhooks: Webhooks | None) -> None:
        self._journal = journal
        self._notifier = notifier
        self._webhooks = webhooks
        self.routing = AT_ONCE

    def configure(self, configuration: Configuration, *, webhooks: bool = True) -> None:
        """Go by this configuration from now on; ``webhooks=False``: they are as before."""
        self.routing = configuration.routing
        self.expect(configuration.slack_channels)
        if self._webhooks and webhooks:
            self._webhooks.configure(configuration.webhooks)

    def expect(self, slack_channels: Iterable[str]) -> None:
        """Take notices for these oops channels of machines, and for no others that machines had."""
        if self._notifier:
            self._notifier.configure(map(oops_channel, slack_channels))

    def say(self, text: str, *, at_once: bool = False) -> None:
        """Post a line to the control channel; ``at_once``: not by way of the disk."""
        if self._notifier and at_once:
            self._notifier.say_now(text)
        elif self._notifier:
            now = datetime.now(UTC)
            if notice := route(Notice(Channel.CONTROL, text), SERVER, now, self.routing):
                self._journal.record(Record(notices=((now, notice),)))

    def notices(
        self, outcome: Outcome, state: MachineState | None = None, config: MachineConfig | None = None
    ) -> tuple[Notice, ...]:
        """Return what is posted of an outcome, where, and when."""
        found = notices(outcome, state, config) if self._notifier else ()
        routed = (route(notice, kind(outcome), outcome.at, self.routing) for notice in found)
        return tuple(notice for notice in routed if notice)

    def events(self, outcome: Outcome) -> tuple[Notice, ...]:
        """Return what is written of an outcome for webhooks."""
        return self._webhooks.notices(outcome) if self._webhooks else ()

    def all_notices(
        self, outcome: Outcome, state: MachineState | None = None, config: MachineConfig | None = None
    ) -> tuple[Notice, ...]:
        """Return what is written for the chat and for webhooks of an outcome that comes from no machine's actor."""
        return self.notices(outcome, state, config) + self.events(outcome)

    def outlets(self) -> dict[str, Outlet]:
        """Return who takes what is in the outbox to somebody outside, by channel."""
        chat = self._notifier.channels.items() if self._notifier else ()
        return {**dict(chat), **(self._webhooks.notifiers if self._webhooks else {})}

    def wake(self) -> None:
        """Have everybody look at the outbox."""
        for outlet in self.outlets().values():
            outlet.wake()
