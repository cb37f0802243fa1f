"""The switchable disk and clock: builds the library that stands before them, and turns its knobs."""

from __future__ import annotations

import atexit
import mmap
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
_LAYOUT = struct.Struct("=iiqqqq")


class Mode(IntEnum):
    """What the disk does, as in shim.c."""

    OK = 0
    BLOCK = 1
    """Writes and syncs do not return."""
    FULL = 2
    """ENOSPC."""
    BROKEN = 3
    """EIO, for writes and syncs."""
    READ_ONLY = 4
    """EROFS, also for opening files to write."""
    NO_SYNC = 5
    """Writes go well, syncs are answered with EIO."""
    HANG = 6
    """As BLOCK, and reads do not return either."""


@cache
def library() -> Path:
    """Compile the library, once a process."""
    directory = tempfile.mkdtemp(prefix="mac-faults-")
    atexit.register(shutil.rmtree, directory)
    built = Path(directory, "shim.so")
    command = ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(built), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return built


class Knobs:
    """What one server's disk and clock do at the moment."""

    def __init__(self, directory: Path, watched: Path) -> None:
        self._watched = watched
        path = directory / "knobs"
        path.write_bytes(bytes(_LAYOUT.size))
        self._path = path
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _LAYOUT.size)

    def environment(self) -> dict[str, str]:
        """The variables that tell the library in a process which disk and clock are meant."""
        return {"FAULTS_CONTROL": str(self._path), "FAULTS_DIRECTORY": str(self._watched)}

    @property
    def mode(self) -> Mode:
        return Mode(struct.unpack_from("=i", self._page, 0)[0])

    @mode.setter
    def mode(self, mode: Mode) -> None:
        struct.pack_into("=i", self._page, 0, mode)

    @contextmanager
    def disk(self, mode: Mode) -> Iterator[None]:
        """A disk that does this, for a while."""
        self.mode = mode
        try:
            yield
        finally:
            self.mode = Mode.OK

    @property
    def waiting(self) -> int:
        """Calls that wait now."""
        return int(struct.unpack_from("=i", self._page, 4)[0])

    @property
    def seen(self) -> int:
        """Calls that went through the library."""
        return int(struct.unpack_from("=q", self._page, 16)[0])

    @property
    def refused(self) -> int:
        """Calls that were answered with an error."""
        return int(struct.unpack_from("=q", self._page, 24)[0])

    def reset_waiting(self) -> None:
        """Forget the waiting calls of a process that was killed."""
        struct.pack_into("=i", self._page, 4, 0)

    def set_clock(self, seconds: float) -> None:
        """Let the wall clock be this far ahead (or, negative, behind)."""
        struct.pack_into("=q", self._page, 8, int(seconds * 1e9))

    def slow_syncs(self, seconds: float) -> None:
        """Let each sync take so much longer, as on an SD card."""
        struct.pack_into("=q", self._page, 32, int(seconds * 1e9))

    def close(self) -> None:
        """Let the page go."""
        self._page.close()
