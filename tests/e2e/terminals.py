"""Commands of mac-actors in a terminal of their own (a pty)."""

from __future__ import annotations

import os
import re
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pexpect
from pexpect.fdpexpect import fdspawn

from tests.e2e.forks import Forked
from tests.e2e.processes import PATIENCE, environment

CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """A command in a terminal of 120 columns; ``said`` is all that was on its screen, without colours."""

    def __init__(self, *arguments: str, cwd: Path, without: Sequence[str] = (), **variables: str) -> None:
        """Start it; the modules ``without`` are none that it could import."""
        ours, theirs = os.openpty()
        try:
            termios.tcsetwinsize(theirs, (40, 120))
            env = environment(TERM="xterm", **variables)
            self.process = Forked(
                arguments, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, without=without
            )
        finally:
            os.close(theirs)
        self.child: Any = fdspawn(ours, encoding="utf-8", timeout=PATIENCE)
        self.said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        self.child.close()

    def type(self, keys: str, until: str | type[pexpect.EOF]) -> str:
        """Press keys; return what is on the screen until something like the pattern is, or until the end."""
        self.child.send(keys)
        self.child.expect(until)
        after = self.child.after if isinstance(until, str) else ""
        text = re.sub(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[=>])", "", f"{self.child.before}{after}")
        self.said += text
        return text

    def end(self) -> int:
        """Wait for the end; returns the exit status."""
        self.type("", pexpect.EOF)
        return self.process.wait(PATIENCE)
