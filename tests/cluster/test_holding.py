"""A server while nobody owns the machines, and what the next owner makes of it: this server, or another one."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mac_actors import clock
from mac_actors.cluster.fresh import Fresh
from mac_actors.cluster.holding import HoldingFleet, Known, as_json, from_json
from mac_actors.cluster.telling import Taking
from mac_actors.core.holding import is_same
from mac_actors.core.inputs import Configured, Lock, Oops, Report
from mac_actors.core.outcomes import OopsSet, kind
from mac_actors.core.signing import HEADER, Key, ReaderKeys, sign
from mac_actors.core.state import Source, Telemetry
from mac_actors.errors import MachineUnavailable
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.files import parse
from tests.cluster.two import ADMIN, Node, two
from tests.fakes import ANN, BOB, PATIENCE, open_fleet, report, sample_machines, sample_users, wait_until, written
from tests.web.client import report_body

AGAIN = (False, "Remove card and\ninsert it again")
WITHOUT = (False, "Please Insert\nRFID Card")


@pytest.fixture
def node() -> Iterator[Node]:
    """A server that owns nothing, and knows of Ann's session at the mill."""
    with open_fleet() as fleet:
        report(fleet, "metal-mill", ANN)
        states = {config.name: state for config, state in fleet.published()}
    node = Node(budget=1.0)
    node.learn(states)
    yield node
    node.stop()


def journal(fleet: MachineFleet) -> list[str]:
    written(fleet)
    return [kind(outcome) for outcome in fleet.events() if outcome.machine != "vent"][::-1]


def test_readers_get_the_hold_answer_on_the_last_known_states(node: Node) -> None:
    assert node.told("metal-mill", ANN) == (True, "Welcome,\nAnn")
    assert node.told("laser", BOB) == AGAIN
    assert node.told("vent") == (True, "Always On")
    assert node.told("metal-mill") == WITHOUT
    assert node.told("metal-mill", ANN) == AGAIN
    assert node.report("nothing").status == 404
    assert node.report("metal-mill", 7).status == 422  # type: ignore[arg-type]


def test_a_machine_of_which_nothing_is_known_is_off(node: Node) -> None:
    node.learn({})
    assert node.told("metal-mill", ANN) == AGAIN
    assert node.told("vent")[0] is False


def test_admins_may_stop_machines_and_all_else_is_refused_with_a_503_that_says_why(node: Node) -> None:
    stop = node.request("POST", "/api/machine/oops/Metal%20Mill", {"reason": "sparks", "by": "Ada"}, ADMIN)
    assert (stop.status, stop.json) == (200, {"success": True, "durable": False})
    assert node.told("metal-mill", ANN) == (False, "Oops!! Please\ncheck/post Slack")
    lock = node.request("POST", "/api/machine/locked_out/router", headers=ADMIN)
    assert lock.json == {"success": True, "durable": False}
    for method, path in (
        ("POST", "/api/machine/clear/router"),
        ("DELETE", "/api/machine/oops/router"),
        ("DELETE", "/api/machine/locked_out/router"),
        ("POST", "/api/machine/maintenance_done/router"),
        ("POST", "/api/reload"),
        ("GET", "/api/machines"),
        ("GET", "/"),
        ("OPTIONS", "/api/machines"),
        ("GET", "/api/reader/router/list"),
    ):
        reply = node.request(method, path, headers=ADMIN)
        assert reply.status in {503, 404 if path.endswith("list") else 503}, path
        if not path.endswith("list"):
            assert "taking over" in reply.error
            assert "nothing was changed" in reply.error
    assert node.request("POST", "/api/machine/oops/laser", headers={"Authorization": "Bearer wrong"}).status == 401
    assert node.request("POST", "/api/machine/oops/nothing", headers=ADMIN).status == 404


def test_it_lives_and_serves_nobody(node: Node) -> None:
    assert node.request("GET", "/healthz").json == {"status": "ok"}
    reply = node.request("GET", "/healthz?serving")
    assert (reply.status, reply.json) == (503, {"status": "no server owns the machines, or it is not reached"})
    assert node.request("GET", "/readyz").json == {"ready": True, "problems": {}, "notes": {}}


