"""Notices on their way out: in order, paced, tried again until they are taken, never lost; one channel at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mac_actors.actors.journal import Journal
from mac_actors.actors.notifier import (
    BUNDLE_CHARACTERS,
    BURST,
    FIRST_RETRY,
    LAST_RETRY,
    ChannelNotifier,
    Notifier,
    PrintedChat,
    RateLimiter,
)
from mac_actors.actors.runtime import Ping
from mac_actors.core.notices import Channel, Notice, ThreadKey
from mac_actors.errors import ChatError, StorageError
from mac_actors.storage.records import Record, Waiting
from mac_actors.storage.store import Store
from tests.fakes import PATIENCE, HangingStore, wait_until

CONTROL, OOPS = Channel.CONTROL, Channel.OOPS


class FakeChat:
    """A chat that notes what it took, and refuses what it is told to refuse."""

    def __init__(self, seconds_per_post: float = 0.0) -> None:
        self.seconds_per_post = seconds_per_post
        self.posts: list[tuple[Channel, tuple[str, ...], str | None]] = []
        self.tries = 0
        self.errors: dict[Channel, list[Exception]] = {CONTROL: [], OOPS: []}
        """Raised first, one a try."""
        self.refusing: dict[Channel, Exception] = {}
        """Raised until it is taken away."""
        self.open = threading.Event()
        """Closed: whoever posts hangs."""
        self.open.set()
        self.entered = threading.Event()
        self.before: Callable[[Sequence[Waiting]], None] = lambda notices: None
        self._changed = threading.Condition()

    def post(self, channel: Channel, notices: Sequence[Waiting], thread: str | None) -> str | None:
        """Take notices, or refuse."""
        self.entered.set()
        assert self.open.wait(PATIENCE)
        self.before(notices)
        with self._changed:
            self.tries += 1
            self._changed.notify_all()
            if self.errors[channel]:
                raise self.errors[channel].pop(0)
            if channel in self.refusing:
                raise self.refusing[channel]
            assert {notice.channel for notice in notices} == {channel}
            self.posts.append((channel, tuple(notice.text for notice in notices), thread))
            return f"{channel} post {len(self.posts)}"

    def texts(self, channel: Channel = CONTROL) -> list[str]:
        """Every notice of a channel, in the order in which they were taken."""
        with self._changed:
            return [text for where, texts, _ in self.posts if where == channel for text in texts]

    def wait_for(self, count: int, channel: Channel = CONTROL) -> list[str]:
        """The same, once there are ``count``."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.texts(channel)) >= count, PATIENCE), self.posts
            return self.texts(channel)

    def wait_for_tries(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.tries >= count, PATIENCE), self.tries


class NoWaiting(threading.Event):
    """Notes for how long one would have waited, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Note the time."""
        self.waits.append(timeout or 0.0)
        return self.is_set()


def thread_key(machine: str) -> ThreadKey:
    return ThreadKey(machine, "oops", datetime(2026, 11, 24, 18, tzinfo=UTC))


class Office:
    """A journal on disk and a notifier on it."""

    def __init__(self, store: Store, chat: FakeChat) -> None:
        self.store = store
        self.chat = chat
        self.journal = Journal(store)
        self.notifier = Notifier(chat, self.journal)
        self.journal.on_commit = self.notifier.wake

    def channel_notifier(self, channel: Channel = CONTROL) -> ChannelNotifier:
        return self.notifier.channels[channel]

    def write(
        self,
        *texts: str,
        channel: Channel = CONTROL,
        opens: str | None = None,
        closes: tuple[str, ...] = (),
        at: datetime | None = None,
    ) -> None:
        """Put notices into the outbox, in one transaction; back when they are there."""
        key, keys = thread_key(opens) if opens else None, tuple(map(thread_key, closes))
        notices = tuple((at or datetime.now(UTC), Notice(channel, text, key, keys)) for text in texts)
        assert self.journal.record(Record(notices=notices)).wait(PATIENCE)

    def empty(self) -> None:
        """Wait until the outbox is empty."""
        wait_until(lambda: self.store.count_waiting()[0] == 0)

    def close(self) -> None:
        self.chat.open.set()
        self.notifier.close()
        wait_until(
            lambda: not any(channel_notifier.ref.is_alive() for channel_notifier in self.notifier.channels.values())
        )
        self.journal.close()
        wait_until(lambda: not self.journal.ref.is_alive())
        self.store.close()


