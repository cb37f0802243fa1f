"""A shop whose reader is one of the field: it takes no pokes, but has ESPHome's native API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.processes import ServerProcess, free_port
from tests.firmware.reader import Reader

KEY = "bWFjLWFjdG9ycyB0ZXN0cyBuYXRpdmUgQVBJIGtleSE="
"""That of ``field.yaml``."""


class FieldShop:
    """A server that looks for native APIs at a port of its own, and may restart readers ``once_in`` so many seconds."""

    def __init__(self, directory: Path, key: str = KEY, once_in: float = 60.0) -> None:
        self._directory = directory
        self._port = free_port()
        start = (
            f"from mac_actors.esphome import native_api as n; n.PORT = {self._port}; n.ONCE_IN_SECONDS = {once_in};"
            "from mac_actors.cli import main; main()"
        )
        self.server = ServerProcess(directory, command=[sys.executable, "-c", start], MAC_READER_API_KEY=key)

    def reader(self) -> Reader:
        """Switch the reader on; it has reported when this returns."""
        reader = Reader(self._directory, self.server.url, program="field", api_port=self._port)
        reader.do("card out")
        reader.next("display")
        return reader


@contextmanager
def field_shop(directory: Path, key: str = KEY, once_in: float = 60.0) -> Iterator[FieldShop]:
    """Start such a server; it is killed at the end."""
    shop = FieldShop(directory, key, once_in)
    with shop.server:
        yield shop