def test_a_server_that_comes_to_own_the_machines_decides_first_what_came_before(node: Node) -> None:
    node.report("metal-mill", ANN)
    node.report("metal-mill")
    node.report("metal-mill", ANN)
    given = datetime.now(UTC)
    node.request("POST", "/api/machine/oops/router", {"by": "Ada"}, ADMIN)
    fleet = node.own()
    assert node.told("metal-mill", ANN) == AGAIN
    wait_until(lambda: fleet.snapshot("router").oops)
    assert sorted(journal(fleet)) == ["oops_set", "session_refused"]
    (oops,) = [one for one in fleet.events() if isinstance(one, OopsSet)]
    assert oops.flag.by == "Ada"
    assert abs(oops.flag.since - given) < timedelta(seconds=20)
    assert not node.holding.waits
    node.told("metal-mill")
    assert node.told("metal-mill", ANN)[0]


def test_what_is_held_while_its_server_comes_to_own_is_decided_too(node: Node) -> None:
    node.holding._read_now = lambda seconds: node.fleet or node.own()
    stop = node.request("POST", "/api/machine/oops/router", headers=ADMIN)
    assert (stop.status, stop.json["durable"]) == (200, False)
    assert node.fleet
    wait_until(lambda: node.fleet and node.fleet.snapshot("router").oops)
    assert not node.holding.waits


def test_another_server_that_owns_them_is_told_before_anything_is_passed_on() -> None:
    with two() as (owner, other):
        assert owner.fleet
        assert owner.told("metal-mill", ANN)[0]
        other.learn({config.name: state for config, state in owner.fleet.published()})
        other.standing.owner = None
        assert other.told("metal-mill", ANN)[0]
        assert other.told("metal-mill") == WITHOUT
        assert other.told("metal-mill", ANN) == AGAIN
        assert other.request("POST", "/api/machine/locked_out/router", {"by": "Ada"}, ADMIN).json["durable"] is False
        other.follow(owner)
        assert other.told("metal-mill", ANN) == AGAIN
        wait_until(lambda: owner.fleet and owner.fleet.snapshot("router").lock)
        assert sorted(journal(owner.fleet)) == ["lock_set", "session_ended", "session_refused", "session_started"]
        lock = owner.fleet.snapshot("router").lock
        assert lock
        assert lock.by == "Ada"
        assert not other.holding.waits


def test_without_a_request_the_owner_is_told_too_and_later_if_it_can_not_be() -> None:
    with two(1.0) as (owner, other):
        assert owner.fleet
        other.standing.owner = None
        other.request("POST", "/api/machine/oops/router", headers=ADMIN)
        other.standing.owner = "http://127.0.0.1:1"
        other.door.tell()
        assert other.holding.waits
        other.follow(owner)
        other.door.tell()
        wait_until(lambda: owner.fleet and owner.fleet.snapshot("router").oops)
        assert not other.holding.waits


def test_a_server_that_loses_its_machines_gives_what_it_held_back_to_the_next_owner() -> None:
    with two() as (owner, other):
        assert owner.told("metal-mill", ANN)[0]
        owner.standing.owns = False
        assert owner.told("metal-mill") == WITHOUT
        assert owner.told("metal-mill", ANN) == AGAIN
        owner.lose()
        assert owner.told("metal-mill", ANN) == AGAIN
        fleet = other.own()
        other.standing.owner = None
        owner.follow(other)
        assert owner.told("metal-mill", ANN) == AGAIN
        assert "session_refused" in journal(fleet)
        assert other.told("metal-mill", ANN) == AGAIN


