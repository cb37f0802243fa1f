"""Simulated readers: they report as the firmware does, with people who come and go."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mac_actors.core.signing import HEADER, sign
from mac_actors.version import VERSION

REPORT_SECONDS = 10.0
"""A reader reports this often, and at each event."""

TIMEOUT_SECONDS = 10.0
"""How long a reader waits for its answer."""

KEYS = {"relay", "display", "oops_led", "status_led_rgb", "status_led_brightness", "second_relay"}
SIGNED_KEYS = KEYS | {"always_on", "nonce"}


@dataclass
class Tally:
    """What happened so far: latencies in seconds, and errors by kind."""

    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)

    @property
    def reports(self) -> int:
        """Reports that were answered."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Answered reports a second."""
        return self.reports / max(time.monotonic() - self.started, 1e-9)

    def percentiles(self) -> dict[str, float]:
        """Return latencies in milliseconds: median, 90 %, 99 %, highest."""
        if len(self.latencies) < 2:
            return {}
        cuts = statistics.quantiles(self.latencies, n=100, method="inclusive")
        chosen = {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": max(self.latencies)}
        return {name: seconds * 1000 for name, seconds in chosen.items()}


@dataclass
class ReaderPlan:
    """How the readers behave. ``pace`` divides all waits; ``fast``: no waits at all, heartbeats alone.

    ``keys`` are the readers' own, by machine; who has one signs.
    """

    fobs: Sequence[str] = ()
    token: str | None = None
    keys: Mapping[str, bytes] = field(default_factory=dict)
    fast: bool = False
    pace: float = 1.0
    oops: bool = False
    seed: int | None = None


class SimulatedReader:
    """One machine's reader. Several report loops may share it; its reports never overlap."""

    def __init__(self, machine: str, url: str, plan: ReaderPlan, tally: Tally, chance: random.Random) -> None:
        address = urlsplit(url)
        self._host = address.hostname or "127.0.0.1"
        self._tls = address.scheme == "https"
        self._port = address.port or (443 if self._tls else 80)
        self._machine = machine
        self._plan = plan
        self._tally = tally
        self._chance = chance
        self._card = ""
        self._key = plan.keys.get(machine)
        self._boot, self._count, self._nonce = chance.getrandbits(32), 0, ""
        self._booted = time.monotonic() - chance.uniform(60, 86_400)
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Report for ever, with somebody using the machine now and then."""
        plan, chance = self._plan, self._chance
        if not plan.fast:
            await asyncio.sleep(chance.uniform(0, REPORT_SECONDS) / plan.pace)
        while True:
            pressed = False
            if not plan.fast:
                if chance.random() < 0.15:
                    self._card = "" if self._card else chance.choice([*plan.fobs, "0000000666"])
                pressed = plan.oops and chance.random() < 0.01
            await self.report(pressed)
            if pressed:
                await self.report(False)
            if not plan.fast:
                await asyncio.sleep(REPORT_SECONDS * chance.uniform(0.95, 1.05) / plan.pace)

    async def report(self, oops: bool) -> None:
        """Send one report and note how it went; a second one at once if the first did not count."""
        async with self._turn:
            if not await self._send(oops):
                await self._send(oops)

    async def _send(self, oops: bool) -> bool:
        """Send a report; false: it did not count, because its nonce was an old one."""
        body = json.dumps(self._fields(oops)).encode()
        signature = sign(self._key, body) if self._key else None
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):  # wait_for() can swallow the cancellation at the end
                answer = await self._post(body, signature)
        except TimeoutError:
            self._tally.errors[f"no answer within {TIMEOUT_SECONDS:.0f} s"] += 1
        except (OSError, EOFError, asyncio.IncompleteReadError) as error:
            self._tally.errors[type(error).__name__] += 1
            await asyncio.sleep(0.2)  # as a reader does, rather than hammering a server that is away
        else:
            return self._check(answer, signature, time.perf_counter() - begun)
        return True

    def _fields(self, oops: bool) -> dict[str, object]:
        fields = {
            "machine_name": self._machine,
            "oops": oops,
            "rfid_value": self._card.lstrip("0"),
            "uptime": round(time.monotonic() - self._booted, 3),
            "wifi_signal_db": -60 + self._chance.randint(-5, 5),
            "wifi_signal_percent": 80,
            "internal_temperature_c": 53.33,
            "amps": 4.2 if self._card else 0,
        }
        if self._key:
            self._count += 1
            fields |= {"firmware": f"mac-actors simulate {VERSION}", "boot": self._boot, "count": self._count}
            fields |= {"nonce": self._nonce}
        return fields

    def _check(self, answer: bytes, signature: str | None, seconds: float) -> bool:
        head, _, body = answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status != [b"200"]:
            self._tally.errors[f"status {b''.join(status).decode(errors='replace')}"] += 1
            return True
        if self._key and signature:
            right = f"{HEADER}: {sign(self._key, signature, body)}".lower()
            if right not in head.decode(errors="replace").lower().split("\r\n"):
                self._tally.errors["an answer that is not signed with the reader's key"] += 1
                return True
        try:
            told = json.loads(body)
            complete = told.keys() - {"applied"} == (SIGNED_KEYS if self._key else KEYS)
        except (ValueError, AttributeError):
            complete = False
        if not complete:
            self._tally.errors["an answer that is not the readers' JSON"] += 1
            return True
        self._tally.latencies.append(seconds)
        self._nonce = told.get("nonce", "")
        return bool(told.get("applied", True))

    async def _post(self, body: bytes, signature: str | None) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls or None)
        try:
            token = f"Authorization: Bearer {self._plan.token}\r\n" if self._plan.token else ""
            signed = f"{HEADER}: {signature}\r\n" if signature else ""
            head = (
                f"POST /api/machine/update HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
                f"{token}{signed}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            return await reader.read()
        finally:
            writer.close()


async def simulate(
    url: str,
    machines: Sequence[str],
    readers: int,
    plan: ReaderPlan,
    *,
    seconds: float | None = None,
    progress: Callable[[Tally], None] = lambda tally: None,
    stop: asyncio.Event | None = None,
) -> Tally:
    """Run ``readers`` report loops over ``machines`` for ``seconds`` (or until ``stop`` is set).

    With more ``readers`` than machines several loops share one, which then reports that much more often.
    """
    chance = random.Random(plan.seed)  # noqa: S311 - a simulation, not a secret
    tally = Tally()
    simulated = [SimulatedReader(name, url, plan, tally, chance) for name in machines[:readers]]
    tasks = [asyncio.create_task(simulated[i % len(simulated)].run()) for i in range(readers)]
    tasks.append(asyncio.create_task(_until(stop or asyncio.Event())))
    deadline = None if seconds is None else time.monotonic() + seconds
    try:
        while deadline is None or time.monotonic() < deadline:
            left = 0.5 if deadline is None else min(0.5, max(0.0, deadline - time.monotonic()))
            done, _ = await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            progress(tally)
            for task in done:
                task.result()  # a reader ends by an error alone: let it be seen
                return tally
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return tally


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()
