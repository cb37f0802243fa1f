"""A reader: the shipped packages as a process, whose card, button and clock the test moves."""

from __future__ import annotations

import mmap
import re
import struct
import time
from pathlib import Path
from typing import NamedTuple

from tests.e2e.processes import ROOT, Talking, free_port

BUILT = ROOT / "build/firmware"
"""Where ``make firmware-test`` has put the program."""

PATIENT_MS = 60_000
"""How long the reader waits for an answer where that is not the point: no busy machine takes as long."""

BJORN, ADA, UNKNOWN = "1000002", "1000001", "9999999"
"""Björn may use the table saw, Ada may not; both may use the drill press."""
FROYA = "1000006"
"""She has the override."""

WELCOME, EMPTY = "display Welcome,|Bjorn", "display Please Insert|RFID Card"
NOT_HEARD, OOPSED = "display Oops! But no|answer comes", "display Oops!! Please|check/post Slack"
NO_ANSWER, TAKE_OUT = "display No answer from|the server", "display No answer. Take|out your card"


class Fact(NamedTuple):
    """Something that the reader did, ``at`` the computer's monotonic clock."""

    at: float
    what: str


class Reader(Talking):
    """The firmware of ``machine``, which reports to ``url``. ``facts`` is all that it did.

    ``at_boot`` may be ``card`` (one is in) or ``oops`` (the button is held). ``was``: the same board before it lost its
    power. ``unix_time`` is what its clock says at the start; 0: it has none. The ``program`` ``field`` is what readers
    in the field have: its native API is at ``api_port``, a restart ends it, and its machine is always ``table-saw``.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        machine: str = "table-saw",
        *,
        timeout_ms: int | None = PATIENT_MS,
        at_boot: str = "",
        token: str | None = None,
        key: str = "",
        resolver_hangs: bool = False,
        was: Reader | None = None,
        unix_time: int = 0,
        program: str = "reader",
        takes_pokes: bool = True,
        api_port: int = 0,
    ) -> None:
        home = directory / f"reader-{time.monotonic_ns()}"
        home.mkdir()
        self.flash: Path = was.flash if was else home
        control = home / "control"
        control.write_bytes(bytes(16))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 16)
        self.resolver_hangs(resolver_hangs)
        self._bench = (home / "bench").open("w", buffering=1)
        self.machine = machine
        self.key = key
        self.poke_port = free_port() if takes_pokes else 0
        self._expected_from = 0
        variables = {"TIMEOUT_MS": str(timeout_ms)} if timeout_ms else {}
        if at_boot:
            variables[f"{at_boot.upper()}_AT_BOOT"] = "yes"
        if token is not None:
            variables["AUTHORIZATION"] = f"Bearer {token}"
        super().__init__(
            cwd=home,
            command=[str(BUILT / program)],
            LD_PRELOAD=str(BUILT / "shim.so"),
            CONTROL=str(control),
            BENCH=self._bench.name,
            HOME=str(self.flash),
            UNIX_TIME=str(unix_time),
            REPORT_URL=f"{url}/api/machine/update",
            MACHINE=machine,
            POKE_PORT=str(self.poke_port),
            READER_KEY=key,
            API_PORT=str(api_port),
            **variables,
        )

    def kill(self) -> None:
        self._bench.close()
        super().kill()

    def do(self, *lines: str) -> float:
        """Move parts, as ``card in`` or ``oops pressed``; returns when the reader has noticed, and obeyed."""
        since = len(self.lines)
        self._bench.write("".join(f"{line}\n" for line in lines))
        return _fact(self.wait_for(rf"^> \S+ seen {lines[-1]}$", since)).at

    def card_in(self, code: str) -> None:
        """Put a card in: its switch closes, then it is read."""
        self.do("card in", f"code {code}")

    def later(self, seconds: float) -> None:
        """Move the reader's clock on."""
        (ahead,) = struct.unpack_from("q", self._control)
        struct.pack_into("q", self._control, 0, ahead + int(seconds * 1e9))

    def resolver_hangs(self, hangs: bool) -> None:
        """Have the system's look-up of names answer, or not until this is called again."""
        struct.pack_into("q", self._control, 8, hangs)

    @property
    def facts(self) -> list[Fact]:
        return [_fact(line) for line in list(self.lines) if line.startswith("> ")]

    def expect(self, what: str) -> Fact:
        """Wait for a fact, after the one that was expected last."""
        line = self.wait_for(rf"^> \S+ {re.escape(what)}$", self._expected_from)
        self._expected_from = self.lines.index(line, self._expected_from) + 1
        return _fact(line)

    def next(self, part: str) -> str:
        """Wait for whatever a part does next, after the fact that was expected last; return it."""
        return _fact(self.wait_for(rf"^> \S+ {part} ", self._expected_from)).what

    def did(self, what: str) -> int:
        """Return how often it has done this so far."""
        return [fact.what for fact in self.facts].count(what)

    def shows(self, part: str) -> str:
        """Return what a part was last set to: ``relay`` or ``display``."""
        values = [fact.what.removeprefix(f"{part} ") for fact in self.facts if fact.what.startswith(f"{part} ")]
        return values[-1] if values else ""


def _fact(line: str) -> Fact:
    _, at, what = line.split(" ", 2)
    return Fact(float(at), what)
