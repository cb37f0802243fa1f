"""Processes of ``mac-actors`` that are forked from one in which the package is loaded: loading takes a second each.

They are processes as any: with a working directory, an environment, streams and an exit status of their own, to be
killed at will. What only a start from nothing can show (``python -m mac_actors``, the console script) is started
from nothing.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import IO, Any

from mac_actors.cli import tables

LARGEST = 200_000
"""Bytes of an order: mostly the environment."""


class Forked:
    """As much of ``subprocess.Popen`` as the tests need."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: int,
        stderr: int,
        stdin: int | None = None,
        code: str | None = None,
        without: Sequence[str] = (),
        constants: Mapping[str, float] | None = None,
        preload: Path | None = None,
    ) -> None:
        """Start one; a ``stdin`` that is a terminal is its own, in which Ctrl-C is for it.

        ``code`` is run in place of the command, as ``python -c`` does; ``without`` are modules that can't be imported.
        ``constants`` to change are ``{"module:NAME": value}``, ``preload`` is a library put before it.
        """
        self.args = ["mac-actors", *arguments]
        self.returncode: int | None = None
        ours, theirs = socket.socketpair()
        with ours:
            answers = ours.makefile("r")  # which keeps it open
        umask = os.umask(0)
        os.umask(umask)
        order = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "umask": umask}
        order |= {"code": code, "without": list(without)}
        order |= {"constants": dict(constants or {}), "preload": preload and str(preload)}
        with theirs:
            streams = [theirs.fileno(), stdout, stderr, *([] if stdin is None else [stdin])]
            socket.send_fds(_parent(preload), [json.dumps(order).encode()], streams)
        self.pid = int(answers.readline())
        self._ended = threading.Event()
        threading.Thread(target=self._wait, args=[answers], daemon=True).start()

    def _wait(self, answers: IO[str]) -> None:
        with answers:
            self.returncode = int(answers.readline())
        self._ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and that is not said yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


STAND_IN = Path(__file__).with_name("stand_in.py")


def put_command(directory: Path) -> int:
    """Write ``mac-actors`` for shell scripts, forked as the others; they have to inherit the descriptor returned."""
    descriptor = _parent(None).fileno()
    command = directory / "mac-actors"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {STAND_IN} {descriptor} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return descriptor


@cache
def _parent(preload: Path | None) -> socket.socket:
    """Start the process that all others are forked from; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            env=os.environ | ({"LD_PRELOAD": str(preload)} if preload else {}),
        )
    atexit.register(process.wait, 10)
    atexit.register(ours.close)
    return ours


class Parent:
    """The process that forks."""

    def __init__(self, orders: socket.socket, command: Callable[[], object]) -> None:
        self._orders = orders
        self._command = command
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._children: dict[int, socket.socket] = {}

    def run(self) -> None:
        """Fork for each order, and end when there will be no more; returns in each child, at its end."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno())
        while True:
            ready, _, _ = select.select([self._orders, self._woken], [], [])
            if self._woken in ready:
                self._woken.recv(1000)
                self._tell_ends()
            if self._orders in ready:
                order, descriptors, _, _ = socket.recv_fds(self._orders, LARGEST, 4)
                if not order:
                    os._exit(0)
                if (pid := os.fork()) == 0:
                    wanted = json.loads(order)
                    self._become(wanted, *descriptors)
                    if wanted["code"] is None:
                        self._command()
                    else:
                        exec(compile(wanted["code"], "<string>", "exec"), {"__name__": "__main__"})
                    return
                answers, *streams = descriptors
                for stream in streams:
                    os.close(stream)
                self._children[pid] = socket.socket(fileno=answers)
                self._children[pid].sendall(f"{pid}\n".encode())

    def _tell_ends(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                with self._children.pop(ended[0]) as answers, suppress(OSError):
                    answers.sendall(f"{os.waitstatus_to_exitcode(ended[1])}\n".encode())

    def _become(self, order: dict[str, Any], answers: int, stdout: int, stderr: int, stdin: int | None = None) -> None:
        """Be, in a child, the process that was ordered."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for descriptor in (stdout, stderr, answers):
            os.close(descriptor)
        if stdin is not None:
            os.dup2(stdin, 0)
            os.close(stdin)
        if os.isatty(0):
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        for sock in (self._orders, self._woken, self._waker, *self._children.values()):
            sock.close()
        os.chdir(order["cwd"])
        os.umask(order["umask"])
        os.environ.clear()
        os.environ.update(order["env"])
        time.tzset()
        if os.isatty(0):
            tables.out.__init__(highlight=False)  # type: ignore[misc] # it looked at the terminal when it was made
        sys.argv[1:] = order["arguments"]
        sys.modules.update(dict.fromkeys(order["without"]))
        for where, value in order["constants"].items():
            _change_constant(where, value)
        if order["preload"]:
            ctypes.CDLL(order["preload"]).faults_begin()


def _change_constant(where: str, value: float) -> None:
    """Change ``module:NAME`` or ``module:Class.NAME``; for a ``timedelta`` the number is seconds."""
    module, _, path = where.partition(":")
    holder: object = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        holder = getattr(holder, parent)
    old = getattr(holder, name)
    setattr(holder, name, timedelta(seconds=value) if isinstance(old, timedelta) else type(old)(value))


def _load() -> Callable[[], object]:
    """Load all that a command may need."""
    import pkgutil

    import mac_actors

    for module in pkgutil.walk_packages(mac_actors.__path__, "mac_actors."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
    import httpx  # noqa: F401
    from cheroot.server import HTTPServer

    from mac_actors.cli import main

    HTTPServer.expiration_interval = 0.02  # how often a server looks whether it is to stop
    return lambda: main(prog_name="mac-actors")


if __name__ == "__main__":
    command = _load()
    gc.collect()
    gc.freeze()
    Parent(socket.socket(fileno=int(sys.argv[1])), command).run()
