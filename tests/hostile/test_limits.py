"""What happens at the limits: of open files, of time, of threads that must not end."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.fakes import wait_until
from tests.hostile.siege import Besieged


def test_the_journal_is_read_however_few_files_may_be_open(tmp_path: Path) -> None:
    limited = """
import resource
from mac_actors.cli import main
resource.setrlimit(resource.RLIMIT_NOFILE, (140, 140))
main()
"""
    with Besieged(tmp_path, code=limited) as server, ExitStack() as stack:
        for number in range(200):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"127.0.1.{number % 3 + 1}", 0))
            sock.connect(("127.0.0.1", server.port))
        server.ask()
        assert server.call("GET", "/api/events")[0] == 200
        assert server.fetch("/")[0] == 200
        assert server.terminate() == 0


STALL_SECONDS = 5.5
"""Longer than a report may wait."""


def test_a_report_that_waited_in_the_kernel_starts_nothing(tmp_path: Path) -> None:
    fob = "0001000001"
    with Besieged(tmp_path) as server:
        server.process.send_signal(signal.SIGSTOP)
        wait_until(server.stands_still)
        try:
            early = server.send(21, "metal-mill", fob)
            early.close()  # its reader hangs up, the card is taken out
            patient = server.send(22, "drill_press", fob)
            time.sleep(STALL_SECONDS)  # the stall is what is tested
        finally:
            server.process.send_signal(signal.SIGCONT)
        with patient:
            assert b'"relay":false' in patient.recv(4096).replace(b" ", b"")
        for name in ("metal-mill", "drill_press"):
            assert server.machine(name)["session"] is None
            server.report(name, "")
            assert server.report(name, fob)["relay"] is True
        assert server.terminate() == 0


BROKEN = """
import time
from mac_actors.cli import main, server
from mac_actors.service.service import Service
from mac_actors.web.server.request_buffer import RequestBuffer
from mac_actors.web.server.connection import Connection

def fail(*_): raise SystemExit("broken")
def hang(*_): time.sleep(60)
%s
main()
"""


@pytest.mark.parametrize("broken", ["RequestBuffer._turn = fail", "Connection.communicate = fail"])
def test_a_server_whose_threads_end_says_so_and_ends(tmp_path: Path, broken: str) -> None:
    with Besieged(tmp_path, code=BROKEN % broken) as server:
        with suppress(OSError, AssertionError):
            server.ask()
            server.machine("metal-mill")  # by a worker, which reports are not
        server.wait_for("CRITICAL.*the server ends")
        assert server.process.wait(30) == 1
        server.wait_for("stopped")


def test_a_stop_does_not_wait_for_what_hangs(tmp_path: Path) -> None:
    with Besieged(tmp_path, code=BROKEN % "Service.stop = hang; server.STOP_SECONDS = 0.5") as server:
        assert server.terminate() == 1
        server.wait_for("CRITICAL.*not stopped within")