def test_what_is_passed_on_to_a_server_that_owns_no_more_is_held_by_both() -> None:
    with two() as (owner, other):
        assert owner.fleet
        assert other.told("metal-mill", ANN)[0]
        other.learn({config.name: state for config, state in owner.fleet.published()})
        owner.standing.owns = False
        reply = other.report("metal-mill", ANN, oops=True)
        assert reply.json["relay"] is False
        assert "Mac-Cell-Owner" not in reply.headers
        assert other.request("POST", "/api/machine/locked_out/router", {"by": "Ada"}, ADMIN).json["durable"] is False
        other.standing.owner = None  # its process has ended
        fleet = other.own()
        assert other.told("metal-mill", ANN) == (False, "Oops!! Please\ncheck/post Slack"), "the button is released"
        wait_until(lambda: fleet.snapshot("router").lock)


def test_what_such_a_server_has_told_a_reader_to_switch_off_is_off_here() -> None:
    with two() as (owner, other):
        assert owner.fleet
        assert other.told("metal-mill", ANN)[0]
        other.learn({config.name: state for config, state in owner.fleet.published()})
        owner.fleet.ask("metal-mill", Lock(datetime.now(UTC), Source.HTTP))
        owner.standing.owns = False
        assert other.told("metal-mill", ANN) == (False, "Down for\nmaintenance")
        other.standing.owner = None
        assert other.told("metal-mill", ANN) == AGAIN


def test_states_are_read_anew_before_each_answer_that_is_held_and_nobody_waits_for_a_database_that_hangs() -> None:
    reads, hangs = [], threading.Event()

    def read() -> None:
        reads.append(threading.current_thread().name)
        if len(reads) == 2:
            raise OSError("no database")
        if len(reads) == 4:
            hangs.wait(PATIENCE)

    fresh = Fresh(read)
    read_anew: list[bool] = []
    holding = HoldingFleet(
        Known(parse(sample_machines(), sample_users())), lambda seconds: read_anew.append(fresh.wait(20))
    )
    given = Report(datetime.now(UTC), ANN)
    for _ in range(3):
        assert not holding.report("metal-mill", given, clock.seconds()).outputs.relay
    assert reads == ["fresh states"] * 3
    assert read_anew == [True, False, True]
    assert not fresh.wait(0.05)
    wait_until(lambda: len(reads) == 4)
    waiting = list(fresh._waiting)
    assert not fresh.wait(0.0)
    assert fresh._waiting == waiting, "who comes later does not even begin to wait"
    hangs.set()
    assert fresh.wait(PATIENCE)
    fresh.close()
    fresh._thread.join(PATIENCE)


def test_a_read_that_ends_while_somebody_looks_since_when_it_goes_on_harms_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()

    def read() -> None:
        assert go_on.wait(PATIENCE)

    fresh = Fresh(read)

    def monotonic() -> float:
        if threading.current_thread() is not fresh._thread:
            go_on.set()
            wait_until(lambda: fresh._begun is None)
        return time.monotonic()

    assert not fresh.wait(0.0)
    wait_until(lambda: fresh._begun is not None)
    monkeypatch.setattr("mac_actors.cluster.fresh.time", SimpleNamespace(monotonic=monotonic))
    assert fresh.wait(PATIENCE)
    fresh.close()


def test_a_reader_with_a_key_is_known_by_its_signature_and_gets_a_signed_reply(node: Node) -> None:
    key = Key(b"k" * 32, datetime.now(UTC))
    node.holding.known = replace(node.holding.known, keys={"metal-mill": ReaderKeys(key)})
    body = json.dumps(report_body("metal-mill", ANN, firmware="f", boot=1, count=1, nonce="x")).encode()
    assert node.request("POST", "/api/machine/update", body).status == 401
    signature = sign(key.secret, body)
    reply = node.request("POST", "/api/machine/update", body, {HEADER: signature})
    assert reply.json["relay"] is True
    assert reply.json["nonce"]
    assert reply.headers[HEADER] == sign(key.secret, signature, reply.body)


