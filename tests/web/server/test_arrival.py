"""When bytes came that nobody read at once, and whether their client is still there."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from mac_actors import clock
from mac_actors.web.server.arrival import KERNEL_STEP, ArrivalClock, client_gone, waited
from tests.fakes import wait_until


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and what a server gets of it, over TCP."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
    ):
        client.sendall(b"x")
        accepted, _ = listening.accept()
        with accepted:
            yield client, accepted


def test_bytes_that_wait_in_the_kernel_grow_old(pair: tuple[socket.socket, socket.socket]) -> None:
    begun = time.monotonic()
    wait_until(lambda: waited(pair[1]) > 0.05)
    pair[1].recv(1)
    assert 0.05 < waited(pair[1]) <= time.monotonic() - begun + 0.1, "reading does not make them younger"
    pair[0].sendall(b"y")
    wait_until(lambda: waited(pair[1]) < 0.05)


@pytest.mark.parametrize("half", [True, False])
def test_a_client_that_hangs_up_is_gone_whatever_is_still_to_be_read(
    pair: tuple[socket.socket, socket.socket], half: bool
) -> None:
    client, accepted = pair
    assert not client_gone(accepted)
    if half:
        client.shutdown(socket.SHUT_WR)
    else:
        client.close()
    wait_until(lambda: client_gone(accepted))
    assert accepted.recv(1) == b"x"


def test_what_is_no_tcp_connection_has_not_waited() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert (waited(one), client_gone(one)) == (0.0, False)


def test_times_are_on_the_clock_that_counts_through_a_sleep() -> None:
    before = clock.seconds()
    arrived = ArrivalClock().arrived(0.0)
    assert before <= arrived + KERNEL_STEP
    assert arrived <= clock.seconds() + KERNEL_STEP


def test_what_came_before_a_sleep_is_as_old_as_the_sleep_was_long(monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = ArrivalClock(offset=100.0)
    arrivals.tick(50.0, 150.0)
    arrivals.tick(51.0, 51.0 + 3700.0)  # slept an hour
    monkeypatch.setattr(time, "monotonic", lambda: 53.0)
    assert arrivals.arrived(2.5) == 50.5 + 100.0
    assert arrivals.arrived(1.0) == 52.0 + 3700.0
    arrivals.tick(54.0, 54.0 + 3700.0)
    assert arrivals.arrived(2.5) == 50.5 + 100.0, "also if it is read later"
