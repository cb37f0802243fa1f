"""The server as a service: what systemd is told, and what SIGHUP does. Real processes, a real notification socket."""

from __future__ import annotations

import ctypes
import json
import os
import pty
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.processes import COMMAND, PATIENCE, SAMPLES, ServerProcess, environment

SHOP = {"MACHINES_CONFIG": "machines.json", "USERS_CONFIG": "users.json"}


class Manager:
    """What systemd is to a service: a socket that takes datagrams."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(PATIENCE)
        self.messages: list[dict[str, str]] = []

    def next(self, key: str) -> dict[str, str]:
        """Wait for a message with this key."""
        while True:
            message = dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())
            self.messages.append(message)
            if key in message:
                return message

    def quiet(self, seconds: float) -> bool:
        """Whether, after what was sent already, nothing comes for so long."""
        self._socket.settimeout(seconds)
        try:
            for _ in range(1000):
                self._socket.recv(4096)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    path = str(tmp_path / "notify")
    manager = Manager(path, path)
    yield manager
    manager.close()


@pytest.fixture
def abstract_manager() -> Iterator[Manager]:
    name = f"mac-actors-test-{os.getpid()}"
    manager = Manager("@" + name, "\0" + name)
    yield manager
    manager.close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A directory with a configuration of its own, to be broken."""
    for variable, name in SHOP.items():
        (tmp_path / name).write_text(Path(SAMPLES[variable]).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def reloaded(server: ServerProcess, pattern: str) -> str:
    """Have the server read its files again, and wait for the line that says what came of it."""
    said = len(server.lines)
    server.process.send_signal(signal.SIGHUP)
    return server.wait_for(pattern, since=said)


def test_the_manager_is_told_when_the_server_is_up_and_when_it_goes_down(manager: Manager, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, NOTIFY_SOCKET=manager.name) as server:
        message = manager.next("READY")
        assert message == {"READY": "1", "STATUS": "8 machines: all idle; no Slack"}
        assert server.call("GET", "/healthz")[0] == 200, "it said that it was up"
        assert server.terminate() == 0
        assert manager.next("STOPPING")["STOPPING"] == "1"
    assert not [message for message in manager.messages if "WATCHDOG" in message], "nobody asked for signs of life"


def test_a_manager_with_an_abstract_socket_is_told_too(abstract_manager: Manager, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, NOTIFY_SOCKET=abstract_manager.name) as server:
        assert abstract_manager.next("READY")["READY"] == "1"
        assert server.terminate() == 0
        abstract_manager.next("STOPPING")


def test_signs_of_life_and_the_state_of_the_shop_keep_coming(manager: Manager, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="300000") as server:
        for _ in range(3):
            assert manager.next("WATCHDOG") == {"WATCHDOG": "1"}
        server.report("metal-mill", "1000001")
        while "in use" not in (status := manager.next("STATUS")["STATUS"]):
            pass
        assert status == "8 machines: 1 in use; no Slack"
        server.call("POST", "/api/machine/oops/metal-mill")
        server.call("POST", "/api/machine/locked_out/table-saw")
        while "locked" not in (status := manager.next("STATUS")["STATUS"]):
            pass
        assert status == "8 machines: 1 oopsed, 1 locked out; no Slack"
        server.process.send_signal(signal.SIGSTOP)
        assert manager.quiet(1.0)
        server.process.send_signal(signal.SIGCONT)
        assert server.terminate() == 0


def test_a_watchdog_that_is_meant_for_another_process_gets_no_signs_of_life(manager: Manager, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="30000", WATCHDOG_PID="1") as server:
        manager.next("READY")
        assert server.terminate() == 0
        manager.next("STOPPING")
    assert not [message for message in manager.messages if "WATCHDOG" in message]


@pytest.mark.parametrize("address", ["nonsense", "/nowhere/notify"])
def test_a_manager_that_cannot_be_told_is_said_once_and_harms_nothing(address: str, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, NOTIFY_SOCKET=address) as server:
        assert server.report("metal-mill")["relay"] is False
        assert server.terminate() == 0
    assert len([line for line in server.lines if "NOTIFY_SOCKET" in line]) == 1


def test_a_signal_that_another_thread_than_the_first_gets_is_obeyed_too(shop: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with ServerProcess(shop, **SHOP) as server:
        pid = server.process.pid
        threads = sorted(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
        assert libc.tgkill(pid, threads[-1], signal.SIGHUP) == 0
        server.wait_for("read again")
        assert libc.tgkill(pid, threads[-1], signal.SIGTERM) == 0
        assert server.process.wait(PATIENCE) == 0


def test_a_manager_that_does_not_read_holds_nothing_up(manager: Manager, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="30000") as server:
        server.wait_for("can't be told.*timed out")
        assert server.report("metal-mill", "1000001")["relay"] is True
        assert server.terminate() == 0


def test_sighup_has_both_files_read_again(manager: Manager, shop: Path) -> None:
    with ServerProcess(shop, NOTIFY_SOCKET=manager.name, **SHOP) as server:
        manager.next("READY")
        machines = json.loads((shop / "machines.json").read_text())
        machines["band-saw"] = {"authorizations_or": [], "always_enabled": True}
        del machines["permissive-kiln"]
        (shop / "machines.json").write_text(json.dumps(machines))
        line = reloaded(server, "read again")
        assert line.endswith(
            "machines.json and users.json were read again: users: 0 added, 0 changed, 0 removed; "
            "machines: added band-saw, removed permissive-kiln; power came on at band-saw"
        )
        assert server.report("band-saw")["relay"] is True
        message = manager.next("RELOADING")
        assert int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert manager.next("READY")["STATUS"] == "8 machines: all idle; no Slack"
        assert server.terminate() == 0


def test_a_broken_file_is_refused_and_the_server_goes_on_as_before(manager: Manager, shop: Path) -> None:
    good = (shop / "machines.json").read_text()
    with ServerProcess(shop, NOTIFY_SOCKET=manager.name, **SHOP) as server:
        manager.next("READY")
        for broken, said in (
            ("{", r"machines.json: line 1.*not JSON"),
            ('{"metal-mill": {"authorisations_or": []}}', r"metal-mill.authorisations_or: is not a known key"),
        ):
            (shop / "machines.json").write_text(broken)
            reloaded(server, said)
            assert "were not taken over: nothing was changed" in reloaded(server, "taken over")
            assert server.report("metal-mill", "1000001")["relay"] is True
        (shop / "machines.json").unlink()
        reloaded(server, "not taken over")
        manager.next("RELOADING")
        assert manager.next("READY")["STATUS"].endswith("the last reload was refused (the log says why)")
        (shop / "machines.json").write_text(good)
        reloaded(server, "read again")
        while "refused" in manager.next("READY")["STATUS"]:
            pass
        assert server.terminate() == 0


def test_a_reload_that_would_take_away_a_machine_in_use_is_refused(shop: Path) -> None:
    with ServerProcess(shop, **SHOP) as server:
        server.report("metal-mill", "1000001")
        machines = json.loads((shop / "machines.json").read_text())
        del machines["metal-mill"]
        (shop / "machines.json").write_text(json.dumps(machines))
        line = reloaded(server, "the reload was refused")
        assert "a session runs on metal-mill" in line
        assert server.report("metal-mill", "1000001")["relay"] is True
        assert server.terminate() == 0


def test_a_server_whose_terminal_is_closed_stops_cleanly(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:  # the child: a server in a terminal of its own
        os.chdir(tmp_path)
        os.execve(COMMAND[0], [*COMMAND, "serve", "--host", "127.0.0.1", "--port", "0"], environment(**SAMPLES))
    said = b""
    while not re.search(rb"at http://127", said):
        said += os.read(terminal, 4096)
    os.kill(pid, signal.SIGHUP)  # by hand, while somebody is there to see it: a reload
    while b"read again" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    deadline = time.monotonic() + PATIENCE
    status = None
    with suppress(ChildProcessError):
        while status is None and time.monotonic() < deadline:
            ended, state = os.waitpid(pid, os.WNOHANG)
            status = os.waitstatus_to_exitcode(state) if ended else None
            signal.sigtimedwait([signal.SIGUSR2], 0.02)
    if status is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert status == 0