def test_inputs_go_to_another_server_by_their_age() -> None:
    at = datetime.now(UTC) - timedelta(seconds=30)
    telemetry = Telemetry(5.0, firmware="f", boot=2, count=3)
    inputs: tuple[Any, ...] = (
        Report(at, ANN, telemetry=telemetry, arrived=clock.seconds() - 30),
        Oops(at, Source.HTTP, "Ada", "sparks"),
        Lock(at, Source.SLACK, when_free=True),
    )
    items = json.loads(json.dumps(as_json("laser", (*inputs, Configured(at)))))
    back = from_json(items)
    assert len(back) == 3
    for before, then in zip(inputs, back, strict=True):
        assert isinstance(then, Report | Oops | Lock)
        assert abs(before.at - then.at) < timedelta(seconds=5)
        if isinstance(then, Report):
            assert abs(before.arrived - (then.arrived or 0)) < 5
            assert replace(then, at=at, arrived=before.arrived) == before
        else:
            assert replace(then, at=at, arrived=None) == before


def test_a_command_keeps_its_age_where_the_clock_is_set_before_it_is_told() -> None:
    held = Lock(datetime.now(UTC) + timedelta(hours=1), Source.HTTP, "Ada", arrived=clock.seconds() - 3.0)
    (told,) = from_json(json.loads(json.dumps(as_json("laser", (held,)))))
    assert (datetime.now(UTC) - told.at).total_seconds() == pytest.approx(3.0, abs=1.0)
    assert is_same(held, told)


def test_what_a_server_is_told_while_it_loses_its_machines_is_kept_for_the_next_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with two() as (owner, other):
        assert owner.fleet
        monkeypatch.setattr(owner.fleet, "take_up", lambda *_: owner.lose())
        body = json.dumps({"router": as_json("router", (Oops(datetime.now(UTC), Source.HTTP, "Ada"),))}).encode()
        assert other.passing.ask(owner.url, "POST", "/cell/held", other.passing.until(), body) == 503


def test_what_was_held_reaches_a_machine_whose_actor_has_died() -> None:
    with two() as (owner, other):
        assert owner.fleet
        owner.fleet.supervisor.find("router").stop(timeout=PATIENCE)
        body = json.dumps({"router": as_json("router", (Oops(datetime.now(UTC), Source.HTTP, "Ada"),))}).encode()
        assert other.passing.ask(owner.url, "POST", "/cell/held", other.passing.until(), body) == 200
        assert owner.fleet.snapshot("router").oops


def test_what_a_machine_does_not_take_is_told_again_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with two() as (owner, other):
        fleet = owner.fleet
        assert fleet
        taken, take_up = list[str](), fleet.take_up

        def refuses(name: str, inputs: Any) -> None:
            taken.append(name)
            if taken == ["router"]:
                raise MachineUnavailable("fails again and again")
            take_up(name, inputs)

        monkeypatch.setattr(fleet, "take_up", refuses)
        other.standing.owner = None
        for name in ("router", "metal-mill"):
            assert other.request("POST", f"/api/machine/oops/{name}", headers=ADMIN).status == 200
        other.follow(owner)
        other.door.tell()
        assert len(other.holding._held) == 2
        assert taken == ["router", "metal-mill"]
        other.passing.gone = None
        other.door.tell()
        assert not other.holding.waits
        assert taken[2] == "router"
        assert all(fleet.snapshot(name).oops for name in ("router", "metal-mill"))


WRONG = [b"{", b"[]", b'{"router": 1}', b'{"router": [{"kind": "Clear", "age": 1, "input": {}}]}']


def test_what_was_held_is_decided_once_though_its_answer_was_lost() -> None:
    with two() as (owner, other):
        assert owner.fleet
        body = json.dumps({"router": as_json("router", (Oops(datetime.now(UTC), Source.HTTP, "Ada"),))}).encode()
        for _ in range(2):
            assert other.passing.ask(owner.url, "POST", "/cell/held", other.passing.until(), body) == 200
            wait_until(lambda: owner.fleet and "oops_set" in journal(owner.fleet))
            owner.request("POST", "/api/machine/clear/router", headers=ADMIN)
        assert journal(owner.fleet) == ["oops_set", "oops_cleared"]


