"""The servers that are compared, each a process on the first core; whoever starts them works on the last one.

Beside ours there are a constant (Bottle on cheroot that returns a fixed answer), a bare WSGI application on cheroot,
and the old server where DM_MAC is the path of its checkout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import environment, free_port
from tests.faults.client import Answer, Unanswered, call
from tests.faults.disk import Knobs, library
from tests.faults.shop import Vitals
from tests.slack.standin.workspace import Workspace

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]

START_SECONDS = 120.0

CONSTANT = """
import bottle, sys
from cheroot.wsgi import Server
app = bottle.Bottle()
@app.post("/api/machine/update")
def update():
    return {"relay": False, "display": "Please Insert\\nRFID Card", "oops_led": False,
            "status_led_rgb": [0.0, 0.0, 0.0], "status_led_brightness": 0.0, "second_relay": False}
Server(("127.0.0.1", int(sys.argv[1])), app, numthreads=10, request_queue_size=1024).start()
"""

BARE = """
import sys
from cheroot.wsgi import Server
BODY = b'{"relay":false,"display":"Please Insert\\\\nRFID Card","oops_led":false,"status_led_rgb":[0.0,0.0,0.0]}'
def app(environ, start):
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
Server(("127.0.0.1", int(sys.argv[1])), app, numthreads=10, request_queue_size=1024).start()
"""

OLD = "from dm_mac import create_app; import sys; create_app().run('127.0.0.1', int(sys.argv[1]))"


@dataclass
class Server:
    """A process that serves."""

    pid: int
    port: int
    started: float = 0.0
    """Seconds from its start until it was ready."""

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """Make a call that must succeed."""
        answer = call(self.port, method, path, body, timeout=60.0)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {answer.body}")
        return answer

    def processor_seconds(self) -> float:
        """How long its threads have computed so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        return Vitals.of(self.pid).megabytes


def pin(core: int, pid: int = 0) -> None:
    """Let a process (this one) work on one core from now on; on any where that one is not for us any more."""
    with suppress(OSError):
        os.sched_setaffinity(pid, {core})


@contextmanager
def serve(command: list[str], variables: Mapping[str, str], ready: str) -> Iterator[Server]:
    """Run a command, with a free port for ``{port}``, and give it once it answers 200 at the path ``ready``; if that is
    empty, once it answers anything.
    """
    port = free_port()
    arguments = [
        sys.executable,
        *(word.replace("{port}", str(port)) for word in command),
    ]
    begun = time.perf_counter()
    process = subprocess.Popen(arguments, env=environment(**variables), stderr=subprocess.PIPE)
    pin(SERVER_CORE, process.pid)
    said = list[bytes]()
    assert process.stderr
    reader = threading.Thread(target=lambda lines=process.stderr: said.extend(lines), daemon=True)
    reader.start()
    try:
        while not _answers(port, ready):
            if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                process.kill()
                reader.join(5)
                raise RuntimeError(f"{' '.join(arguments)[:80]} did not start: {b''.join(said)[-2000:].decode()}")
            time.sleep(0.01)
        yield Server(process.pid, port, time.perf_counter() - begun)
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
        reader.join(5)
        process.stderr.close()


def _answers(port: int, path: str) -> bool:
    with suppress(Unanswered):
        return call(port, "GET", path or "/", timeout=60.0).status == 200 or not path
    return False


def constant() -> AbstractContextManager[Server]:
    """Run the constant."""
    return serve(["-c", CONSTANT, "{port}"], {}, "")


class Shop:
    """The files of a shop with so many machines and users. Machine ``m0`` and so on; user 1 has fob 1, and so on."""

    def __init__(self, directory: Path, machines: int, users: int = 1) -> None:
        directory.mkdir(parents=True)
        self.directory, self.machines = directory, machines
        user: dict[str, object] = {"first_name": "U", "last_name": "U", "preferred_name": "U", "email": ""}
        user |= {"expiration_ymd": "2099-01-01", "authorizations": ["M"]}
        people = [
            {**user, "account_id": str(n), "full_name": f"Member {n}", "fob_codes": [str(n)]}
            for n in range(1, users + 1)
        ]
        rules = {f"m{n}": {"authorizations_or": ["M"], "alias": f"Machine {n}"} for n in range(machines)}
        (directory / "machines.json").write_text(json.dumps(rules))
        (directory / "users.json").write_text(json.dumps(people))

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @contextmanager
    def server(
        self, workspace: Workspace | None = None, knobs: Knobs | None = None, database: str = ""
    ) -> Iterator[Server]:
        """Run our server; with a Slack workspace, with a disk that can be made slow or to hang, or on PostgreSQL."""
        variables = {f"{name.upper()}_CONFIG": str(self.directory / f"{name}.json") for name in ("machines", "users")}
        variables |= {"MACHINE_STATE_DIR": str(self.state), "MAC_DATABASE": database, "no_proxy": "*"}
        if workspace:
            variables |= workspace.variables()
        if knobs:
            variables |= knobs.environment() | {"LD_PRELOAD": str(library())}
        command = ["-m", "mac_actors", "serve", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "error"]
        with serve(command, variables, "/readyz") as server:
            yield server
