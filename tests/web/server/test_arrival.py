"""When bytes came that nobody read at once, and whether their client is still there."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mac_actors import clock
from mac_actors.web.server.arrival import KERNEL_STEP, ArrivalClock, client_gone, waited
from mac_actors.web.server.server import Server
from tests.fakes import wait_until
from tests.web.server.raw import head


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


@pytest.fixture
def asked() -> Iterator[tuple[Server, queue.SimpleQueue[dict[str, Any]], threading.Event]]:
    """A server whose application hands out what it was asked, and answers when it may."""
    environs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    may_answer = threading.Event()

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        environs.put(environ)
        may_answer.wait(60)
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    server = Server(application, "127.0.0.1", 0)
    server.open()
    server.run_in_thread()
    yield server, environs, may_answer
    may_answer.set()
    server.stop()


def test_the_application_knows_when_a_request_came_and_whether_somebody_waits(
    asked: tuple[Server, queue.SimpleQueue[dict[str, Any]], threading.Event],
) -> None:
    server, environs, may_answer = asked
    begun = clock.seconds()
    with socket.create_connection(("127.0.0.1", server.bind_addr[1])) as client:
        client.sendall(head("Connection: keep-alive", method="GET"))
        environ = environs.get(timeout=60)
        assert begun - 2 * KERNEL_STEP <= environ["mac.received"] <= clock.seconds()
        assert not environ["mac.gone"]()
        may_answer.set()
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        wait_until(environ["mac.gone"])
        may_answer.clear()
        client.sendall(head(method="GET"))
        later = environs.get(timeout=60)
        assert later["mac.received"] > environ["mac.received"]
        assert not later["mac.gone"]()
    wait_until(later["mac.gone"])


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
