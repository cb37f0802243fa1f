"""A reader with a key, as its firmware is."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from tests.web.client import REPLY_KEYS, Reply, Running, report_body

FIRMWARE = "mac-actors-reader 1.0"


def sign(key: str, data: bytes) -> str:
    """Return the signature, made here anew from the specification."""
    return hmac.new(bytes.fromhex(key), data, hashlib.sha256).hexdigest()


def headers(key: str, body: bytes) -> dict[str, str]:
    """Return the header of a signed report."""
    return {"X-MAC-Signature": sign(key, body)}


class SignedReader:
    """Reports for ``machine``, with the last nonce that it was given; every reply's signature is checked."""

    def __init__(self, server: Running, machine: str, key: str, boot: int = 1) -> None:
        self.server = server
        self.machine = machine
        self.key = key
        self.boot = boot
        self.count = 0
        self.nonce: str | None = None
        self.sent = b""
        """The last report, as somebody on the network sees it."""

    def send(self, fob: str | None = "", **fields: Any) -> Reply:
        """Send one report."""
        self.count += 1
        fields = {"firmware": FIRMWARE, "boot": self.boot, "count": self.count, "nonce": self.nonce, **fields}
        self.sent = json.dumps(report_body(self.machine, fob, **fields)).encode()
        return self.send_again()

    def send_again(self) -> Reply:
        """Send the last report again, byte for byte."""
        head = headers(self.key, self.sent)
        reply = self.server.post("/api/machine/update", self.sent, headers=head)
        if reply.status == 200:
            assert reply.headers["X-MAC-Signature"] == sign(self.key, head["X-MAC-Signature"].encode() + reply.body)
        return reply

    def outputs(self, fob: str | None = "", **fields: Any) -> dict[str, Any]:
        """Report until a report counts, as firmware does; return what it is told."""
        for _ in range(2):
            answer: dict[str, Any] = self.send(fob, **fields).json
            self.nonce = answer["nonce"]
            if answer.get("applied", True):
                assert set(answer) == {*REPLY_KEYS, "always_on", "nonce"}
                return answer
            assert set(answer) == {*REPLY_KEYS, "always_on", "nonce", "applied"}
        raise AssertionError("a report with the newest nonce counts")
