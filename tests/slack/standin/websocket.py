"""RFC 6455, the little of it that a Socket Mode server needs: frames in, frames out."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator
from typing import BinaryIO

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class ProtocolError(Exception):
    """The client broke the rules of the protocol."""


def accept_key(key: str) -> str:
    """What the handshake answers to a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def frame(opcode: int, payload: bytes) -> bytes:
    """One final frame as a server sends it: unmasked."""
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + struct.pack("!BH", 126, len(payload)) + payload
    return head + struct.pack("!BQ", 127, len(payload)) + payload


def messages(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The client's messages (opcode and payload) until it leaves; fragments are put together."""
    opcode, parts = CONTINUATION, b""
    while (got := _read_frame(stream)) is not None:
        final, kind, payload = got
        if kind >= CLOSE:  # control frames may come between fragments
            if not final or len(payload) > 125:
                raise ProtocolError("a control frame must be short and whole")
            yield kind, payload
            continue
        if (kind == CONTINUATION) == (opcode == CONTINUATION):
            raise ProtocolError("a continuation of nothing, or a new message inside another")
        opcode, parts = kind or opcode, parts + payload
        if final:
            yield opcode, parts
            opcode, parts = CONTINUATION, b""


def _read_frame(stream: BinaryIO) -> tuple[bool, int, bytes] | None:
    try:
        first, second = _exactly(stream, 2)
        if first & 0x70:
            raise ProtocolError("reserved bits are set")
        if not second & 0x80:
            raise ProtocolError("a client's frame must be masked")
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", _exactly(stream, 2))
        elif length == 127:
            (length,) = struct.unpack("!Q", _exactly(stream, 8))
        mask, payload = _exactly(stream, 4), _exactly(stream, length)
    except EOFError:
        return None
    return bool(first & 0x80), first & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
