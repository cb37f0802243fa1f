"""Notices that go in few posts, and in the thread of their beginning."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mac_actors.actors.journal import Journal
from mac_actors.actors.notifier import (
    BUNDLE_CHARACTERS,
    BURST,
    PrintedChat,
)
from mac_actors.actors.notifiers import Notifier
from mac_actors.core.notices import Channel, Notice
from mac_actors.core.outcomes import OopsSet
from mac_actors.core.state import Flag, Source
from mac_actors.errors import ChatError
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record, Waiting
from mac_actors.storage.store import Store
from tests.actors.office import CONTROL, OOPS, FakeChat, Office, thread_key
from tests.fakes import wait_until


def bundles(chat: FakeChat, channel: Channel = CONTROL) -> list[tuple[str, ...]]:
    return [texts for where, texts, _ in chat.posts if where == channel]


def test_after_an_outage_many_notices_go_in_few_posts_in_order_and_none_is_lost(office: Office, chat: FakeChat) -> None:
    for channel in (CONTROL, OOPS):
        chat.refusing[channel] = ChatError("down", 0.01)
    numbers = [f"notice {number}" for number in range(200)]
    for channel in (CONTROL, OOPS):
        office.write(*numbers, channel=channel)
    chat.wait_for_tries(4)
    chat.refusing.clear()
    for channel in (CONTROL, OOPS):
        assert chat.wait_for(200, channel) == numbers
    office.empty()
    for channel in (CONTROL, OOPS):
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
    PrintedChat(lines.append).post("direct:@1009", [Waiting("direct:@1009", "no", id=1, at=now)], None)
    assert lines[-1] == f"{stamp}  [to 1009]  no"


def test_what_begins_within_a_thread_ends_there_too_also_after_a_restart(tmp_path: Path) -> None:
    first = Office(Store.open(tmp_path), FakeChat())
    first.write("oopsed", opens="a")
    first.write("locked on top", opens="b", within=("a",))
    first.write("override", within=("a", "b"))
    assert first.chat.wait_for(3)
    first.empty()
    first.close()
    chat = FakeChat()
    second = Office(Store.open(tmp_path), chat)
    second.write("unlocked", closes=("b",))
    chat.wait_for(1)
    second.close()
    assert [thread for _, _, thread in first.chat.posts + chat.posts] == [None, *["control post 1"] * 3]


@pytest.mark.parametrize("count", [3, 40])
def test_what_was_held_has_its_turn_also_where_many_go_into_one_post(
    tmp_path: Path, chat: FakeChat, count: int
) -> None:
    now = datetime.now(UTC)

    def record(number: int) -> Record:
        flag = Flag(now, Source.BUTTON)
        told = OopsSet(machine="mill", display_name="mill", at=now, flag=flag, ended=None, card=None)
        due = now + timedelta(hours=1) if number % 2 else None
        return Record(rows=((journal_row(told), (Notice(CONTROL, str(number), due=due),)),))

    with closing(Store.open(tmp_path)) as store:
        store.commit([record(number) for number in range(count)])
    office = Office(Store.open(tmp_path), chat)
    waiting = count - 1 + count % 2  # the last is held, if it is one of those
    numbers = [str(number) for number in range(waiting)]
    assert chat.wait_for(waiting) == numbers
    office.empty()
    office.write("a line")
    assert chat.wait_for(waiting + 1) == [*numbers, "a line"]
    assert office.channel_notifier().posted == waiting + 1
    office.close()
    assert len(bundles(chat)) == (waiting if count < 30 else 1) + 1
