"""The server as a whole: its start, its address, its end, its next start."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
from pathlib import Path

import pytest

from mac_actors import Fleet
from mac_actors.errors import ConfigError, MacError, StorageError
from mac_actors.service.service import Service
from mac_actors.storage.store import Store
from tests.conftest import MakeServer, write_sample
from tests.fakes import ANN, sample_machines, sample_users
from tests.web.client import Running


def test_everything_is_as_it_was_after_a_restart(make_server: MakeServer) -> None:
    first = make_server()
    first.outputs("metal-mill", ANN)
    first.post("/api/machine/oops/router", {"reason": "belt"})
    before = first.get("/api/machines").json, first.events()
    first.service.stop()
    second = make_server()
    assert (second.get("/api/machines").json, second.events()) == before
    assert second.outputs("metal-mill", ANN)["relay"] is True


def test_a_second_server_on_the_same_state_is_refused(server: Running) -> None:
    with pytest.raises(StorageError, match="in use by process"):
        Service(server.service.settings)
    assert server.outputs("metal-mill")["relay"] is False


def test_a_port_that_is_taken_is_said_and_the_state_let_go(tmp_path: Path) -> None:
    settings = write_sample(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MacError, match=f"{port}.*MAC_PORT"):
            Service(dataclasses.replace(settings, port=port))
    Store.open(settings.state_dir).close()


@pytest.mark.parametrize("host", ["203.0.113.1", "no such host", "x" * 70, "a..b", "[::1]", "127.0.0.1:80"])
def test_a_host_that_is_none_is_said_and_the_state_let_go(tmp_path: Path, host: str) -> None:
    settings = write_sample(tmp_path)
    with pytest.raises(MacError, match="MAC_HOST"):
        Service(dataclasses.replace(settings, host=host))
    Store.open(settings.state_dir).close()


def test_a_broken_configuration_stops_the_start_and_leaves_no_trace(tmp_path: Path) -> None:
    settings = write_sample(tmp_path)
    settings.users_config.write_text("[")
    with pytest.raises(ConfigError):
        Service(settings)
    assert not settings.state_dir.exists()


def test_a_state_that_can_not_be_used_stops_the_start(tmp_path: Path) -> None:
    settings = write_sample(tmp_path)
    settings.state_dir.write_text("not a directory")
    with pytest.raises(StorageError, match="MACHINE_STATE_DIR"):
        Service(settings)


def test_requests_are_answered_until_the_end_and_none_after_it(make_server: MakeServer) -> None:
    server = make_server()
    statuses: list[int] = []
    ended = threading.Event()

    def report_until_the_end() -> None:
        while True:
            try:
                statuses.append(server.report("router").status)
            except OSError:
                break
            except Exception:
                # a connection that was accepted and closed without an answer: the client sees it end
                break
        ended.set()

    thread = threading.Thread(target=report_until_the_end)
    thread.start()
    for _ in range(5):
        server.outputs("metal-mill")
    server.service.stop()
    assert ended.wait(20)
    thread.join(20)
    assert set(statuses) == {200}
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_an_answer_under_way_at_the_end_is_written(make_server: MakeServer) -> None:
    server = make_server()
    assert server.post("/api/machine/oops/router").json == {"success": True}
    server.service.stop()
    store = Store.open(server.service.settings.state_dir)
    try:
        [entry] = store.page(machine="router").entries
        assert entry.outcome.machine == "router"
    finally:
        store.close()


def test_a_script_opens_a_fleet_of_data_in_memory() -> None:
    with Fleet.open(sample_machines(), sample_users(), state=None) as fleet:
        assert fleet["Metal Mill"].lock(by="me", reason="belt").get(timeout=10).durable
        assert fleet.snapshot("metal-mill").lock


def test_a_script_opens_a_fleet_as_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = write_sample(tmp_path)
    monkeypatch.setenv("MACHINES_CONFIG", str(settings.machines_config))
    monkeypatch.setenv("USERS_CONFIG", str(settings.users_config))
    monkeypatch.setenv("MACHINE_STATE_DIR", str(settings.state_dir))
    with Fleet.open() as fleet:
        fleet["router"].oops().get(timeout=10)
    with Fleet.open(str(settings.machines_config), settings.users_config, settings.state_dir) as fleet:
        assert fleet.snapshot("router").oops


def test_a_script_that_opens_broken_data_is_told_all_of_it() -> None:
    with pytest.raises(ConfigError) as error:
        Fleet.open({"A": {}}, json.loads('[{"x": 1}]'), state=None)
    assert len(error.value.problems) > 5
