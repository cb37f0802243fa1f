"""A real server, honest readers, and somebody who attacks it: what becomes of the readers, and of the server."""

from __future__ import annotations

import json
import re
import socket
import ssl
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.processes import ROOT, ServerProcess, Talking

PATIENCE = 5.0
"""Seconds after which a reader hangs up."""

MEMORY_MB = 250.0
"""The server's memory, whatever comes from outside."""

HEAD = b"POST /api/machine/update HTTP/1.1\r\nHost: mac\r\n"
READERS = 2
PAUSE = 0.02


@dataclass
class Honest:
    """What honest readers have seen."""

    seconds: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def at(self, percent: float) -> float:
        """Return so long as so many of them took at the most, in milliseconds."""
        return statistics.quantiles(self.seconds, n=1000)[round(percent * 10) - 1] * 1000 if self.seconds else 0.0

    def __str__(self) -> str:
        lost = f", {len(self.troubles)} lost ({self.troubles[0]})" if self.troubles else ""
        return f"{len(self.seconds)} answered, p50 {self.at(50):.1f} ms, p99 {self.at(99):.1f} ms{lost}"


class Besieged(ServerProcess):
    """A server that is attacked; ``MAC_TLS_CERT`` among the variables makes it speak TLS."""

    def __init__(self, directory: Path, code: str | None = None, **variables: str) -> None:
        variables["MACHINE_STATE_DIR"] = str(directory / "state")
        super().__init__(directory, code=code, **variables)
        self.patience = PATIENCE
        self._context: ssl.SSLContext | None = None
        if certificate := variables.get("MAC_TLS_CERT"):
            self._context = ssl.create_default_context(cafile=certificate)

    def memory(self) -> float:
        """Return the most memory that the process ever had, in MB."""
        return self._status("VmHWM") / 1024

    def sockets(self) -> int:
        """Return how many sockets the process has open."""
        links = (path for path in Path(f"/proc/{self.process.pid}/fd").iterdir())
        return sum(_is_socket(path) for path in links)

    def stands_still(self) -> bool:
        """Whether all threads are stopped by a signal."""
        states = (task / "stat" for task in Path(f"/proc/{self.process.pid}/task").iterdir())
        return all(path.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T" for path in states)

    def _status(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii"))
        assert found
        return int(found[1])

    def send(self, address: int, machine: str, fob: str = "") -> socket.socket:
        """Report as a reader with an address of its own does; returns the connection on which the answer comes."""
        body = json.dumps({"machine_name": machine, "oops": False, "rfid_value": fob, "uptime": None}).encode()
        sock = socket.socket()
        sock.settimeout(self.patience)
        sock.bind((f"127.0.0.{address}", 0))
        try:
            sock.connect(("127.0.0.1", self.port))
            if self._context:
                sock = self._context.wrap_socket(sock, server_hostname="127.0.0.1")
            sock.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except OSError:
            sock.close()
            raise
        return sock

    def ask(self, number: int = 0) -> None:
        """Report, and wait for the answer as a reader does: fails after ``patience`` seconds without one."""
        answer = b""
        with self.send(21 + number, "metal-mill") as sock:
            while part := sock.recv(4096):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]

    def besiege(self, attack: str, seconds: float, size: int) -> Honest:
        """Have honest readers report while somebody attacks ("" for nobody)."""
        honest, over = Honest(), threading.Event()

        def report(number: int) -> None:
            while not over.wait(PAUSE):
                begun = time.monotonic()
                try:
                    self.ask(number)
                except (OSError, AssertionError) as error:
                    honest.troubles.append(repr(error))
                else:
                    honest.seconds.append(time.monotonic() - begun)

        readers = [threading.Thread(target=report, args=(number,)) for number in range(READERS)]
        for reader in readers:
            reader.start()
        try:
            if attack:
                code = "from tests.hostile.attacks import main; main()"
                with Talking(attack, str(self.port), str(seconds), str(size), cwd=ROOT, code=code) as attacker:
                    assert attacker.wait(seconds + 60) == 0, attacker.lines
            else:
                over.wait(seconds)
        finally:
            over.set()
            for reader in readers:
                reader.join()
        return honest


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except OSError:
        return False


def certificate(directory: Path) -> dict[str, str]:
    """Make a certificate for 127.0.0.1; returns the variables that name it and its key."""
    files = {"MAC_TLS_CERT": str(directory / "cert.pem"), "MAC_TLS_KEY": str(directory / "key.pem")}
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mac -addext subjectAltName=IP:127.0.0.1"
    made = ["-keyout", files["MAC_TLS_KEY"], "-out", files["MAC_TLS_CERT"]]
    subprocess.run([*command.split(), *made], check=True, capture_output=True)
    return files
