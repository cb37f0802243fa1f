"""A server of the sample shop beside the stand-in workspace, and what a test says and waits for there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mac_actors.core.inputs import Clear
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Source
from mac_actors.service.service import Service
from mac_actors.settings import Settings, SlackSettings
from tests.fakes import PATIENCE, PATIENT_BUDGET, wait_until
from tests.web.client import Running, report_body

from .standin.records import Answer, Ephemeral, Post, Update
from .standin.socket_mode import Delivery
from .standin.workspace import BOB, CONTROL, OOPS, Workspace

ETC = Path(__file__).parents[2] / "etc"
ADA_FOB = "1000001"
"""The fob of Ada Example, who may use the metal mill."""

_last_commands = count(1)


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Let retries, pace and pings take fractions of the seconds that they take in a shop; and no proxy."""
    patch.setattr("mac_actors.slack.gateway.SlackChat.seconds_per_post", 0.0)
    patch.setattr("mac_actors.slack.gateway.LASTING_RETRY_SECONDS", 0.3)
    patch.setattr("mac_actors.slack.people.RETRY_SECONDS", 0.0)
    patch.setattr("mac_actors.slack.socket_mode.PING_SECONDS", 0.2)
    patch.setattr("mac_actors.slack.socket_mode.UNREACHABLE_RETRY", (0.05, 0.2))
    patch.setattr("mac_actors.slack.socket_mode.REFUSED_RETRY", (0.05, 0.2))
    patch.setattr("mac_actors.slack.socket_mode.CALL_SECONDS", 0.0)
    patch.setattr("mac_actors.slack.connection.CHECK_SECONDS", 0.2)
    patch.setattr("mac_actors.actors.notifier.FIRST_RETRY", 0.05)
    patch.setattr("mac_actors.actors.notifier.LAST_RETRY", 0.2)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        patch.delenv(name, raising=False)
        patch.delenv(name.upper(), raising=False)


def slack_settings(workspace: Workspace, **changes: str) -> SlackSettings:
    """The settings for this workspace."""
    values = {
        "bot_token": workspace.bot_token,
        "app_token": workspace.app_token,
        "signing_secret": "not used in Socket Mode",
        "control_channel": CONTROL,
        "oops_channel": OOPS,
        "api_url": workspace.url,
    }
    return SlackSettings(**values | changes)


