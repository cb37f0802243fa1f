"""Slack, MQTT and webhooks are the owner's: what they see of a takeover, and of an owner that comes back too late."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from tests.cluster.cell import HEADERS, Cell
from tests.e2e.processes import ServerProcess
from tests.fakes import wait_until
from tests.faults import audit
from tests.faults.shop import CONSTANTS
from tests.mqtt.broker import Broker, Watcher, needs_mosquitto, watching
from tests.postgres import Cluster, needs_postgres
from tests.slack.standin.socket_mode import Delivery
from tests.slack.standin.workspace import CONTROL, OOPS, Workspace
from tests.webhooks.receiver import SECRET, Receiver

pytestmark = [needs_postgres, needs_mosquitto]

AVAILABILITY, MILL = "mac-actors/availability", "mac-actors/machine/metal-mill"
KINDS = ["oops_set", "oops_cleared", "cleared"]
ACK_SECONDS = 3.0


class Node(ServerProcess):
    constants: ClassVar = {**CONSTANTS, "mac_actors.slack.socket_mode:CALL_BURST": 50}


class Shop(Cell):
    """A cell with all that is outside."""

    program = Node

    def __init__(self, directory: Path, database: str, workspace: Workspace, broker: Broker, hook: str) -> None:
        super().__init__(directory, database, lease=2)
        self.workspace = workspace
        webhooks = directory / "webhooks.json"
        webhooks.write_text(json.dumps({"here": {"url": hook, "secret": SECRET, "kinds": KINDS}}))
        self.variables |= {
            **workspace.variables(),
            "MAC_MQTT_URL": broker.url,
            "MAC_MQTT_COMMANDS": "1",
            "MAC_WEBHOOKS": str(webhooks),
            "no_proxy": "*",
        }
        self.begin()
        workspace.wait_connected()

    def admin(self, name: str, what: str, reason: str) -> None:
        status, answer = self.servers[name].call("POST", f"/api/machine/{what}/metal-mill", {"reason": reason}, HEADERS)
        assert (status, answer) == (200, {"success": True})

    def done(self, reason: str) -> list[str]:
        """What is in the journal with this reason."""
        rows = self.query("SELECT kind, data FROM journal ORDER BY id")
        return [kind for kind, data in rows if audit.Row(0, "", kind, json.loads(data), data).reason == reason]

    def posted(self, text: str, channel: str = CONTROL) -> int:
        """How often this is posted, beside the summary of a clear."""
        lines = (line for post in self.workspace.posts(channel) for line in post.text.splitlines())
        return sum(text in line.partition(" Out of use for ")[0] for line in lines)

    def wait_for_post(self, text: str) -> None:
        wait_until(lambda: self.posted(text) and self.posted(text, OOPS))

    def until_acknowledged(self, delivery: Delivery) -> Delivery:
        """Deliver it as Slack does: again, where nobody says that it is there."""
        for _ in range(10):
            try:
                delivery.acked(ACK_SECONDS)
                break
            except TimeoutError:
                delivery = self.workspace.redeliver(delivery)
        return delivery


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Broker, Watcher]]:
    with ExitStack() as stack:
        broker = Broker(tmp_path)
        stack.callback(broker.stop)
        yield broker, stack.enter_context(watching(broker))


@pytest.fixture
def shop(
    tmp_path: Path, cluster: Cluster, database: str, watched: tuple[Broker, Watcher], receiver: Receiver
) -> Iterator[Shop]:
    with Workspace() as workspace:
        address = cluster.tcp_url(urlsplit(database).path[1:])
        shop = Shop(tmp_path, address, workspace, watched[0], receiver.url)
        try:
            yield shop
        finally:
            shop.end()


def killed(shop: Shop, name: str) -> None:
    shop.servers[name].kill()


def stopped(shop: Shop, name: str) -> None:
    assert shop.servers[name].terminate() == 0


@pytest.mark.parametrize("end", [killed, stopped])
def test_the_next_owner_goes_on_where_the_last_one_was(
    shop: Shop, watched: tuple[Broker, Watcher], receiver: Receiver, end: Callable[[Shop, str], None]
) -> None:
    workspace, watcher = shop.workspace, watched[1]
    watcher.wait_for(AVAILABILITY, b"online")
    watcher.wait_for(MILL, status="idle")
    workspace.fail("chat.postMessage", "internal_error")
    receiver.answer = lambda event: 503
    shop.admin("a", "oops", "a belt that slips")
    watcher.wait_for(MILL, status="oopsed")
    receiver.wait_for_requests(1)

    end(shop, "a")
    delivery = workspace.mention("clear Metal Mill: a new belt")
    wait_until(lambda: (AVAILABILITY, b"offline") in watcher.seen)
    workspace.mend()
    receiver.answer = lambda event: 204
    watcher.wait_for(AVAILABILITY, b"online")
    delivery = shop.until_acknowledged(delivery)
    shop.wait_for_post("a new belt")
    workspace.redeliver(delivery).acked()
    watcher.wait_for(MILL, status="idle")
    for text, kind in (("a belt that slips", "oops_set"), ("a new belt", "oops_cleared")):
        assert shop.done(text) == [kind]
        assert (shop.posted(text), shop.posted(text, OOPS)) == (1, 1)
    assert [event["kind"] for event in receiver.wait_for(2)] == ["oops_set", "oops_cleared"]
    watcher.publish(f"{MILL}/command", '{"command": "lock", "reason": "by the broker"}')
    watcher.wait_for(MILL, status="locked_out")
    wait_until(lambda: shop.done("by the broker"))
    assert shop.done("by the broker") == ["lock_set"]


def test_an_owner_that_comes_back_after_its_lease_says_and_does_nothing_more(
    shop: Shop, watched: tuple[Broker, Watcher], receiver: Receiver
) -> None:
    workspace, watcher = shop.workspace, watched[1]
    watcher.wait_for(MILL, status="idle")
    workspace.fail("chat.postMessage", "internal_error")
    receiver.answer = lambda event: 503
    shop.admin("a", "oops", "sparks")
    receiver.wait_for_requests(1)
    wait_until(lambda: len(workspace.calls_to("chat.postMessage")) >= 2)

    old = shop.servers["a"]
    old.process.send_signal(signal.SIGSTOP)
    made = workspace.connections_made
    watcher.publish(f"{MILL}/command", '{"command": "oops", "reason": "smoke"}')
    delivery = workspace.mention("lock Metal Mill: a fire")  # to the one that can't answer
    wait_until(lambda: shop.row()[1] == shop.url("b"))
    workspace.mend()
    receiver.answer = lambda event: 204
    workspace.wait_connected(made + 1)
    watcher.wait_for(MILL, status="oopsed")
    shop.until_acknowledged(delivery)
    shop.wait_for_post("a fire")
    shop.admin("b", "clear", "it was put out")
    shop.wait_for_post("it was put out")
    watcher.wait_for(MILL, status="idle")
    receiver.wait_for(2)

    posts = len(workspace.posts())
    old.process.send_signal(signal.SIGCONT)
    old.wait_for("no longer owns the machines")
    wait_until(lambda: old.call("GET", "/healthz?serving")[0] == 200)
    workspace.mention("status Metal Mill")
    wait_until(lambda: shop.posted("Metal Mill: idle"))
    assert [post.text for post in workspace.posts()[posts:] if "Metal Mill: idle" not in post.text] == []
    watcher.wait_for(AVAILABILITY, b"online")  # also where the broker has said meanwhile that the old one is gone
    watcher.wait_for(MILL, status="idle")  # and where the old one's last word was still on its way
    assert shop.done("a fire") == ["lock_set"]
    assert shop.done("smoke") == [], "there was nobody who could take it, and it is too late now"
    sent = Counter(request.headers["webhook-id"] for request in receiver.requests if request.status == 204)
    assert set(sent.values()) == {1}
