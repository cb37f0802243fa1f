"""Notices on their way out: in order, paced, tried again until they are taken, never lost; one channel at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mac_actors.actors.notifier import (
    BURST,
    FIRST_RETRY,
    LAST_RETRY,
)
from mac_actors.actors.notifiers import DirectNotifier
from mac_actors.actors.runtime import Ping
from mac_actors.core.notices import Channel, Notice, member
from mac_actors.errors import ChatError, StorageError
from mac_actors.storage.outbox import direct_messages
from mac_actors.storage.records import Record, Waiting
from mac_actors.storage.store import Store
from tests.actors.office import CONTROL, OOPS, FakeChat, NoWaiting, Office
from tests.fakes import PATIENCE, HangingStore, wait_until

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

        def waiting(self, channel: str, after: int = 0, limit: int = 100) -> list[Waiting]:
            if channel is CONTROL and self.failing:
                self.failing -= 1
                raise StorageError("cannot read the outbox: disk I/O error")
            return super().waiting(channel, after, limit)

    office = Office(BadStore.open(tmp_path), chat)
    office.write("0", "1")
    assert chat.wait_for(2) == ["0", "1"]
    office.empty()
    office.close()


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


def test_a_direct_message_whose_row_goes_while_it_is_looked_at_is_not_repeated(
    hanging: tuple[Office, HangingStore], chat: FakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, store = hanging
    address = member("U0EVE")
    chat.errors[address] = []
    direct, looked = office.notifier.channels[Channel.DIRECT], threading.Event()
    assert isinstance(direct, DirectNotifier)

    def look(store: HangingStore, after: int, limit: int) -> list[Waiting]:
        found = direct_messages(store, after, limit)
        if found and chat.posts and not looked.is_set():  # it was sent; the disk takes note of that only now
            store.gate.set()
            wait_until(lambda: not direct._sent)
            looked.set()
        return found

    monkeypatch.setattr("mac_actors.actors.notifiers.direct_messages", look)
    chat.before = lambda notices: store.gate.clear()
    assert office.journal.record(Record(notices=((datetime.now(UTC), Notice(address, "free")),))).wait(PATIENCE)
    wait_until(lambda: chat.posts)
    direct.wake()
    assert looked.wait(PATIENCE)
    direct.ref.ask(Ping(), timeout=PATIENCE)
    assert len(chat.posts) == 1


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
    for channel in (CONTROL, OOPS):
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