class Shop:
    """A running server, and what its people see in Slack since :meth:`begin`."""

    def __init__(
        self,
        workspace: Workspace,
        directory: Path,
        *,
        wait: bool = True,
        commit_budget: float = PATIENT_BUDGET,
        machines: Path = ETC / "machines.json",
        users: Path = ETC / "users.json",
        base_url: str | None = None,
        slack_config: Path = Path("slack.json"),
        **changes: str,
    ) -> None:
        self.workspace = workspace
        settings = Settings(
            machines,
            users,
            directory / "state",
            host="127.0.0.1",
            port=0,
            commit_budget=commit_budget,
            slack=slack_settings(workspace, **changes),
            slack_config=slack_config,
            base_url=base_url,
        )
        self.machines = machines
        self._stopped = False
        self._uptime = 1000.0
        self.begin()
        self.service = Service(settings)
        self.service.server.expiration_interval = 0.02
        self.service.start()
        self.http = Running(self.service)
        self.fleet = self.service.fleet
        if wait:
            self.connected()

    def stop(self) -> None:
        """Stop the server."""
        if not self._stopped:
            self._stopped = True
            self.service.stop()

    def connected(self) -> None:
        """Wait until commands work."""
        wait_until(lambda: self.workspace.connected > 0 and "slack" not in self.service.shop.notes())

    # before a test

    def begin(self) -> None:
        """Let only what comes from now on count."""
        workspace = self.workspace
        self._posts = len(workspace.posts())
        self._ephemerals = len(workspace.ephemerals())
        self._updates = len(workspace.updates())
        self._answers = len(workspace.answers)

    def tidy(self) -> None:
        """Undo what tests before did: faults, flags, cards."""
        self.workspace.mend()
        for machine in self.fleet.snapshots():
            if machine.session:
                self.report(machine.name)
            if machine.clearable:
                self.fleet.ask(machine.name, Clear(datetime.now(UTC), Source.REPL))
        self.settle()
        self.begin()

    # doing

    def report(self, name: str, fob: str = "", *, oops: bool = False, uptime: float | None = None) -> Any:
        """Report as a reader does."""
        self._uptime += 1
        body = report_body(name, fob, oops=oops, uptime=self._uptime if uptime is None else uptime)
        reply = self.http.post("/api/machine/update", body)
        assert reply.status == 200, reply
        return reply.json

    def say(self, text: str, **more: Any) -> Delivery:
        """Mention the bot; back when the command was carried out. Its answer may still be on the way."""
        delivery = self.workspace.mention(text, **more)
        delivery.acked()
        wait_until(lambda: self.fleet.store.has_seen(delivery.event_id))
        return delivery

    def state(self, name: str) -> Snapshot:
        return self.fleet.snapshot(name)

    def ack_limit(self) -> float:
        """Slack's 3 s for an acknowledgement; on a busy computer 20 times what one takes when all is well."""
        usual = self.workspace.slash("/oops-clear")
        usual.answered()
        return max(3.0, 20 * usual.acked().took)

    # waiting

    def drained(self) -> None:
        """Wait until all notices are posted."""
        wait_until(lambda: self.fleet.journal.depth == 0 and self.fleet.store.count_waiting()[0] == 0)

    def told(self, user: str, n: int = 1) -> list[str]:
        """The direct messages that a user got since the test began, once there are n."""
        channel = f"D{user[1:]}"
        self.workspace.wait_for(lambda: len(self.posts(channel)) >= n, PATIENCE)
        return [post.text for post in self.posts(channel)]

    def settle(self) -> None:
        """Wait until all that was said is answered, all notices are posted, and so is the answer to a last command."""
        assert self.service.shop.slack
        self.service.shop.slack.commands.finish(PATIENCE)
        self.service.shop.slack.answering.finish(PATIENCE)
        self.drained()
        word = f"settle-{next(_last_commands)}"  # no other shop's in this workspace
        self.workspace.mention(word, user=BOB)
        self.workspace.wait_for(lambda: any(word in post.text for post in self.workspace.posts(CONTROL)), PATIENCE)
        self.drained()

    # seeing

    def posts(self, channel: str | None = None) -> list[Post]:
        new = self.workspace.posts()[self._posts :]
        return [post for post in new if channel in (None, post.channel) and "settle-" not in post.text]

    def texts(self, channel: str = CONTROL) -> list[str]:
        """The texts of a channel's posts, without the summary that ends that of a clear."""
        return [re.sub(r" Out of use for .+", "", post.text) for post in self.posts(channel)]

    def ephemerals(self, channel: str | None = None) -> list[Ephemeral]:
        new = self.workspace.ephemerals()[self._ephemerals :]
        return [one for one in new if channel in (None, one.channel)]

    def updates(self) -> list[Update]:
        return self.workspace.updates()[self._updates :]

    def answers(self) -> Sequence[Answer]:
        return self.workspace.answers[self._answers :]

    def wait_for_texts(self, n: int, channel: str = CONTROL) -> list[str]:
        """The texts of a channel, once there are n."""
        self.workspace.wait_for(lambda: len(self.texts(channel)) >= n, PATIENCE)
        return self.texts(channel)

    def wait_for_ephemerals(self, n: int = 1) -> list[Ephemeral]:
        self.workspace.wait_for(lambda: len(self.ephemerals()) >= n, PATIENCE)
        return self.ephemerals()

    def wait_for_updates(self, n: int = 1) -> list[Update]:
        self.workspace.wait_for(lambda: len(self.updates()) >= n, PATIENCE)
        return self.updates()
