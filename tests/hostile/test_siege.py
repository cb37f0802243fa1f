"""Whatever outsiders do: honest readers are answered, memory is bounded, and the server is whole afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import PATIENCE
from tests.fakes import wait_until
from tests.hostile import attacks
from tests.hostile.siege import MEMORY_MB, Besieged, certificate

SECONDS = 0.3
"""How long each attack goes on here; ``python -m tests.hostile`` takes longer."""

SPARE_SOCKETS = 8
"""The listening one, the pair that wakes, and the readers' last ones."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """A server."""
    yield from _besieged(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """A server that speaks TLS."""
    directory = tmp_path_factory.mktemp("tls")
    yield from _besieged(directory, **certificate(directory))


def _besieged(directory: Path, **variables: str) -> Iterator[Besieged]:
    with Besieged(directory, **variables) as server:
        server.patience = PATIENCE  # a reader has less, which "python -m tests.hostile" keeps to on an idle computer
        yield server
        assert server.terminate() == 0


@pytest.mark.parametrize("name", attacks.PLAIN)
def test_readers_are_answered_whatever_others_do(plain: Besieged, name: str) -> None:
    _endures(plain, name, attacks.PLAIN[name][1])


@pytest.mark.parametrize("name", attacks.TLS)
def test_readers_with_tls_are_answered_whatever_others_do(tls: Besieged, name: str) -> None:
    _endures(tls, name, attacks.TLS[name][1])


def _endures(server: Besieged, name: str, size: int) -> None:
    honest = server.besiege(name, SECONDS, size)
    assert not honest.troubles, honest
    assert honest.seconds
    assert server.memory() < MEMORY_MB
    wait_until(lambda: server.sockets() < SPARE_SOCKETS)
    server.ask()
    assert not [line for line in server.lines if "ERROR" in line or "CRITICAL" in line or "Traceback" in line]
