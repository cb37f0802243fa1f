"""A server whose surroundings are not as they should be: nobody reads its log, its files are taken away, …"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.forks import Forked
from tests.e2e.processes import COMMAND, PATIENCE, SAMPLES, ServerProcess, Talking, environment, free_port, run
from tests.fakes import wait_until

TOKEN = "correct-horse-battery-staple"
F_SETPIPE_SZ = 1031


class Silent(ServerProcess):
    """A server on a port that is known, because its standard error does not say which."""

    def __init__(self, process: Forked | subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def answers(self) -> bool:
        try:
            return self.call("GET", "/healthz")[0] == 200
        except OSError:
            assert self.process.poll() is None, "the server has ended"
            return False

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def unread(directory: Path, **variables: str) -> Iterator[tuple[Silent, int]]:
    """A server whose log goes into a pipe of one page that is not read yet."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, F_SETPIPE_SZ, 4096)
    port = free_port()
    arguments = ["serve", "--host", "127.0.0.1", "--port", str(port)]
    with Path(os.devnull).open("w") as nothing:
        env = environment(**SAMPLES, **variables)
        process = Forked(arguments, cwd=directory, env=env, stdout=nothing.fileno(), stderr=writable)
    os.close(writable)
    server = Silent(process, port)
    try:
        wait_until(server.answers)
        yield server, readable
    finally:
        process.kill()
        os.close(readable)


def test_nobody_reads_the_log_and_readers_are_answered_and_the_server_stops(tmp_path: Path) -> None:
    with unread(tmp_path, MAC_ADMIN_TOKEN=TOKEN) as (server, _):
        for number in range(60):
            assert server.call("POST", f"/api/machine/oops/{number}{'x' * 15_000}")[0] == 401
        assert server.report("metal-mill", "1000001")["relay"] is True
        assert server.stop() == 0


def test_the_log_goes_on_when_it_is_read_again(tmp_path: Path) -> None:
    with unread(tmp_path, MAC_ADMIN_TOKEN=TOKEN) as (server, readable):
        for number in range(60):
            server.call("POST", f"/api/machine/oops/{number}{'x' * 15_000}")
        with os.fdopen(os.dup(readable)) as log:
            server.process.send_signal(signal.SIGTERM)
            lines = log.read().splitlines()
        assert server.process.wait(PATIENCE) == 0
    refused = [line for line in lines if "refused POST" in line]
    assert len(refused) == 60
    assert max(map(len, refused)) < 320
    assert lines[-1].endswith("INFO    stopped")


def test_a_server_without_standard_streams_works_and_its_database_is_whole(tmp_path: Path) -> None:
    port = free_port()
    script = f'exec "$@" serve --host 127.0.0.1 --port {port} <&- 2>&-'
    with subprocess.Popen(
        ["bash", "-c", script, "bash", *COMMAND], cwd=tmp_path, env=environment(**SAMPLES)
    ) as process:
        server = Silent(process, port)
        try:
            wait_until(server.answers)
            assert server.report("metal-mill", "1000001")["relay"] is True
            assert server.stop() == 0
        finally:
            process.kill()
    assert run("verify", cwd=tmp_path).returncode == 0


