"""The connection to a real mosquitto: states, commands, a broker that is away, hangs, lies or sends too much."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mac_actors.core.inputs import Clear, Oops
from mac_actors.core.state import Source
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.mqtt.bridge import MqttBridge
from mac_actors.settings import MqttSettings
from mac_actors.settings.files import parse
from tests.e2e.processes import ServerProcess
from tests.fakes import ANN, open_fleet, report, sample_machines, sample_users, wait_until
from tests.mqtt.broker import PASSWORD, Broker, Watcher, needs_mosquitto, watching

pytestmark = needs_mosquitto

MILL, ROUTER = "mac-actors/machine/metal-mill", "mac-actors/machine/router"
MILL_DEVICE = "homeassistant/device/mac-actors_metal-mill/config"


@pytest.fixture(scope="module")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop()


@pytest.fixture
def broker(shared_broker: Broker) -> Iterator[Broker]:
    """A broker that retains nothing."""
    shared_broker.stop()
    shared_broker.start()
    yield shared_broker
    if shared_broker.process.poll() is not None:
        shared_broker.start()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.mqtt.bridge.FIRST_RETRY", 0.05)
    monkeypatch.setattr("mac_actors.mqtt.bridge.LAST_RETRY", 0.1)
    monkeypatch.setattr("mac_actors.mqtt.bridge.LOOK_SECONDS", 0.1)


@pytest.fixture
def watcher(broker: Broker) -> Iterator[Watcher]:
    with watching(broker) as one:
        yield one


@contextmanager
def bridged(url: str, *, commands: bool = False) -> Iterator[tuple[MachineFleet, MqttBridge]]:
    with open_fleet() as fleet:
        bridge = MqttBridge(MqttSettings(url, commands=commands), fleet, names=False)
        try:
            yield fleet, bridge
        finally:
            bridge.stop()


def oops(fleet: MachineFleet, name: str) -> None:
    fleet.ask(name, Oops(datetime.now(UTC), Source.HTTP, None, "belt"))


def test_states_follow_what_happens_and_the_end_of_the_server_is_said(broker: Broker, watcher: Watcher) -> None:
    with bridged(broker.url) as (fleet, bridge):
        watcher.wait_for("mac-actors/availability", b"online")
        watcher.wait_for(MILL, status="idle", online=False)
        report(fleet, "metal-mill", ANN)
        watcher.wait_for(MILL, status="in_use", online=True, power=True, user=None)
        oops(fleet, "metal-mill")
        watcher.wait_for(MILL, status="oopsed", power=False, reason="belt")
        watcher.wait_for("mac-actors/shop", oopsed=1)
        assert watcher.wait_for(MILL_DEVICE)["device"]["name"] == "Metal Mill"
        assert bridge.is_connected()
    watcher.wait_for("mac-actors/availability", b"offline")


def test_a_machine_that_is_removed_goes_from_the_broker_also_over_a_restart(broker: Broker, watcher: Watcher) -> None:
    rest = {name: entry for name, entry in sample_machines().items() if name != "metal-mill"}
    with bridged(broker.url) as (fleet, _):
        watcher.wait_for(MILL, status="idle")
        fleet.reload(parse(rest, sample_users()))
        watcher.wait_for(MILL, b"")
        watcher.wait_for(MILL_DEVICE, b"")
        fleet.reload(parse(sample_machines(), sample_users()))
        watcher.wait_for(MILL, status="idle")
    watcher.publish("mac-actors/machine/of-old", "{}", retain=True)
    watcher.publish("homeassistant/device/mac-actors_of-old/config", "{}", retain=True)
    with bridged(broker.url):
        watcher.wait_for("mac-actors/machine/of-old", b"")
        watcher.wait_for("homeassistant/device/mac-actors_of-old/config", b"")


def test_what_an_earlier_server_says_late_is_put_right(broker: Broker, watcher: Watcher) -> None:
    with bridged(broker.url) as (fleet, _):
        watcher.wait_for("mac-actors/availability", b"online")
        oops(fleet, "metal-mill")
        watcher.wait_for(MILL, status="oopsed")
        shop = watcher.wait_for("mac-actors/shop", oopsed=1)
        for topic, late in (("mac-actors/availability", "offline"), (MILL, "{}"), ("mac-actors/shop", "{}")):
            watcher.publish(topic, late, retain=True)
        watcher.wait_for("mac-actors/availability", b"online")
        watcher.wait_for(MILL, status="oopsed")
        watcher.wait_for("mac-actors/shop", **shop)


def test_a_server_that_may_not_own_the_machines_says_and_obeys_nothing(broker: Broker, watcher: Watcher) -> None:
    lease = threading.Event()
    lease.set()
    with open_fleet(holds=lambda: not lease.is_set()) as fleet:
        bridge = MqttBridge(MqttSettings(broker.url, commands=True), fleet, names=False)
        watcher.wait_for(MILL, status="idle")
        watcher.wait_for("homeassistant/device/mac-actors/config")
        lease.clear()
        wait_until(lambda: all(info.is_published() for _, info in bridge._published.values()))
        watcher.publish("begin", "")
        watcher.wait_for("begin", b"")
        seen = len(watcher.seen)
        for command in ("clear", "unlock", "oops"):
            watcher.publish(f"{MILL}/command", json.dumps({"command": command}))
        watcher.publish("mac-actors/availability", "offline", retain=True)
        wait_until(lambda: fleet.held)  # it has the last of them
        bridge.stop()
        watcher.publish("end", "")
        watcher.wait_for("end", b"")
        assert [topic for topic, _ in watcher.seen[seen:]] == [f"{MILL}/command"] * 3 + [
            "mac-actors/availability",
            "end",
        ]
        [oops] = fleet.held["metal-mill"].inputs
        assert isinstance(oops, Oops), "what stops a machine is kept for the next owner"
        assert not fleet.snapshot("metal-mill").oops
        late = MqttBridge(MqttSettings(broker.url), fleet, names=False)
        late.stop()
        assert late.error == "not connected yet"


def test_commands_are_obeyed_only_where_that_is_allowed(broker: Broker, watcher: Watcher) -> None:
    watcher.publish(f"{ROUTER}/command", "oops", retain=True)  # an old one, that must not be obeyed at each connection
    with bridged(broker.url, commands=True) as (fleet, _):
        watcher.wait_for(MILL, status="idle")
        watcher.publish(f"{MILL}/command", '{"command": "lock", "reason": "new blade"}')
        watcher.wait_for(MILL, status="locked_out", reason="new blade")
        watcher.publish(f"{MILL}/command", "oops")
        watcher.wait_for(MILL, status="oopsed_locked_out")
        watcher.publish(f"{MILL}/command", "clear")
        watcher.wait_for(MILL, status="idle")
        snapshot = fleet.store.page(machine="metal-mill").entries
        assert {entry.outcome.origin.source for entry in snapshot if entry.outcome.origin} == {Source.MQTT}
        assert watcher.wait_for(ROUTER)["status"] == "idle"
    with bridged(broker.url) as (fleet, _):
        watcher.wait_for("mac-actors/availability", b"online")
        watcher.publish(f"{MILL}/command", "oops")
        oops(fleet, "router")
        watcher.wait_for(ROUTER, status="oopsed")
        assert watcher.wait_for(MILL)["status"] == "idle"


def test_what_is_no_command_changes_nothing_however_big_it_is(
    broker: Broker, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    with bridged(broker.url, commands=True) as (_, bridge):
        watcher.wait_for(MILL, status="idle")
        for payload in (b"start", b"\xff\xfe", b"x" * 10_000_000, b"", b"{" * 5000):
            watcher.publish(f"{MILL}/command", payload)
        watcher.publish("mac-actors/machine/nowhere/command", "lock")
        for _ in range(500):
            watcher.publish(f"{ROUTER}/command", "unlock")
        watcher.publish(f"{MILL}/command", "lock")
        watcher.wait_for(MILL, status="locked_out")
        assert bridge.is_connected()
    assert "is no command" in caplog.text
    assert "No such machine: nowhere" in caplog.text
    assert len(caplog.text) < 100_000


def test_a_broker_that_was_away_has_the_present_state_on_its_return_and_not_the_past(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with bridged(broker.url) as (fleet, bridge):
        wait_until(bridge.is_connected)
        broker.stop()
        wait_until(lambda: not bridge.is_connected())
        for _ in range(20):
            oops(fleet, "metal-mill")
            fleet.ask("metal-mill", Clear(datetime.now(UTC), Source.HTTP))
        oops(fleet, "router")
        broker.start()
        with watching(broker) as watcher:
            watcher.wait_for(ROUTER, status="oopsed")
            watcher.wait_for(MILL, status="idle")
            watcher.wait_for("mac-actors/availability", b"online")
            assert "oopsed" not in {json.loads(p)["status"] for topic, p in watcher.seen if topic == MILL}
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("access", "named"),
    [
        ("topic read #", "mac-actors/availability and 12 more topics"),
        ("topic readwrite mac-actors/#\ntopic read #", "homeassistant/device/mac-actors/config and 5 more topics"),
    ],
)
def test_what_a_broker_refuses_is_said_once_and_offered_again_until_it_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, access: str, named: str
) -> None:
    monkeypatch.setattr("mac_actors.mqtt.bridge.REFUSED_SECONDS", 0.3)
    caplog.set_level(logging.INFO)
    broker = Broker(tmp_path, access=access)
    try:
        with bridged(broker.url) as (fleet, bridge), watching(broker) as watcher:
            wait_until(lambda: f"refuses what is published to {named}: Not authorized" in str(bridge.error))
            assert not bridge.is_connected()
            oops(fleet, "router")
            fleet.reload(parse({"router": sample_machines()["router"]}, sample_users()))
            broker.allow("topic readwrite #")
            watcher.wait_for("mac-actors/availability", b"online")
            watcher.wait_for(ROUTER, status="oopsed")
            watcher.wait_for(MILL_DEVICE, b"")
            wait_until(bridge.is_connected)
    finally:
        broker.stop()
    assert caplog.text.count("does not take all messages") == 1
    assert caplog.text.count("takes all messages again") == 1


def test_nothing_waits_for_a_broker_that_hangs(broker: Broker) -> None:
    with bridged(broker.url) as (fleet, bridge):
        wait_until(bridge.is_connected)
        broker.process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        for _ in range(50):
            oops(fleet, "metal-mill")
            fleet.ask("metal-mill", Clear(datetime.now(UTC), Source.HTTP))
        oops(fleet, "router")
        assert time.monotonic() - begun < 15
        broker.process.send_signal(signal.SIGCONT)
        with watching(broker) as watcher:
            watcher.wait_for(ROUTER, status="oopsed")
            watcher.wait_for(MILL, status="idle")


@pytest.mark.parametrize(
    "lie",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\xff\xff\xff\x7f" + b"x" * 65536,
        b"\x20\x03\x00\x87\x00",
        b"\x00" * 999,
        b"\x20\x03\x00\x00\x00\x30\x05\x00\x03\xff\xfe\xfd",
        b"\x20\x03\x00\x00\x00\x40\x02\x00\x01\xf0\x00",
        b"",
    ],
)
def test_whatever_a_broker_says_the_machines_are_served_and_it_is_tried_again(
    lie: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    connections = threading.Semaphore(0)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connections.release()
                    try:
                        connection.sendall(lie)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with bridged(f"mqtt://u:{PASSWORD}@127.0.0.1:{listener.getsockname()[1]}", commands=True) as (fleet, bridge):
            for _ in range(3):
                assert connections.acquire(timeout=20)
            oops(fleet, "router")
            wait_until(lambda: bridge.error)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert PASSWORD not in caplog.text


def test_a_killed_server_is_offline_by_its_last_will(tmp_path: Path, broker: Broker, watcher: Watcher) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    url = broker.url.replace(f":{PASSWORD}", "") + "/woodshop"
    settings = {"MAC_MQTT_URL": url, "MAC_MQTT_PASSWORD_FILE": str(tmp_path / "password"), "MAC_PUBLIC_NAMES": "1"}
    with ServerProcess(tmp_path, **settings) as server:
        watcher.wait_for("woodshop/availability", b"online")
        server.report("metal-mill", "1000001")
        watcher.wait_for("woodshop/machine/metal-mill", user="Ada Example", status="in_use")
        assert b"mac_mqtt_connected 1.0" in server.fetch("/metrics")[1]
        server.kill()
        watcher.wait_for("woodshop/availability", b"offline")
        assert not [line for line in server.lines if PASSWORD in line]


def test_a_wrong_password_is_said_and_named_beside_the_servers_health(tmp_path: Path, broker: Broker) -> None:
    with ServerProcess(tmp_path, MAC_MQTT_URL=broker.url.replace(PASSWORD, "another-secret")) as server:
        server.wait_for("the MQTT broker at 127.0.0.1 does not take messages: the broker refuses")
        ready = server.call("GET", "/readyz")[1]
        assert "refuses" in ready["notes"]["mqtt"]
        assert not [line for line in server.lines if "another-secret" in line]


def test_mqtts_takes_messages_through_tls_and_a_certificate_that_nobody_vouches_for_is_said(tmp_path: Path) -> None:
    for name in ("own", "foreign"):
        command = (
            f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -addext subjectAltName=IP:127.0.0.1"
        )
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
        subprocess.run([*command.split(), *files], cwd=tmp_path, check=True, capture_output=True)
    broker = Broker(tmp_path, f"certfile {tmp_path}/own.crt\nkeyfile {tmp_path}/own.key\n")
    try:
        for name in ("foreign", "own"):
            server = ServerProcess(tmp_path, MAC_MQTT_URL=broker.url, SSL_CERT_FILE=str(tmp_path / f"{name}.crt"))
            with server:
                if name == "own":
                    wait_until(lambda: b"mac_mqtt_connected 1.0" in server.fetch("/metrics")[1])  # noqa: B023 - at once
                    continue
                server.wait_for("the MQTT broker at 127.0.0.1 does not take messages: .*certificate verify failed")
                assert "certificate" in server.call("GET", "/readyz")[1]["notes"]["mqtt"]
                assert not [line for line in server.lines if PASSWORD in line]
    finally:
        broker.stop()
