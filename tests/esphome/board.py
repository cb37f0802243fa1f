"""A board that speaks ESPHome's native API, with encryption; or does it wrong."""

from __future__ import annotations

import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO
from cryptography.exceptions import InvalidTag
from noise.connection import NoiseConnection

from mac_actors.esphome.native_api import BUTTON, entity_key

KEY = "bWFjLWFjdG9ycyB0ZXN0cyBuYXRpdmUgQVBJIGtleSE="
OTHER_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

HELLO, DEVICE_INFO, LIST, LIST_DONE, LIST_BUTTON, PRESS = 1, 9, 11, 19, 61, 62
"""Numbers of requests and answers; an answer's number, where it is not here, is the next one."""


class Connection:
    """What a board has of a client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._file = sock.makefile("rb")

    def frame(self) -> bytes:
        head = self._file.read(3)
        if len(head) < 3:
            raise ConnectionError
        return self._file.read(int.from_bytes(head[1:], "big"))

    def send_frame(self, data: bytes) -> None:
        self.sock.sendall(b"\x01" + len(data).to_bytes(2, "big") + data)

    def say_name(self, name: str) -> None:
        """Take the client's hello, and say who one is; the first part of a handshake."""
        assert self.frame() == b""
        self.send_frame(b"\x01" + name.encode() + b"\0" + b"aabbccddeeff\0")

    def ended(self) -> None:
        """Wait until the client hangs up."""
        while self._file.read(1):
            pass


class Board:
    """A board with the name of a machine, whose key is :data:`KEY`. ``pressed`` counts presses of its restart button.

    ``behave`` is what it does with a client instead, if it is not to be well.
    """

    def __init__(self, name: str, behave: Callable[[Connection], None] | None = None) -> None:
        self.name = name
        self.behave = behave or self.serve
        self.button: str | None = BUTTON
        self.came = threading.Semaphore(0)
        """Released for each connection."""
        self.pressed = threading.Semaphore(0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                self.came.release()
                with sock, suppress(OSError):
                    self.behave(Connection(sock))

    def serve(self, connection: Connection) -> None:
        connection.say_name(self.name)
        noise = NoiseConnection.from_name(b"Noise_NNpsk0_25519_ChaChaPoly_SHA256")
        noise.set_as_responder()
        noise.set_psks(b64decode(KEY))
        noise.set_prologue(b"NoiseAPIInit\0\0")
        noise.start_handshake()
        try:
            noise.read_message(connection.frame()[1:])
        except InvalidTag:
            connection.send_frame(b"\x01Handshake MAC failure")
            return
        connection.send_frame(b"\0" + noise.write_message())

        def send(number: int, **fields: object) -> None:
            data = MESSAGE_TYPE_TO_PROTO[number](**fields).SerializeToString()
            connection.send_frame(noise.encrypt(number.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data))

        while True:
            data = noise.decrypt(connection.frame())
            number = int.from_bytes(data[:2], "big")
            if number == HELLO:
                send(HELLO + 1, api_version_major=1, api_version_minor=12, name=self.name)
            elif number == DEVICE_INFO:
                send(DEVICE_INFO + 1, name=self.name)
            elif number == LIST:
                if self.button:
                    send(LIST_BUTTON, key=entity_key(self.button), name=self.button)
                send(LIST_DONE)
            elif number == PRESS:
                request = MESSAGE_TYPE_TO_PROTO[number].FromString(data[4:])
                if self.button and request.key == entity_key(self.button):
                    self.pressed.release()
                    return


@contextmanager
def board(name: str, behave: Callable[[Connection], None] | None = None) -> Iterator[Board]:
    made = Board(name, behave)
    try:
        yield made
    finally:
        made.close()