def test_many_sighups_are_few_reloads_and_the_stop_comes_before_them(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        for _ in range(100):
            server.process.send_signal(signal.SIGHUP)
        assert server.terminate() == 0
    assert sum("read again" in line for line in server.lines) < 50


@pytest.mark.parametrize("gone", ["lock", "mac.sqlite3", "."])
def test_a_file_that_is_taken_away_is_said_and_nothing_counts_as_durable(tmp_path: Path, gone: str) -> None:
    state = tmp_path / "machine_state"
    with ServerProcess(tmp_path) as server:
        assert server.call("POST", "/api/machine/oops/kiln") == (200, {"success": True})
        assert server.call("GET", "/readyz")[0] == 200
        if gone == ".":
            shutil.rmtree(state)
        else:
            (state / gone).unlink()
        assert server.call("POST", "/api/machine/oops/metal-mill") == (200, {"success": True, "durable": False})
        said = server.wait_for("was removed, or replaced by another file, under the server")
        status, body = server.call("GET", "/readyz")
        assert status == 503
        assert body["problems"]["state directory"] in said
        assert ("restart" in said) is (gone == "lock")
        assert ("restore the newest backup" in said) is (gone != "lock")
        second = run("serve", "--port", "0", cwd=tmp_path, **SAMPLES) if gone != "." else None
        assert server.report("metal-mill")["oops_led"] is True
        assert server.terminate() == 0
    if second:
        assert second.returncode == 1
        assert "in use by" in second.stderr
    if gone != ".":
        wal = state / "mac.sqlite3-wal"
        assert gone == "lock" or not (state / gone).exists(), "no empty one was made in its place"
        assert not wal.exists() or gone != "lock"


def test_a_directory_that_is_put_back_is_durable_again(tmp_path: Path) -> None:
    state, away = tmp_path / "machine_state", tmp_path / "away"
    with ServerProcess(tmp_path) as server:
        state.rename(away)
        assert server.call("POST", "/api/machine/oops/kiln")[1]["durable"] is False
        server.wait_for("was removed")
        away.rename(state)
        server.wait_for("state directory is whole again")
        assert server.call("GET", "/readyz")[0] == 200
        assert server.call("POST", "/api/machine/oops/metal-mill") == (200, {"success": True})
        assert server.terminate() == 0
    with ServerProcess(tmp_path) as server:
        assert server.machine("kiln")["oops"]
        assert server.machine("metal-mill")["oops"]


def test_a_wrong_token_with_a_call_that_reads_is_said_and_counted(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, MAC_ADMIN_TOKEN=TOKEN) as server:
        wrong = {"Authorization": "Bearer wr0ng"}
        assert server.call("GET", "/api/machines", headers=wrong)[0] == 200
        said = server.wait_for("a wrong token with GET /api/machines from 127.0.0.1")
        assert "wr0ng" not in said
        metrics = server.fetch("/metrics")[1].decode()
        assert re.search(r'mac_refused_requests_total\{.*status="401".*\} 1.0', metrics)
        assert server.terminate() == 0


@pytest.mark.parametrize("limit", ["ulimit -v 200000", "ulimit -v 300000"])
def test_too_little_for_all_threads_is_said_and_the_start_ends(tmp_path: Path, limit: str) -> None:
    script = f'{limit}; exec "$@" serve --host 127.0.0.1 --port 0'
    command = ["bash", "-c", script, "bash", *COMMAND]
    env = environment(**SAMPLES)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1, done
    assert "ulimit -v and -u; with systemd MemoryMax= and TasksMax=" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_few_descriptors_it_says_so_and_all_of_them_taken_the_journal_is_still_read(tmp_path: Path) -> None:
    script = 'ulimit -n 40; exec "$@"'
    with ServerProcess(tmp_path, command=["bash", "-c", script, "bash", *COMMAND]) as server:
        server.wait_for("WARNING only 40 files and connections may be open at once")
        silent = []
        with suppress(OSError):
            for _ in range(60):
                silent.append(socket.create_connection(("127.0.0.1", server.port), PATIENCE))
        try:
            assert server.report("metal-mill", "1000001")["relay"] is True
            assert server.call("POST", "/api/machine/oops/kiln") == (200, {"success": True})
            assert server.call("GET", "/api/events?kind=oops_set")[0] == 200
        finally:
            for connection in silent:
                connection.close()
        assert server.terminate() == 0


def test_what_is_open_to_everybody_is_said_at_the_start_and_by_check(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    shutil.copy(SAMPLES["USERS_CONFIG"], users)
    users.chmod(0o666)
    port = str(free_port())
    variables = {**SAMPLES, "USERS_CONFIG": str(users), "MAC_ADMIN_TOKEN": "a", "MAC_PORT": port}
    checked = run("check", cwd=tmp_path, **variables)
    assert (checked.returncode, checked.stderr) == (0, "")
    with Talking("serve", cwd=tmp_path, **variables) as server:
        line = server.wait_for("at http")
        assert (
            f"at http://127.0.0.1:{port}, listening on all addresses of this computer (0.0.0.0 port {port}): " in line
        )
        for said in (
            f"MAC_READER_TOKEN is not set: whoever reaches 0.0.0.0 port {port} can report for any machine",
            "MAC_ADMIN_TOKEN is easy to guess (1 character, 1 different)",
            f"everybody on this computer can write {users}",
        ):
            assert "WARNING" in server.wait_for(re.escape(said))
            assert f"WARNING: {said}" in checked.stdout
        assert server.interrupt() == 0
    assert len([line for line in server.lines if "WARNING" in line]) == 3


def test_a_killed_backup_is_cleaned_up_by_the_next_one(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        assert server.terminate() == 0
    state = tmp_path / "machine_state"
    left = [tmp_path / ".Tue.sqlite3.abcdefgh.partial", tmp_path / ".Mon.sqlite3.zyxwvuts.partial"]
    for path in left:
        shutil.copy(state / "mac.sqlite3", path)
    (state / ".copy.abcdefgh.partial").write_bytes(bytes(5000))
    (state / "restoring-abc").mkdir()
    other = tmp_path / ".film.mkv.partial"
    other.write_bytes(b"somebody else's")
    with left[1].open("rb") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        assert run("backup", "copy", cwd=tmp_path).returncode == 0
        assert [path.exists() for path in left] == [False, True]
    assert run("backup", "--force", "copy", cwd=tmp_path).returncode == 0
    assert not left[1].exists()
    assert other.exists()
    with ServerProcess(tmp_path) as server:
        assert server.terminate() == 0
    assert sorted(path.name for path in state.iterdir()) == ["lock", "mac.sqlite3"]
