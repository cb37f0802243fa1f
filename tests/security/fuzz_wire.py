"""Fuzz several connections at once: ``python -m tests.security.fuzz_wire --minutes 5`` (needs atheris)."""

from __future__ import annotations

import sys

from tests.security import fuzzing

CLIENTS = 4
PIECES = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"1\r\nx\r\n",
    b"0\r\n\r\n",
    b"GET /large HTTP/1.1\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"nonsense\r\n",
)
"""What takes a fuzzer long to find."""

EXPECTS = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"


def _step(client: int, action: int, amount: int = 0, sent: bytes = b"") -> bytes:
    return bytes([action * CLIENTS + client, amount or len(sent)]) + sent


SEEDS = (
    *(_step(0, 3, number) for number in range(len(PIECES))),
    _step(0, 3, 0) + _step(0, 3, 7) + _step(0, 5) + _step(0, 4, 200),
    _step(0, 3, 2) + _step(1, 3, 2) + _step(0, 3, 3) + _step(1, 3, 35) + _step(0, 3, 4) + _step(1, 3, 4) + _step(0, 6),
    _step(0, 3, 165) + _step(1, 3, 160) + _step(2, 3, 5) + _step(2, 7) + _step(0, 6) + _step(3, 3, 224),
    _step(0, 0, sent=b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    + _step(0, 1, sent=b"abc"),
)
WORDS = (
    "Connection: close\r\n",
    "Content-Length: ",
    "\r\n\r\n",
    "HTTP/1.1\r\n",
    "Upgrade: h2c\r\nConnection: Upgrade\r\n",
)

if __name__ == "__main__":
    sys.exit(fuzzing.main("wire", SEEDS, WORDS))