def test_more_than_a_request_may_have_is_told_in_portions_and_what_is_refused_keeps_nothing_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mac_actors.core.holding.KEPT", 200)
    with two(20.0) as (owner, other):
        fleet = owner.fleet
        assert fleet
        other.standing.owner = None
        for number in range(200):
            assert not other.told("laser", ANN if number % 2 else "")[0]
        at = datetime.now(UTC)
        for machine in ("router", "metal-mill"):  # in the same moment
            other.holding.ask(machine, Oops(at, Source.HTTP, "Ada"))
        other.holding.ask("router", Lock(at, Source.HTTP, "Eve"))
        dump = as_json

        def newer(machine: str, inputs: Any) -> list[dict[str, Any]]:
            return [item | ({"kind": "Newer"} if item["kind"] == "Lock" else {}) for item in dump(machine, inputs)]

        monkeypatch.setattr("mac_actors.cluster.telling.as_json", newer)
        waiting = {name: held.inputs for name, held in other.holding._held.items()}
        assert sum(len(json.dumps(newer(name, inputs))) for name, inputs in waiting.items()) > 64 * 1024
        other.follow(owner)
        other.door.tell()
        assert not other.holding.waits
        wait_until(lambda: all(fleet.snapshot(machine).oops for machine in ("router", "metal-mill")))
        assert not fleet.snapshot("router").lock
        (lost,) = [one.getMessage() for one in caplog.records if one.levelno == logging.CRITICAL]
        assert lost == f"router: {owner.url} refuses what was held back (422), it is lost: Lock"
        assert len(owner.door.taking.taken) == sum(map(len, waiting.values())) - 1
        assert other.told("bandsaw") == WITHOUT


def test_what_is_told_once_more_before_it_is_taken_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.cluster.telling.TAKING_SECONDS", 20.0)
    with two(20.0) as (owner, other), ThreadPoolExecutor() as aside:
        assert owner.fleet
        taken: list[object] = []
        arrived, go_on, read = threading.Semaphore(0), threading.Event(), Taking.take

        def noted(self: Taking, *given: Any) -> Any:
            arrived.release()
            return read(self, *given)

        def slow(name: str, inputs: Any) -> None:
            assert go_on.wait(20)
            taken.extend(inputs)

        monkeypatch.setattr(Taking, "take", noted)
        monkeypatch.setattr(owner.fleet, "take_up", slow)
        body = json.dumps({"router": as_json("router", (Oops(datetime.now(UTC), Source.HTTP, "Ada"),))}).encode()
        until = other.passing.until()
        told = [aside.submit(other.passing.ask, owner.url, "POST", "/cell/held", until, body) for _ in range(2)]
        assert all(arrived.acquire(timeout=20) for _ in told)
        go_on.set()
        assert [one.result(20) for one in told] == [200, 200]
        assert len(taken) == 1


def test_only_the_newest_of_what_was_taken_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.cluster.telling.TAKEN_KEPT", 2)
    with two() as (owner, other):
        at = datetime.now(UTC)
        oopses = tuple(Oops(at + timedelta(microseconds=number), Source.HTTP, "Ada") for number in range(3))
        body = json.dumps({"router": (items := as_json("router", oopses))}).encode()
        assert other.passing.ask(owner.url, "POST", "/cell/held", other.passing.until(), body) == 200
        assert list(owner.door.taking.taken) == [item["id"] for item in items[1:]]


@pytest.mark.parametrize("body", WRONG)
def test_what_is_no_list_of_inputs_is_refused_and_the_owner_goes_on(body: bytes) -> None:
    with two(1.0) as (owner, other):
        assert other.passing.ask(owner.url, "POST", "/cell/held", other.passing.until(), body) == 422
        assert other.passing.ask(owner.url, "POST", "/cell/held", other.passing.until(), b'{"nothing": []}') == 200
        assert other.passing.ask(other.url, "POST", "/cell/held", other.passing.until(), b"{}") == 503
        assert owner.told("metal-mill") == WITHOUT
