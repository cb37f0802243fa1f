"""The installed command in processes of its own, with real sockets."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.error import HTTPError
from urllib.request import urlopen

from mac_actors.cli.common import installed_command
from tests.e2e.forks import Forked, put_command
from tests.faults.disk import library

COMMAND = [sys.executable, "-m", "mac_actors"]
"""How the command is started from nothing."""

ROOT = Path(__file__).parents[2]
SAMPLES = {"MACHINES_CONFIG": str(ROOT / "etc/machines.json"), "USERS_CONFIG": str(ROOT / "etc/users.json")}
PATIENCE = 60.0
"""Seconds after which a process has failed: it may get a tenth of a busy computer. A test has twice that."""


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without any variable of the server's, plus ``variables``."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MAC_", "SLACK_"))}
    return {k: v for k, v in own.items() if k not in {*SAMPLES, "MACHINE_STATE_DIR"}} | variables


def untraced(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables for a process of which no coverage is measured: it takes a third of the time."""
    return {name: value for name, value in variables.items() if not name.startswith("COVERAGE_")}


def run(
    *arguments: str, cwd: Path, command: Sequence[str] | None = None, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of mac-actors to its end; ``command`` is what it is started with, if that is the point."""
    with (
        tempfile.TemporaryFile("w+") as said,
        tempfile.TemporaryFile("w+") as errors,
        tempfile.TemporaryFile("w+") as typed,
    ):
        typed.write(stdin)
        typed.seek(0)
        process = _start(arguments, cwd, variables, command, said.fileno(), errors.fileno(), stdin=typed.fileno())
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
        said.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(process.args, status, said.read(), errors.read())


def _start(
    arguments: Sequence[str],
    cwd: Path,
    variables: Mapping[str, str],
    command: Sequence[str] | None,
    stdout: int,
    stderr: int,
    stdin: int | None = None,
    **forked: Any,
) -> Forked | subprocess.Popen[bytes]:
    env = environment(**variables)
    if command is None:
        return Forked(arguments, cwd=cwd, env=env, stdout=stdout, stderr=stderr, stdin=stdin, **forked)
    return subprocess.Popen([*command, *arguments], cwd=cwd, env=env, stdout=stdout, stderr=stderr, stdin=stdin)


class Talking:
    """A command of mac-actors that goes on until it is told to stop; ``lines`` is all that it says, on both streams.

    ``code`` is run in place of the command, as ``python -c`` does. Its disk and clock are what
    :class:`~tests.faults.disk.Knobs` say that are among the variables.
    """

    constants: ClassVar[Mapping[str, float]] = {}
    """What is to be another number in the package: ``{"module:NAME": value}``."""

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        command: Sequence[str] | None = None,
        code: str | None = None,
        **variables: str,
    ) -> None:
        self.lines: list[str] = []
        self._said = threading.Condition()
        readable, writable = os.pipe()
        try:
            preload = library() if "FAULTS_CONTROL" in variables else None
            forked: dict[str, Any] = {} if command else {"code": code, "constants": self.constants, "preload": preload}
            self.process = _start(arguments, cwd, variables, command, writable, writable, **forked)
        finally:
            os.close(writable)
        self._output = os.fdopen(readable)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill -9, and wait for the end."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def wait_for(self, pattern: str, since: int = 0) -> str:
        """Wait for a line, from line number ``since`` on."""
        deadline = time.monotonic() + PATIENCE
        with self._said:
            while True:
                for line in self.lines[since:]:
                    if re.search(pattern, line):
                        return line
                ended = not self._reader.is_alive()
                if ended or not self._said.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"no line like {pattern!r} in:\n" + "\n".join(self.lines))

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Press Ctrl-C (or send another signal); returns the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait for the end, and for all that it says; returns the exit status."""
        status = self.process.wait(patience)
        self._reader.join(PATIENCE)
        self._output.close()
        return status

    def _read(self) -> None:
        for line in self._output:
            with self._said:
                self.lines.append(line.rstrip())
                self._said.notify_all()
        with self._said:
            self._said.notify_all()


class ServerProcess(Talking):
    """``mac-actors serve`` on a port of its own, in ``directory``."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        port: str = "0",
        command: Sequence[str] | None = None,
        code: str | None = None,
        **variables: str,
    ) -> None:
        arguments = ["serve", "--host", "127.0.0.1", "--port", port, *options]
        super().__init__(*arguments, cwd=directory, command=command, code=code, **{**SAMPLES, **variables})
        try:
            line = self.wait_for(r"at https?://127\.0\.0\.1:\d+")
        except BaseException:
            self.kill()
            raise
        found = re.search(r"at (https?)://127\.0\.0\.1:(\d+)", line)
        assert found
        self.port = int(found[2])
        self.url = f"{found[1]}://127.0.0.1:{self.port}"

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """Stop cleanly; returns the exit status."""
        return self.interrupt(number)

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Make one call; returns status and JSON."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Connection": "close", **(headers or {})})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def fetch(self, path: str) -> tuple[int, bytes]:
        """Get a page as a browser does, where it leads; returns status and bytes."""
        try:
            with urlopen(f"{self.url}{path}", timeout=PATIENCE) as response:
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    def report(self, machine: str, fob: str = "", uptime: float | None = 100.0, oops: bool = False) -> Any:
        """Report as a reader does; returns the outputs."""
        body = {"machine_name": machine, "oops": oops, "rfid_value": fob, "uptime": uptime}
        status, answer = self.call("POST", "/api/machine/update", body)
        assert status == 200, answer
        return answer

    def machine(self, name: str) -> Any:
        """Return a machine as the API shows it."""
        status, answer = self.call("GET", f"/api/machines/{name}")
        assert status == 200, answer
        return answer


def free_port() -> int:
    """Return a port on which nobody listens now: one of those that the system gives to no client meanwhile."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port


def serve_in_shell(command: str, port: int) -> list[str]:
    """Lines of a shell script: start a server in the background, as ``$server``, and wait until it answers."""
    return [
        f"{command} 2> serve.log & server=$!",
        f"until curl -s -o /dev/null 127.0.0.1:{port}/healthz; do",
        "  kill -0 $server || { cat serve.log >&2; exit 1; }; sleep 0.1",
        "done",
    ]


def run_script(lines: Sequence[str], cwd: Path, port: int, stand_ins: Path, **variables: str) -> str:
    """Run a shell script in which ``stand_ins`` has commands that come first; returns what it printed.

    Its ``mac-actors``, and this interpreter's, is forked. Fails if it does, or writes an error.
    """
    descriptor = put_command(stand_ins)
    script = "\n".join(lines).replace(" ".join(COMMAND), "mac-actors").replace(installed_command(), "mac-actors")
    done = subprocess.run(
        ["bash", "-c", script],
        pass_fds=[descriptor],
        cwd=cwd,
        env=environment(
            MAC_PORT=str(port), MAC_HOST="127.0.0.1", PATH=f"{stand_ins}:{os.environ['PATH']}", **variables
        ),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout
