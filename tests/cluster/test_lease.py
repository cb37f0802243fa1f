"""Never two valid leases, and always an owner again: leases against clocks, pauses, lost and late messages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mac_actors.cluster.lease import VALID, Beat, Lease, Seen

SECONDS = 3.0
SHORT = 1.0
"""What one of several nodes may have in place of it."""
FREE = Seen(0, 0, released=True, alone=False, owner="", incarnation="", server="one", seconds=0.0)


def owner_of(seen: Seen = FREE, at: float = 100.0) -> Lease:
    lease = Lease(SECONDS, "mine", "a")
    lease.look(seen, at)
    assert lease.may_take(at) == seen
    lease.taken(seen.epoch + 1, at)
    return lease


def test_a_beat_counts_from_before_it_was_sent_for_nine_tenths_of_the_lease() -> None:
    lease = owner_of()
    assert lease.valid(100 + VALID * SECONDS - 0.01)
    assert not lease.valid(100 + VALID * SECONDS)
    beat = lease.next_beat(102.0)
    assert beat
    assert not lease.valid(103.0)  # a beat that is on its way counts for nothing
    lease.beaten(beat, others=1)
    assert lease.valid(102 + VALID * SECONDS - 0.01)
    assert lease.left(102 + VALID * SECONDS - 1) == pytest.approx(1)
    assert not lease.valid(102 + VALID * SECONDS)


def test_an_answer_to_an_earlier_beat_than_the_last_one_counts_for_nothing() -> None:
    lease = owner_of()
    first, second = lease.next_beat(101.0), lease.next_beat(102.0)
    assert first
    assert second
    lease.beaten(first, others=0)
    assert not lease.valid(103.0)
    lease.lost()
    lease.beaten(second, others=0)
    assert not lease.valid(102.1)
    assert lease.epoch is None
    assert lease.next_beat(103.0) is None
    assert lease.left(103.0) == 0


def test_a_standby_waits_a_whole_lease_from_its_first_look_after_the_last_change() -> None:
    lease = Lease(SECONDS, "mine", "b")
    seen = replace(FREE, epoch=4, beat=9, released=False, owner="a", incarnation="other")
    assert lease.may_take(0.0) is None
    lease.look(seen, 10.0)
    lease.look(seen, 12.9)
    assert lease.silent(12.9) == pytest.approx(2.9)
    assert lease.may_take(12.9) is None
    lease.look(replace(seen, beat=10), 12.95)
    assert lease.may_take(13.0) is None
    assert lease.may_take(12.95 + SECONDS) == replace(seen, beat=10)


def test_where_the_seconds_of_two_leases_differ_a_standby_waits_for_the_longer() -> None:
    seen = replace(FREE, epoch=4, beat=9, released=False, owner="a", incarnation="other", seconds=30.0)
    short, long = Lease(1.0, "mine", "b"), Lease(40.0, "its", "c")
    assert short.differs is None
    for lease in (short, long):
        lease.look(seen, 10.0)
        assert lease.differs == 30
    assert short.may_take(39.9) is None
    assert short.may_take(40.0) == seen
    assert long.may_take(49.9) is None
    assert long.may_take(50.0) == seen
    short.look(replace(seen, released=True), 50.0)
    assert short.differs is None
    long.look(replace(seen, seconds=40.0), 50.0)
    assert long.differs is None


def test_what_was_seen_before_the_connection_was_lost_or_the_database_server_changed_does_not_count() -> None:
    lease = Lease(SECONDS, "mine", "b")
    seen = replace(FREE, epoch=4, beat=9, released=False, owner="a", incarnation="other")
    lease.look(seen, 10.0)
    lease.blind()
    assert lease.silent(14.0) == 0
    lease.look(seen, 14.0)
    assert lease.may_take(15.0) is None
    lease.look(replace(seen, server="two"), 16.0)
    assert lease.may_take(18.9) is None
    assert lease.may_take(19.0)


@pytest.mark.parametrize("seen", [replace(FREE, epoch=4, owner="a"), replace(FREE, incarnation="mine")])
def test_a_lease_that_was_released_or_is_of_a_takeover_of_ours_that_was_not_answered_is_taken_at_once(
    seen: Seen,
) -> None:
    lease = Lease(SECONDS, "mine", "b")
    lease.look(seen, 10.0)
    assert lease.may_take(10.0) == seen


def test_an_owner_that_is_the_only_node_keeps_its_lease_until_it_hears_of_another() -> None:
    lease = owner_of()
    for at in (101.0, 102.0):
        beat = lease.next_beat(at)
        assert beat
        lease.beaten(beat, others=0)
    assert beat
    assert beat.alone
    assert beat.sure
    assert lease.valid(1_000_000.0)
    assert lease.left(1_000_000.0) == pytest.approx(VALID * SECONDS)
    beat = lease.next_beat(103.0)
    assert beat
    assert not beat.sure
    lease.beaten(beat, others=1)
    assert lease.valid(103.0)
    assert not lease.valid(106.0)
    last = lease.next_beat(104.0)
    assert last
    assert not last.alone


def test_a_lease_of_a_lone_owner_is_taken_by_itself_or_once_its_computer_says_that_it_is_gone() -> None:
    seen = replace(FREE, epoch=4, beat=9, released=False, alone=True, owner="a", incarnation="other")
    other, same = Lease(SECONDS, "mine", "b"), Lease(SECONDS, "mine", "a")
    for lease in (other, same):
        lease.look(seen, 10.0)
        assert lease.may_take(12.0, gone=True) is None
    assert other.may_take(99.0) is None
    assert other.may_take(99.0, gone=True) == seen
    assert same.may_take(13.0) == seen


# The state machine: real time, and nodes whose clocks run at 99 to 101 % of it.


@dataclass
class Request:
    """What a node has sent: carried out by the database some time, answered some time, or neither."""

    kind: str
    sent: float
    content: Any
    done: bool = False
    result: Any = None


@dataclass
class Node:
    url: str
    rate: float
    seconds: float
    lives: int = 0
    paused: bool = False
    running: bool = True
    lease: Lease = field(init=False)
    request: Request | None = None

    def __post_init__(self) -> None:
        self.lease = Lease(self.seconds, f"{self.url}{self.lives}", self.url)


@dataclass
class Database:
    now: Seen = FREE
    sure: Seen = FREE
    """What survives a crash."""
    nodes: set[str] = field(default_factory=set)
    runs: int = 1

    def carry_out(self, node: str, request: Request) -> Any:
        seen = self.now
        match request.kind, request.content:
            case "look", _:
                self.nodes.add(node)
                return seen
            case "take", (wanted, incarnation, seconds):
                if wanted != seen:
                    return None
                self.now = self.sure = Seen(seen.epoch + 1, 0, False, False, node, incarnation, seen.server, seconds)
                return self.now.epoch
            case "beat", Beat() as beat:
                if beat.epoch != seen.epoch or beat.number <= seen.beat or seen.released:
                    return None
                self.now = replace(seen, beat=beat.number, alone=beat.alone)
                if beat.sure:
                    self.sure = self.now
                return len(self.nodes - {node})
            case "release", epoch:
                if epoch == seen.epoch:
                    self.now = replace(seen, released=True)
        return None

    def crash(self, keep: float) -> None:
        """Lose some of the beats that were answered."""
        self.runs += 1
        if keep < 1:
            beat = self.sure.beat + int(keep * (self.now.beat - self.sure.beat))
            self.now = replace(self.sure, beat=beat, alone=self.sure.alone if beat < self.now.beat else self.now.alone)
        self.now = self.sure = replace(self.now, server=str(self.runs))


nodes = st.integers(0, 2)


class Cell(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0
        self.database = Database()
        self.nodes: list[Node] = []
        self.stray: list[tuple[str, Request]] = []

    @initialize(
        rates=st.lists(st.sampled_from((0.99, 1.0, 1.01)), min_size=2, max_size=3),
        seconds=st.lists(st.sampled_from((SECONDS, SECONDS, SHORT)), min_size=3, max_size=3),
    )
    def begin(self, rates: list[float], seconds: list[float]) -> None:
        self.nodes = [Node(*one) for one in zip("abc", rates, seconds, strict=False)]

    def clock(self, node: Node) -> float:
        return self.time * node.rate

    @rule(seconds=st.sampled_from((0.01, 0.1, 0.3, 1.0, 2.0, 2.7, 2.75, 2.99, 3.01, 4.0)))
    def time_goes_by(self, seconds: float) -> None:
        self.time += seconds

    @rule(number=nodes, early=st.sampled_from((-0.002, 0.0, 0.002)))
    def the_moment_comes_when_a_standby_may_take_over(self, number: int, early: float) -> None:
        node = self.nodes[number % len(self.nodes)]
        if 0 < (left := node.lease.patience - node.lease.silent(self.clock(node))) < node.lease.patience:
            self.time += max(0.0, left / node.rate + early)

    @rule(number=nodes, times=st.integers(1, 6), seconds=st.sampled_from((0.0, 0.02)))
    def a_node_works(self, number: int, times: int, seconds: float) -> None:
        for _ in range(times):
            self.step(number, seconds)

    @rule(number=nodes, times=st.integers(1, 40))
    def a_node_works_while_the_others_do_not(self, number: int, times: int) -> None:
        for _ in range(times):
            self.step(number, 0.02)
            self.time += 0.1
            self.never_two()

    @rule(number=nodes)
    def a_node_sends(self, number: int) -> None:
        node = self.node(number)
        if node and node.request is None:
            self.send(node)

    @rule(number=nodes)
    def the_database_carries_out(self, number: int) -> None:
        node = self.nodes[number % len(self.nodes)]
        if node.request and not node.request.done:
            node.request.result = self.database.carry_out(node.url, node.request)
            node.request.done = True

    @rule(number=nodes)
    def an_answer_comes(self, number: int) -> None:
        node = self.node(number)
        if node and node.request and node.request.done:
            self.receive(node)

    @rule(number=nodes)
    def a_connection_is_lost(self, number: int) -> None:
        node = self.nodes[number % len(self.nodes)]
        self.cut(node)

    @precondition(lambda self: self.stray)
    @rule(number=st.integers(0, 9))
    def a_request_comes_late(self, number: int) -> None:
        url, request = self.stray.pop(number % len(self.stray))
        self.database.carry_out(url, request)

    @rule(number=nodes)
    def a_node_is_stopped_or_goes_on(self, number: int) -> None:
        node = self.nodes[number % len(self.nodes)]
        node.paused = not node.paused

    @rule(number=nodes)
    def a_node_is_killed_and_started(self, number: int) -> None:
        node = self.nodes[number % len(self.nodes)]
        self.cut(node)
        node.lives += 1
        node.paused, node.running = False, True
        node.__post_init__()

    @rule(number=nodes)
    def a_node_is_killed(self, number: int) -> None:
        node = self.nodes[number % len(self.nodes)]
        self.cut(node)
        node.running = False
        node.lease.lost()

    @rule(number=nodes)
    def a_node_lets_go(self, number: int) -> None:
        node = self.node(number)
        if node and (epoch := node.lease.epoch):
            self.cut(node)
            node.lease.lost()
            node.request = Request("release", self.clock(node), epoch)

    @rule(number=nodes)
    def a_node_is_forgotten(self, number: int) -> None:
        node = self.nodes[number % len(self.nodes)]
        if not node.running:
            self.database.nodes.discard(node.url)

    @rule(keep=st.sampled_from((0.0, 0.5, 1.0)))
    def the_database_crashes(self, keep: float) -> None:
        self.database.crash(keep)
        for node in self.nodes:
            self.cut(node)

    @rule(number=nodes)
    def all_is_well_for_a_while(self, number: int) -> None:
        """As long as it takes, at the least, that a cell with one living node has an owner."""
        living = self.node(number)
        if living is None:
            return
        seen = self.database.now
        owner = next((node for node in self.nodes if node.url == seen.owner), None)
        if seen.alone and owner and owner.running and owner.paused and owner is not living:
            return  # a lone owner that lives keeps its lease
        for _ in range(150):
            for index in range(len(self.nodes)):
                self.step(index, 0.02)
            self.time += 0.05
            self.never_two()
        assert [node for node in self.nodes if node.lease.valid(self.clock(node))]

    def node(self, number: int) -> Node | None:
        node = self.nodes[number % len(self.nodes)]
        return node if node.running and not node.paused else None

    def step(self, number: int, seconds: float) -> None:
        node = self.node(number)
        if node is None:
            return
        if node.request is None:
            self.send(node)
        self.time += seconds
        self.the_database_carries_out(number)
        self.receive(node)

    def send(self, node: Node) -> None:
        now = self.clock(node)
        gone = not any(one.running for one in self.nodes if one.url == self.database.now.owner)
        if beat := node.lease.next_beat(now):
            node.request = Request("beat", now, beat)
        elif seen := node.lease.may_take(now, gone=gone):
            node.request = Request("take", now, (seen, node.lease.incarnation, node.seconds))
        else:
            node.request = Request("look", now, None)

    def receive(self, node: Node) -> None:
        request, node.request = node.request, None
        assert request
        match request.kind:
            case "beat" if request.result is None:
                node.lease.lost()
            case "beat":
                node.lease.beaten(request.content, request.result)
            case "take" if request.result is None:
                node.lease.blind()
            case "take":
                node.lease.taken(request.result, request.sent)
            case "look":
                node.lease.look(request.result, self.clock(node))

    def cut(self, node: Node) -> None:
        if node.request and not node.request.done:
            self.stray.append((node.url, node.request))
        node.request = None
        node.lease.blind()

    @invariant()
    def never_two(self) -> None:
        valid = [node.url for node in self.nodes if node.lease.valid(self.clock(node))]
        assert len(valid) <= 1, f"two valid leases: {valid}"


Cell.TestCase.settings = settings(suppress_health_check=list(HealthCheck))
test_there_are_never_two_valid_leases_and_a_cell_that_lives_gets_an_owner_again = Cell.TestCase