@pytest.fixture(autouse=True)
def _short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.actors.notifier.FIRST_RETRY", 0.01)
    monkeypatch.setattr("mac_actors.actors.notifier.LAST_RETRY", 0.04)


@pytest.fixture
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture
def office(tmp_path: Path, chat: FakeChat) -> Iterator[Office]:
    office = Office(Store.open(tmp_path), chat)
    yield office
    office.close()


# --- order --------------------------------------------------------------------------------------------


def test_notices_are_posted_in_order_each_alone_each_once_and_leave_the_outbox(office: Office, chat: FakeChat) -> None:
    numbers = [str(number) for number in range(8)]
    for number in numbers:
        office.write(number)
        office.write(number, channel=OOPS)
    assert chat.wait_for(8) == numbers
    assert chat.wait_for(8, OOPS) == numbers
    office.empty()
    assert all(len(texts) == 1 for _, texts, _ in chat.posts)
    assert office.channel_notifier().posted == 8
    assert office.channel_notifier().retried == 0


def test_writing_a_notice_does_not_wait_for_the_chat(office: Office, chat: FakeChat) -> None:
    chat.open.clear()
    office.write("0", "1", "2")
    assert chat.entered.wait(PATIENCE)
    office.write("3", channel=OOPS)
    assert office.store.count_waiting()[0] == 4
    assert not chat.posts
    chat.open.set()
    assert chat.wait_for(3) == ["0", "1", "2"]


# --- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry_after", [None, 0.0, 0.01])
def test_a_refused_notice_is_tried_again_and_holds_its_place(
    office: Office, chat: FakeChat, retry_after: float | None
) -> None:
    chat.errors[CONTROL] += [ChatError("busy", retry_after) for _ in range(4)]
    office.write("0", "1", "2")
    assert chat.wait_for(3) == ["0", "1", "2"]
    office.empty()
    assert office.channel_notifier().retried == 4


