"""Requests at a server that owns nothing, while another one does: what the owner sees, and what the client gets."""

from __future__ import annotations

import json
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mac_actors import clock
from mac_actors.cluster.connection import Connection
from mac_actors.cluster.passing import ADDRESS, AGE, HOPS, OwnerGone, Passing
from mac_actors.cluster.passing import SECRET as SECRET_HEADER
from mac_actors.fleet.fleet import MachineFleet
from tests.cluster.two import ADMIN, SECRET, Node, two
from tests.conftest import start_server
from tests.fakes import ANN, BOB, wait_until
from tests.hostile.siege import certificate
from tests.web.client import Raw, report_body
from tests.web.server.raw import report

AGAIN = (False, "Remove card and\ninsert it again")


@pytest.fixture(scope="module")
def cell() -> Iterator[tuple[Node, Node]]:
    """An owner and another server, for tests that leave no trace that disturbs."""
    with two() as nodes:
        yield nodes


def test_a_report_is_decided_by_the_owner_and_answered_as_by_it(cell: tuple[Node, Node]) -> None:
    owner, other = cell
    assert other.told("metal-mill", ANN) == (True, "Welcome,\nAnn")
    assert owner.told("metal-mill", ANN) == (True, "Welcome,\nAnn")
    assert other.told("metal-mill") == owner.told("metal-mill") == (False, "Please Insert\nRFID Card")
    assert owner.fleet
    assert [entry.status for entry in owner.fleet.snapshots()]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("GET", "/api/machines", None, {}),
        ("GET", "/api/machines/Gr%C3%B6%C3%9Fe%20100%25%20%2F%20Laser%20%231%3F", None, {}),
        ("GET", "/api/events?limit=2&kind=power_on", None, {}),
        ("GET", "/api/events?kind=nothing", None, {}),
        ("GET", "/nothing", None, {}),
        ("GET", "/nothing", None, {"Accept": "text/html"}),
        ("GET", "/", None, {"Accept": "text/html", "Cookie": "a=b; c=d"}),
        ("HEAD", "/", None, {}),
        ("GET", "/static/swagger-ui-bundle.js", None, {"Accept-Encoding": "gzip"}),
        ("POST", "/api/machine/update", b"{", {}),
        ("POST", "/api/machine/update", b"x" * 60_000, {}),
        ("POST", "/api/machine/oops/router", None, {}),
        ("DELETE", "/api/machine/oops/router", None, ADMIN),
        ("OPTIONS", "/api/machines", None, {"Origin": "https://example.org"}),
        ("POST", "/login", b"token=wrong", {"Content-Type": "application/x-www-form-urlencoded"}),
    ],
)
def test_everything_is_answered_as_by_the_owner(
    cell: tuple[Node, Node], method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> None:
    owner, other = cell
    at_owner, passed = (node.request(method, path, body, headers) for node in (owner, other))
    volatile = {"date", "content-length", "set-cookie"}
    kept = [
        sorted((name.lower(), value) for name, value in reply.headers.items() if name.lower() not in volatile)
        for reply in (at_owner, passed)
    ]
    assert (at_owner.status, kept[0]) == (passed.status, kept[1])
    if not at_owner.headers["Content-Type"].startswith("text/html"):
        assert at_owner.body == passed.body


def test_each_server_answers_for_itself_whether_it_lives(cell: tuple[Node, Node]) -> None:
    owner, other = cell
    for path in ("/healthz", "/healthz?serving", "/readyz"):
        assert [node.request("GET", path).status for node in cell] == [200, 200]
    assert b"mac_machine" in owner.request("GET", "/metrics").body
    own = other.request("GET", "/metrics").body
    assert b"process_cpu_seconds_total" in own
    assert b"mac_machine" not in own


def test_the_owner_knows_the_readers_address_and_when_its_report_came(
    cell: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other = cell
    assert owner.fleet
    seen: list[Any] = []
    decide = MachineFleet.begin

    def noted(self: MachineFleet, name: str, given: Any, address: str | None, gone: Any) -> Any:
        seen.append((address, given.arrived))
        return decide(self, name, given, address, gone)

    monkeypatch.setattr(MachineFleet, "begin", noted)
    sock = socket.socket()
    sock.bind(("127.0.0.3", 0))  # a proxy
    sock.connect(("127.0.0.1", other.port))
    passing = other.passing._ask

    def late(*given: Any, **more: Any) -> Any:
        return passing(*given, **more | {"age": more["age"] + 2.5})

    monkeypatch.setattr(other.passing, "_ask", late)
    with Raw(sock) as reader:
        reader.send(report("X-Forwarded-For: 192.0.2.7"))
        assert reader.reply().status == 200
    owner.report("metal-mill")
    (address, received), (_, now) = seen
    assert address == "192.0.2.7"
    assert 2.4 < now - received < 2.4 + 20
    budget = owner.server._connections.open._budget
    assert budget.held("192.0.2.7") > 0


def test_one_reader_by_two_servers_is_one_and_two_readers_are_two(cell: tuple[Node, Node]) -> None:
    for number in range(6):
        cell[number % 2].report("router")
    assert cell[0].told("router", ANN)[0]
    cell[1].report("router")
    for number in range(6):
        headers = {"X-Forwarded-For": f"192.0.2.{number % 2}"}
        body = json.dumps(report_body("bandsaw")).encode()
        sock = socket.socket()
        sock.bind(("127.0.0.3", 0))
        sock.connect(("127.0.0.1", cell[1].port))
        with Raw(sock) as reader:
            reader.send(report(*(f"{name}: {value}" for name, value in headers.items()), body=body))
            assert reader.reply().status == 200
    assert cell[1].told("bandsaw", BOB) == AGAIN


def test_without_the_secret_nobody_passes_anything_on(cell: tuple[Node, Node]) -> None:
    owner, _ = cell
    for headers in (
        {"Mac-Cell-Address": "192.0.2.7"},
        {"Mac-Cell-Secret": "wrong", "Mac-Cell-Address": "192.0.2.7", "Mac-Cell-Age": "0", "Mac-Cell-Hops": "1"},
    ):
        assert owner.report("metal-mill", headers=headers).status == 401
        assert owner.request("POST", "/cell/held", {}, headers).status == 401
    assert owner.request("POST", "/cell/held", {}).status == 404


def test_a_server_with_another_secret_holds_and_says_so_once_in_its_log(caplog: pytest.LogCaptureFixture) -> None:
    with two(secret="another") as (owner, other), caplog.at_level(logging.DEBUG):
        for _ in range(3):
            assert other.told("metal-mill", ANN) == AGAIN
        assert other.request("GET", "/healthz?serving").status == 503
        assert caplog.text.count("MAC_CLUSTER_SECRET must be the same on both") == 1
        assert "another" not in caplog.text.replace("another one is taking over", "")
        assert SECRET not in caplog.text
        assert owner.told("metal-mill", ANN)[0]


def test_connections_are_kept_and_one_that_the_owner_has_closed_is_not_used_again(cell: tuple[Node, Node]) -> None:
    owner, other = cell
    other.report("metal-mill")
    before = owner.server.open_connections
    for _ in range(20):
        other.report("metal-mill")
    assert owner.server.open_connections <= before
    connection = other.passing._kept[-1]
    connection.sock.shutdown(socket.SHUT_RDWR)
    assert other.told("metal-mill") == (False, "Please Insert\nRFID Card")
    assert connection not in other.passing._kept


def test_servers_that_take_each_other_for_the_owner_hold_and_ask_each_other_no_more(cell: tuple[Node, Node]) -> None:
    one, other = Node(budget=1.0), Node(budget=1.0)
    try:
        one.follow(other)
        other.follow(one)
        begun = time.monotonic()
        assert one.told("metal-mill", ANN) == AGAIN
        assert one.request("GET", "/healthz?serving").status == 503
        assert time.monotonic() - begun < 10
    finally:
        one.stop()
        other.stop()


@contextmanager
def breaking(answer: bytes | None = None, accept: bool = True) -> Iterator[tuple[str, list[bytes]]]:
    """An owner that reads a request, and then answers with these bytes and closes, or (``None``) is silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []
    over = threading.Event()
    stack = ExitStack()

    def serve() -> None:
        while not over.is_set():
            try:
                conn = listener.accept()[0]
            except OSError:
                return
            conn.settimeout(5)
            data = b""
            while b"\r\n\r\n" not in data:
                data += conn.recv(65536)
            seen.append(data)
            if answer is None:
                stack.enter_context(conn)
            else:
                conn.sendall(answer)
                conn.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        over.set()
        with socket.create_connection(listener.getsockname()) as last:
            last.sendall(b"\r\n\r\n")
        listener.close()
        thread.join()
        stack.close()


BUDGET = 0.3


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"nonsense\r\n\r\n", None])
def test_an_owner_that_goes_while_it_is_asked_leaves_no_reader_without_an_answer(answer: bytes | None) -> None:
    with two(BUDGET) as (_, other), breaking(answer) as (url, seen):
        other.standing.owner = url
        begun = time.monotonic()
        assert other.told("metal-mill", ANN) == AGAIN
        assert time.monotonic() - begun < BUDGET + 5  # the exact bound is measured where the computer is quiet
        assert len(seen) == 1
        reply = other.request("POST", "/api/machine/oops/router", headers=ADMIN)
        assert reply.json == {"success": True, "durable": False}, "it was not sent: the owner is known to be gone"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "clear"), ("DELETE", "locked_out"), ("POST", "locked_out"), ("POST", "oops")]
)
def test_what_was_sent_and_not_answered_is_not_sent_again_and_the_client_is_told(method: str, path: str) -> None:
    with two(BUDGET) as (_, other), breaking(b"") as (url, seen):
        other.standing.owner = url
        reply = other.request(method, f"/api/machine/{path}/router", headers=ADMIN)
        assert reply.status == 503
        assert "may have carried this out: look at what is so now" in reply.error
        assert len(seen) == 1
        assert "nothing was changed" in other.request("GET", "/api/machines").error


def test_a_change_that_meets_an_owner_letting_go_is_carried_out_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mac_actors.cluster.door.WAIT_SECONDS", 20.0)
    with two(1.0) as (owner, other), ThreadPoolExecutor() as aside:
        owner.standing.owns = False
        paths = ("POST", "/api/machine/clear/router"), ("DELETE", "/api/machine/oops/router")
        changes = [aside.submit(node.request, *path, {}, ADMIN) for node in (owner, other) for path in paths]
        assert owner.request("GET", "/api/machines").status == 200, "what was so is shown"
        wait_until(lambda: other.passing.gone == owner.url)
        assert not any(change.done() for change in changes)
        other.standing.owner = None
        other.own()
        owner.standing.owner = other.url
        assert [change.result(20).status for change in changes] == 4 * [200]


def test_while_nobody_owns_the_last_owner_answers_readers_also_after_a_change_that_it_has_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mac_actors.cluster.door.WAIT_SECONDS", 0.1)
    with two() as (owner, other):
        assert other.told("metal-mill", ANN)[0]
        other.learn({"metal-mill": owner.fleet.supervisor.published["metal-mill"][1]} if owner.fleet else {})
        assert owner.request("POST", "/api/machine/locked_out/metal-mill", {}, ADMIN).status == 200
        owner.standing.owns = False
        assert other.request("POST", "/api/machine/clear/metal-mill", {}, ADMIN).status == 503
        assert other.request("GET", "/healthz?serving").status == 503
        assert other.told("metal-mill", ANN) == (False, "Down for\nmaintenance")


def test_all_that_comes_before_a_reports_answer_takes_of_the_same_budget() -> None:
    passing = Passing(SECRET, 5.0)
    now = time.monotonic()
    fresh, late = passing.until(clock.seconds()), passing.until(clock.seconds() - 4.0)
    assert fresh - late == pytest.approx(4.0, abs=0.9)
    assert passing.until(clock.seconds() - 60.0) - now < fresh - now


def test_a_silent_owner_is_waited_for_only_while_it_is_the_owner() -> None:
    with two(BUDGET) as (_, other), breaking() as (url, seen):
        other.standing.owner = url
        replies: list[Any] = []
        thread = threading.Thread(target=lambda: replies.append(other.request("POST", "/api/reload", headers=ADMIN)))
        thread.start()
        wait_until(lambda: seen)
        other.standing.owner = None
        thread.join(20)
        assert replies[0].status == 503


def test_what_shows_something_is_not_waited_for_when_the_owner_answers_no_report() -> None:
    with two(BUDGET) as (_, other), breaking() as (url, seen), ThreadPoolExecutor() as aside:
        other.standing.owner = url
        shown = aside.submit(other.request, "GET", "/api/machines")
        wait_until(lambda: seen)
        assert other.told("metal-mill", ANN) == AGAIN
        try:
            assert shown.result(20).status == 503
        finally:
            other.standing.owner = None


def test_an_answer_is_waited_for_though_the_owner_was_late_with_another_one() -> None:
    with two() as (owner, other), ThreadPoolExecutor() as aside:
        assert owner.fleet
        begun, go_on, snapshots = threading.Event(), threading.Event(), owner.fleet.snapshots

        def slow() -> Any:
            begun.set()
            assert go_on.wait(20)
            return snapshots()

        owner.fleet.snapshots = slow  # type: ignore[method-assign]
        shown = aside.submit(other.request, "GET", "/api/machines")
        assert begun.wait(20)
        other.passing.gone = owner.url
        wait_until(lambda: other.passing.gone is None)
        go_on.set()
        assert shown.result(20).status == 200


def test_how_long_connecting_might_take_is_not_how_long_sending_may() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as aside:
        connection = Connection(f"http://127.0.0.1:{listener.getsockname()[1]}", 20.0, None)
        connection.sock.settimeout(0.001)  # as it was connected with
        body = bytes(16 * 1024 * 1024)
        deadline = time.monotonic() + 20
        sending = aside.submit(connection.send, "POST", "/", {}, body, deadline)
        with listener.accept()[0] as owner:
            wait_until(lambda: sending.done() or not select.select([], [connection.sock], [], 0)[1])
            owner.settimeout(20)
            received = 0
            while received < len(body):
                received += len(owner.recv(1024 * 1024))
        sending.result(20)
        connection.close()


def test_an_oops_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.cluster.door.STOP_SECONDS", 0.1)
    with two(0.1) as (_, other), breaking(None) as (url, seen):
        other.standing.owner = url
        reply = other.request("POST", "/api/machine/oops/router", headers=ADMIN)
        assert reply.status == 503
        assert "may have carried this out" in reply.error
        assert len(seen) == 1


def test_an_owner_that_is_not_there_is_known_at_once() -> None:
    with two(BUDGET) as (_, other):
        other.standing.owner = "http://127.0.0.1:1"
        assert other.told("metal-mill", ANN) == AGAIN
        reply = other.request("POST", "/api/machine/clear/router", headers=ADMIN)
        assert reply.status == 503
        assert "nothing was changed" in reply.error
        assert other.request("GET", "/healthz").status == 200
        assert other.request("GET", "/healthz?serving").status == 503


def test_a_clear_that_was_long_under_way_lifts_no_lock_that_was_set_since() -> None:
    with two() as (owner, _):
        owner.request("POST", "/api/machine/locked_out/router", headers=ADMIN)
        late = ADMIN | {SECRET_HEADER: SECRET, ADDRESS: "127.0.0.1", HOPS: "1", AGE: "5"}
        for method, path in (("POST", "clear"), ("DELETE", "locked_out")):
            reply = owner.request(method, f"/api/machine/{path}/router", headers=late)
            assert (reply.status, reply.headers["Mac-Already"]) == (200, "set_since")
        in_time = late | {AGE: "0"}
        assert "Mac-Already" not in owner.request("DELETE", "/api/machine/locked_out/router", headers=in_time).headers


def test_between_servers_with_https_the_certificate_is_looked_at(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    pair: dict[str, Any] = {"tls_cert": Path(files["MAC_TLS_CERT"]), "tls_key": Path(files["MAC_TLS_KEY"])}
    server = start_server(tmp_path, **pair)
    try:
        trusting = Passing(SECRET, 20.0, ssl.create_default_context(cafile=files["MAC_TLS_CERT"]))
        url = f"https://127.0.0.1:{server.port}"
        for _ in range(2):
            assert trusting.ask(url, "GET", "/healthz", trusting.until()) == 200
        assert len(trusting._kept) == 1
        trusting.close()
        with pytest.raises(OwnerGone, match=r"can't be reached.*certificate") as gone:
            Passing(SECRET, 20.0).ask(url, "GET", "/healthz", trusting.until())
        assert not gone.value.maybe_done
    finally:
        server.stop()
