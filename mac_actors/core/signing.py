"""The keys of readers, and what is signed with them, both ways.

A report's signature is of its body. A reply's is of the report's signature and its own body, so that it is the reply to
that report and to no other. Signatures are HMAC-SHA256, as text of 64 small hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

HEADER = "X-MAC-Signature"
"""The header of a signature, in reports and in replies."""

KEY_BYTES = 32
"""How long a key is: 256 bits."""


def sign(secret: bytes, *parts: str | bytes) -> str:
    """Return the signature of these parts, one after the other."""
    signed = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return hmac.digest(secret, signed, hashlib.sha256).hex()


def is_signed(secret: bytes, signature: str, *parts: str | bytes) -> bool:
    """Whether this is the signature of these parts. How long that takes tells nothing of the right one."""
    return hmac.compare_digest(sign(secret, *parts).encode(), signature.encode("utf-8", "replace"))


def read_secret(text: str) -> bytes:
    """Read a key as it is shown: 64 hexadecimal digits. Raises ``ValueError``, which does not repeat it."""
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES or len(text) != 2 * KEY_BYTES:
        raise ValueError("expected a key as 'mac-actors readers add' has printed it: 64 hexadecimal digits")
    return secret


@dataclass(frozen=True, slots=True)
class Key:
    """A key, since when there is such a one, and since when its reader has used it."""

    secret: bytes = field(repr=False)
    since: datetime
    used_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReaderKeys:
    """The keys of one machine's reader. While one rotates there is a ``new`` one, and both are good."""

    key: Key
    new: Key | None = None

    def __iter__(self) -> Iterator[Key]:
        """Iterate over all that are good."""
        return iter((self.key, self.new) if self.new else (self.key,))

    def signer(self, signature: str, *parts: str | bytes) -> Key | None:
        """Return the key with which these parts were signed; ``None``: with none of them."""
        return next((key for key in self if is_signed(key.secret, signature, *parts)), None)

    def rotated(self, new: Key) -> ReaderKeys:
        """Return these keys with a new one beside the first; one that was to come, and was never used, is dropped."""
        return ReaderKeys(self.key, new)

    def used(self, key: Key, at: datetime) -> ReaderKeys:
        """Return the keys after one was used: the first use of the new one ends the other."""
        if key == self.new:
            return ReaderKeys(replace(key, used_since=at))
        if key.used_since is None:
            return replace(self, key=replace(key, used_since=at))
        return self