def test_the_time_between_tries_is_doubled_up_to_a_limit_and_begins_anew_after_a_post(
    office: Office, chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.actors.notifier.FIRST_RETRY", FIRST_RETRY)
    monkeypatch.setattr("mac_actors.actors.notifier.LAST_RETRY", LAST_RETRY)
    office.channel_notifier().ref.ask(Ping(), timeout=PATIENCE)  # its first look, with the short retries, is over
    office.channel_notifier()._stopping = waits = NoWaiting()
    chat.errors[CONTROL] += [ChatError("busy") for _ in range(8)]
    office.write("0")
    chat.wait_for(1)
    office.empty()
    expected = [min(FIRST_RETRY * 2**n, LAST_RETRY) for n in range(8)]
    waited = [seconds for seconds in waits.waits if seconds]
    assert len(waited) == len(expected)
    for seconds, wanted in zip(waited, expected, strict=True):
        assert 0.75 * wanted <= seconds <= 1.25 * wanted
    waits.waits.clear()
    chat.errors[CONTROL].append(ChatError("busy"))
    office.write("1")
    chat.wait_for(2)
    office.empty()
    [again] = [seconds for seconds in waits.waits if seconds]
    assert 0.75 * FIRST_RETRY <= again <= 1.25 * FIRST_RETRY


def test_the_time_that_the_chat_asks_for_is_kept(office: Office, chat: FakeChat) -> None:
    office.channel_notifier()._stopping = waits = NoWaiting()
    chat.errors[CONTROL] += [ChatError("slow down", 7.0), ChatError("slow down", 300.0), ChatError("slow down", 0.0)]
    office.write("0")
    chat.wait_for(1)
    office.empty()
    assert [seconds for seconds in waits.waits if seconds] == [7.0, 300.0]


def test_a_channel_that_refuses_for_good_holds_up_no_other_and_is_said_once(
    office: Office, chat: FakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat.refusing[CONTROL] = ChatError("channel_not_found: invite the bot", 0.01)
    for number in range(5):
        office.write(str(number))
        office.write(str(number), channel=OOPS)
    assert chat.wait_for(5, OOPS) == list("01234")
    tries = chat.tries
    chat.wait_for_tries(tries + 5)
    assert not chat.texts(CONTROL)
    assert office.notifier.troubles() == {"control channel": "channel_not_found: invite the bot"}
    said = [r for r in caplog.records if "channel_not_found" in r.getMessage()]
    assert [(r.levelno, r.getMessage()) for r in said] == [
        (logging.ERROR, "notices for the control channel wait: channel_not_found: invite the bot")
    ]
    del chat.refusing[CONTROL]
    assert chat.wait_for(5) == list("01234")
    office.empty()
    wait_until(lambda: office.notifier.troubles() == {})
    assert [r.getMessage() for r in caplog.records if "again" in r.getMessage()] == [
        "the control channel takes notices again"
    ]


def test_a_channel_that_refuses_for_another_reason_is_said_again(
    office: Office, chat: FakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    chat.errors[CONTROL] += [ChatError(text, 0.0) for text in ("down", "down", "not_in_channel", "not_in_channel")]
    office.write("0")
    chat.wait_for(1)
    office.empty()
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert said == [
        "notices for the control channel wait: down",
        "notices for the control channel wait: not_in_channel",
    ]


def test_an_outbox_that_cannot_be_read_is_read_again(tmp_path: Path, chat: FakeChat) -> None:
    class BadStore(Store):
        failing = 3

        def waiting(self, channel: Channel, after: int = 0, limit: int = 100) -> list[Waiting]:
            if channel is CONTROL and self.failing:
                self.failing -= 1
                raise StorageError("cannot read the outbox: disk I/O error")
            return super().waiting(channel, after, limit)

    office = Office(BadStore.open(tmp_path), chat)
    office.write("0", "1")
    assert chat.wait_for(2) == ["0", "1"]
    office.empty()
    office.close()


# --- bundles ------------------------------------------------------------------------------------------


def bundles(chat: FakeChat, channel: Channel = CONTROL) -> list[tuple[str, ...]]:
    return [texts for where, texts, _ in chat.posts if where == channel]


def test_after_an_outage_many_notices_go_in_few_posts_in_order_and_none_is_lost(office: Office, chat: FakeChat) -> None:
    for channel in Channel:
        chat.refusing[channel] = ChatError("down", 0.01)
    numbers = [f"notice {number}" for number in range(200)]
    for channel in Channel:
        office.write(*numbers, channel=channel)
    chat.wait_for_tries(4)
    chat.refusing.clear()
    for channel in Channel:
        assert chat.wait_for(200, channel) == numbers
    office.empty()
    for channel in Channel:
        assert len(bundles(chat, channel)) < 60
        assert max(len(texts) for texts in bundles(chat, channel)) > 20


def test_a_bundle_is_never_longer_than_slack_shows_well(office: Office, chat: FakeChat) -> None:
    chat.refusing[CONTROL] = ChatError("down", 0.01)
    texts = [f"{number:03} " + "x" * 400 for number in range(100)]
    office.write(*texts)
    chat.wait_for_tries(2)
    chat.refusing.clear()
    assert chat.wait_for(100) == texts
    office.empty()
    assert all(sum(len(text) + 25 for text in bundle) <= BUNDLE_CHARACTERS for bundle in bundles(chat))


def test_a_notice_longer_than_a_bundle_is_posted_alone(office: Office, chat: FakeChat) -> None:
    chat.refusing[CONTROL] = ChatError("down", 0.01)
    texts = ["x" * 5000, *(str(number) for number in range(40)), "y" * 5000]
    office.write(*texts)
    chat.wait_for_tries(2)
    chat.refusing.clear()
    assert chat.wait_for(42) == texts
    office.empty()
    assert ("x" * 5000,) in bundles(chat)


@pytest.mark.parametrize(
    ("count", "age", "posts"),
    [(BURST, 3600, BURST), (BURST + 1, 0, BURST + 1), (29, 0, 29), (BURST + 1, 60, 1), (29, 60, 1), (30, 0, 1)],
)
def test_notices_are_bundled_when_many_wait_or_when_they_have_waited_long(
    tmp_path: Path, chat: FakeChat, count: int, age: int, posts: int
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=age)
    with closing(Store.open(tmp_path)) as store:
        store.commit([Record(notices=tuple((at, Notice(CONTROL, str(number))) for number in range(count)))])
    office = Office(Store.open(tmp_path), chat)
    assert chat.wait_for(count) == [str(number) for number in range(count)]
    office.empty()
    office.close()
    if posts == 1:
        assert len(bundles(chat)[0]) == count
    else:
        assert len(bundles(chat)) == posts


# --- threads ------------------------------------------------------------------------------------------


def thread_of(chat: FakeChat, text: str, channel: Channel = CONTROL) -> str | None:
    [thread] = [thread for where, texts, thread in chat.posts if where == channel and text in texts]
    return thread


def test_the_end_of_something_is_posted_in_the_thread_of_its_beginning(office: Office, chat: FakeChat) -> None:
    office.write("other", opens="b")
    office.write("begins", opens="a")
    office.write("between")
    office.write("ends", closes=("a",))
    chat.wait_for(4)
    assert thread_of(chat, "begins") is thread_of(chat, "between") is None
    assert thread_of(chat, "ends") == "control post 2"


def test_the_end_of_two_is_in_the_thread_of_the_first_that_is_named(office: Office, chat: FakeChat) -> None:
    office.write("a", opens="a")
    office.write("b", opens="b")
    office.write("both", closes=("b", "a"))
    office.write("one unknown", closes=("unknown", "a"))
    office.write("unknown", closes=("unknown",))
    chat.wait_for(5)
    assert thread_of(chat, "both") == "control post 2"
    assert thread_of(chat, "one unknown") == "control post 1"
    assert thread_of(chat, "unknown") is None


def test_a_thread_belongs_to_one_channel(office: Office, chat: FakeChat) -> None:
    office.write("begins", opens="a")
    chat.wait_for(1)
    office.write("ends", channel=OOPS, closes=("a",))
    chat.wait_for(1, OOPS)
    assert thread_of(chat, "ends", OOPS) is None


def test_a_beginning_within_a_bundle_has_the_bundle_as_its_thread(office: Office, chat: FakeChat) -> None:
    chat.refusing[CONTROL] = ChatError("down", 0.01)
    office.write(*(str(number) for number in range(20)))
    office.write("begins", opens="a")
    office.write(*(str(number) for number in range(20, 40)))
    chat.wait_for_tries(2)
    chat.refusing.clear()
    chat.wait_for(41)
    number = next(n for n, (_, texts, _) in enumerate(chat.posts, 1) if "begins" in texts)
    assert len(chat.posts[number - 1][1]) > 1
    office.write("ends", closes=("a",))
    chat.wait_for(42)
    assert thread_of(chat, "ends") == f"control post {number}"


def test_threads_are_known_after_a_restart(tmp_path: Path) -> None:
    first = Office(Store.open(tmp_path), FakeChat())
    first.write("begins", opens="a")
    first.empty()
    first.close()
    chat = FakeChat()
    second = Office(Store.open(tmp_path), chat)
    second.write("ends", closes=("a",))
    chat.wait_for(1)
    second.close()
    assert thread_of(chat, "ends") == "control post 1"


def test_a_chat_without_threads_takes_beginnings_and_ends(tmp_path: Path) -> None:
    lines: list[str] = []
    store = Store.open(tmp_path)
    journal = Journal(store)
    notifier = Notifier(PrintedChat(lines.append), journal)
    journal.on_commit = notifier.wake
    now, key = datetime.now(UTC), thread_key("a")
    journal.record(
        Record(notices=((now, Notice(CONTROL, "begins", key)), (now, Notice(CONTROL, "ends", None, (key,)))))
    )
    wait_until(lambda: len(lines) == 2)
    wait_until(lambda: store.count_waiting()[0] == 0)
    notifier.close()
    journal.close()
    store.close()
    stamp = f"{now.astimezone():%H:%M:%S}"
    assert lines == [f"{stamp}  [control channel]  begins", f"{stamp}  [control channel]  ends"]


# --- pace ---------------------------------------------------------------------------------------------


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("mac_actors.actors.notifier.time", clock)
    return clock


def test_a_burst_may_go_at_once_and_then_one_a_second(clock: Clock) -> None:
    pace = RateLimiter(1.0)
    delays = []
    for _ in range(BURST + 4):
        delays.append(pace.delay())
        clock.now += delays[-1]
    assert delays == [0.0] * BURST + [1.0] * 4


def test_the_pace_never_waits_for_longer_than_one_interval_a_post(clock: Clock) -> None:
    pace = RateLimiter(1.0)
    for number in range(1, 50):
        clock.now += (number % 3) * 0.4
        delay = pace.delay()
        assert 0.0 <= delay <= 1.0
        clock.now += delay


def test_who_waited_long_has_a_whole_burst_again_and_not_more(clock: Clock) -> None:
    pace = RateLimiter(1.0)
    for _ in range(BURST + 3):
        clock.now += pace.delay()
    clock.now += 3600
    assert [pace.delay() for _ in range(BURST + 1)] == [0.0] * BURST + [1.0]


def test_who_waited_a_little_has_a_part_of_the_burst_again(clock: Clock) -> None:
    pace = RateLimiter(1.0)
    for _ in range(BURST):
        assert pace.delay() == 0.0
    clock.now += 2.0
    assert [pace.delay() for _ in range(3)] == [0.0, 0.0, 1.0]


def test_a_chat_in_no_hurry_has_no_pace(clock: Clock) -> None:
    pace = RateLimiter(0.0)
    assert {pace.delay() for _ in range(100)} == {0.0}


def test_posts_keep_to_the_pace_that_the_chat_asks_for(tmp_path: Path) -> None:
    chat = FakeChat(seconds_per_post=100.0)
    office = Office(Store.open(tmp_path), chat)
    office.channel_notifier()._stopping = waits = NoWaiting()
    office.write(*(str(number) for number in range(BURST + 2)))
    chat.wait_for(BURST + 2)
    office.empty()
    office.close()
    assert waits.waits[:BURST] == [0.0] * BURST
    assert all(seconds > 50 for seconds in waits.waits[BURST : BURST + 2])


# --- actors that die, disks that hang -----------------------------------------------------------------


@pytest.mark.actor_dies
def test_a_notifier_that_dies_goes_on_where_it_was_when_it_is_restarted(office: Office, chat: FakeChat) -> None:
    office.write("0", "1")
    chat.wait_for(2)
    chat.errors[CONTROL].append(RuntimeError("a mistake in the chat"))
    office.write("2", "3")
    wait_until(lambda: not office.channel_notifier().ref.is_alive())
    office.write("4")
    office.write("0", channel=OOPS)
    assert chat.wait_for(1, OOPS) == ["0"], "the other channel goes on"
    office.channel_notifier().restart()
    assert chat.wait_for(5) == list("01234")
    office.empty()
    office.write("5")
    assert chat.wait_for(6) == list("012345")


def test_a_notifier_that_was_stopped_loses_and_repeats_nothing(office: Office, chat: FakeChat) -> None:
    for number in range(10):
        office.write(str(number))
        office.channel_notifier().ref.stop(timeout=PATIENCE)
        office.channel_notifier().wake()
        office.channel_notifier().restart()
    assert chat.wait_for(10) == [str(number) for number in range(10)]
    office.empty()
    assert len(chat.texts()) == 10


def test_an_actor_that_is_asked_for_a_sign_of_life_gives_it(office: Office) -> None:
    assert office.channel_notifier().ref.ask(Ping(), timeout=PATIENCE) is None


@pytest.fixture
def hanging(tmp_path: Path, chat: FakeChat) -> Iterator[tuple[Office, HangingStore]]:
    store = HangingStore.open(tmp_path)
    assert isinstance(store, HangingStore)
    office = Office(store, chat)
    yield office, store
    store.gate.set()
    office.close()


def hang(office: Office, store: HangingStore) -> None:
    """Let the disk hang as soon as it is asked to write."""
    office.empty()
    assert office.journal.record(Record()).wait(PATIENCE)
    store.gate.clear()


def test_a_notice_that_was_taken_is_not_repeated_while_the_disk_does_not_take_note(
    hanging: tuple[Office, HangingStore], chat: FakeChat
) -> None:
    office, store = hanging
    chat.open.clear()
    office.write("0", "1", "2")
    assert chat.entered.wait(PATIENCE)
    store.gate.clear()
    chat.open.set()
    assert chat.wait_for(3) == ["0", "1", "2"]
    office.channel_notifier().ref.stop(timeout=PATIENCE)
    office.channel_notifier().restart()
    office.channel_notifier().ref.ask(Ping(), timeout=PATIENCE)
    assert office.store.count_waiting()[0] == 3
    store.gate.set()
    office.empty()
    assert chat.texts() == ["0", "1", "2"]


def test_what_is_said_at_once_needs_no_disk_and_comes_before_what_waits(
    hanging: tuple[Office, HangingStore], chat: FakeChat
) -> None:
    office, store = hanging
    hang(office, store)
    office.notifier.say_now("the disk hangs")
    assert chat.wait_for(1) == ["the disk hangs"]
    chat.refusing[CONTROL] = ChatError("down", 0.01)
    store.gate.set()
    office.write("0", "1")
    office.notifier.say_now("a")
    office.notifier.say_now("b")
    chat.refusing.clear()
    texts = chat.wait_for(5)
    assert [text for text in texts if text in "ab"] == ["a", "b"]
    assert [text for text in texts if text in "01"] == ["0", "1"]
    assert not chat.texts(OOPS)


def test_of_what_is_said_at_once_the_last_hundred_are_kept(office: Office, chat: FakeChat) -> None:
    chat.refusing[CONTROL] = ChatError("down", 0.01)
    for number in range(150):
        office.notifier.say_now(str(number))
    chat.refusing.clear()
    wait_until(lambda: chat.texts()[-1:] == ["149"])
    texts = chat.texts()
    assert texts[-100:] == [str(number) for number in range(50, 150)]
    assert len(set(texts)) == len(texts)


def test_a_flood_of_what_is_said_at_once_repeats_no_notice(
    hanging: tuple[Office, HangingStore], chat: FakeChat
) -> None:
    office, store = hanging
    chat.open.clear()
    office.write("0")
    assert chat.entered.wait(PATIENCE)
    store.gate.clear()  # from here on the disk does not take note of what was posted
    flooded = threading.Event()

    def flood(notices: Sequence[Waiting]) -> None:
        if notices[0].text == "first" and not flooded.is_set():
            flooded.set()
            for number in range(100):
                office.notifier.say_now(f"flood {number}")

    chat.before = flood
    office.notifier.say_now("first")
    chat.open.set()
    chat.wait_for(102)
    store.gate.set()
    office.empty()
    assert chat.texts().count("0") == 1


# --- the end ------------------------------------------------------------------------------------------


def test_what_was_not_posted_is_posted_after_the_next_start(tmp_path: Path) -> None:
    refusing = FakeChat()
    for channel in Channel:
        refusing.refusing[channel] = ChatError("down", 0.01)
    first = Office(Store.open(tmp_path), refusing)
    first.write("0", "1", "2")
    first.write("a", "b", channel=OOPS)
    refusing.wait_for_tries(2)
    first.close()
    assert not refusing.posts
    chat = FakeChat()
    second = Office(Store.open(tmp_path), chat)
    assert chat.wait_for(3) == ["0", "1", "2"]
    assert chat.wait_for(2, OOPS) == ["a", "b"]
    second.empty()
    second.close()
    third = Office(Store.open(tmp_path), again := FakeChat())
    third.write("3")
    assert again.wait_for(1) == ["3"]
    third.close()


@pytest.mark.parametrize("retry_after", [None, 3600.0])
def test_a_stop_does_not_wait_for_the_next_try(
    tmp_path: Path, chat: FakeChat, monkeypatch: pytest.MonkeyPatch, retry_after: float | None
) -> None:
    monkeypatch.setattr("mac_actors.actors.notifier.FIRST_RETRY", 3600.0)
    monkeypatch.setattr("mac_actors.actors.notifier.LAST_RETRY", 3600.0)
    chat.refusing[CONTROL] = ChatError("down", retry_after)
    office = Office(Store.open(tmp_path), chat)
    office.write("0")
    wait_until(office.notifier.troubles)
    office.close()
    assert chat.tries == 1
