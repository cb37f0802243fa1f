"""HAProxy, before servers of the test's."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fakes import wait_until

ETC = Path(__file__).parents[2] / "etc" / "cell"

needs_haproxy = pytest.mark.skipif(
    shutil.which("haproxy") is None and "CI" not in os.environ,
    reason="haproxy is not on this computer (Debian: apt install haproxy)",
)


def configuration(servers: Sequence[int], port: int, send: str = "send-proxy-v2") -> str:
    """Return ``etc/cell/haproxy.cfg`` for servers at these ports of this computer."""
    text = (ETC / "haproxy.cfg").read_text()
    text = text.replace("bind :5000", f"bind 127.0.0.1:{port}").replace("send-proxy-v2", send)
    addresses = itertools.cycle(servers)
    return re.sub(r"192\.0\.2\.1[12]:5001", lambda _: f"127.0.0.1:{next(addresses)}", text)


@contextmanager
def haproxy(directory: Path, text: str, port: int) -> Iterator[None]:
    """Run HAProxy with this configuration, which listens at ``port``."""
    file = directory / "haproxy.cfg"
    file.write_text(text)
    with (directory / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-f", str(file)], stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or _accepts(port))
            assert process.poll() is None, (directory / "haproxy.log").read_text()
            yield
        finally:
            process.terminate()
            process.wait(20)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
