"""A body that comes in chunks (RFC 9112, section 7.1), read from memory."""

from __future__ import annotations

import re

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_LONGEST_LINE = 4096


def join_chunks(buffer: bytes | bytearray, start: int) -> tuple[bytes, int] | None:
    """Return the body whose chunks begin at ``start``, and where they end; ``None`` while they are not complete.

    Raises ``ValueError`` for what can't become chunks any more.
    """
    parts: list[bytes] = []
    at = start
    while True:
        line = _SIZE.match(buffer, at)
        if line is None:
            if b"\n" in buffer[at:] or len(buffer) - at > _LONGEST_LINE:
                raise ValueError("the body: expected chunks, each with its length as a hexadecimal number before it")
            return None
        size, at = int(line[1], 16), line.end()
        if size == 0:
            break
        if len(buffer) < at + size + 2:
            return None
        if buffer[at + size : at + size + 2] != b"\r\n":
            raise ValueError("the body: a chunk is not as long as it says")
        parts.append(bytes(buffer[at : at + size]))
        at += size + 2
    end = buffer.find(b"\r\n", at)
    while end > at:  # trailers: read, and dropped
        at = end + 2
        end = buffer.find(b"\r\n", at)
    return (b"".join(parts), at + 2) if end == at else None
