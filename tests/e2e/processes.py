"""The installed command in processes of its own, with real sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import urlopen

COMMAND = [sys.executable, "-m", "mac_actors"]
ROOT = Path(__file__).parents[2]
SAMPLES = {"MACHINES_CONFIG": str(ROOT / "etc/machines.json"), "USERS_CONFIG": str(ROOT / "etc/users.json")}
PATIENCE = 30.0


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without any variable of the server's, plus ``variables``."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MAC_", "SLACK_"))}
    return {k: v for k, v in own.items() if k not in {*SAMPLES, "MACHINE_STATE_DIR"}} | variables


def run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of mac-actors to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Talking:
    """A command of mac-actors that goes on until it is told to stop; ``lines`` is all that it says, on both streams."""

    def __init__(self, *arguments: str, cwd: Path, **variables: str) -> None:
        self.lines: list[str] = []
        self._said = threading.Condition()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
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
        self._end()

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
        status = self.process.wait(PATIENCE)
        self._end()
        return status

    def _end(self) -> None:
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line.rstrip())
                self._said.notify_all()
        with self._said:
            self._said.notify_all()


class ServerProcess(Talking):
    """``mac-actors serve`` on a port of its own, in ``directory``."""

    def __init__(self, directory: Path, *options: str, **variables: str) -> None:
        port = variables.pop("port", "0")
        arguments = ["serve", "--host", "127.0.0.1", "--port", port, *options]
        super().__init__(*arguments, cwd=directory, **{**SAMPLES, **variables})
        found = re.search(r"at (https?)://127\.0\.0\.1:(\d+)", self.wait_for(r"at https?://127\.0\.0\.1:\d+"))
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
    """Return a port on which nobody listens now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
