"""A flood: ``python -m tests.faults.flood PORT SECONDS CONNECTIONS SOURCE`` reports from one address without a pause.

A process of its own, so that it does not slow the readers of the suite. Says how many requests were answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress

from tests.faults.client import report, request_bytes


async def hammer(port: int, source: str, until: float, answered: list[int]) -> None:
    request = request_bytes("POST", "/api/machine/update", report("spare1", "", 5000.0))
    while time.monotonic() < until:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
                try:
                    writer.write(request)
                    answer = await reader.read()
                    answered[0] += answer.startswith(b"HTTP/1.1 200")
                finally:
                    writer.close()


async def flood(port: int, seconds: float, connections: int, source: str) -> int:
    answered, until = [0], time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(hammer(port, source, until, answered))
    return answered[0]


if __name__ == "__main__":
    port, seconds, connections, source = sys.argv[1:5]
    print(json.dumps(asyncio.run(flood(int(port), float(seconds), int(connections), source))))
