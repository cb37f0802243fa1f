"""All that records may ask for, on either engine, in its order. Where a batch says two things the later one counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table

from mac_actors.core.notices import Channel, Notice, ThreadKey
from mac_actors.storage import schema
from mac_actors.storage.codec import timestamp
from mac_actors.storage.records import Record, SlackLink, Thread
from mac_actors.storage.store import Store
from tests.places import Place
from tests.storage.test_store import NOW, oopsed, row

LATER = NOW + timedelta(hours=3)
AT = timestamp(NOW)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with closing(place.open(Store)) as opened:
        yield opened


def addition(number: int, account: str, data: str = "{}") -> tuple[str, dict[str, Any]]:
    return "addition", {"id": number, "account_id": account, "counts": 1, "data": data}


def login(name: str, token: str) -> tuple[str, dict[str, Any]]:
    return "admin", {"name": name, "token": token, "at": AT, "by": None}


def session(number: str, used: str = AT) -> tuple[str, dict[str, Any]]:
    row = {"key": "k", "role": "admin", "name": None, "account_id": None, "at": AT, "used_at": used}
    return "board_session", {"id": number, **row}


def column(store: Store, table: Table, *names: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in names) for row in store.rows(table))


def in_one_batch_and_in_many(store: Store, records: list[Record], together: bool) -> None:
    if together:
        store.commit(records)
    else:
        for record in records:
            store.commit([record])


both_ways = pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])


@both_ways
def test_rows_are_put_moved_and_dropped_in_the_order_of_their_records(store: Store, together: bool) -> None:
    records = [
        Record(put=(addition(1, "a"), addition(2, "a"), login("tina", "old"), login("tom", "t"), session("s"))),
        Record(moved=(("a", "b"),), put=(addition(3, "a", '{"later": 1}'), login("tina", "new"))),
        Record(drop=(("admin", "tom"), ("addition", 2), ("board_session", "nobody")), put=(session("s", "2027"),)),
        Record(moved=(("b", "c"),), drop=(("board_session", "t"),), put=(session("t"),)),
    ]
    in_one_batch_and_in_many(store, records, together)
    assert column(store, schema.addition, "id", "account_id", "data") == [(1, "c", "{}"), (3, "a", '{"later": 1}')]
    assert column(store, schema.admin, "name", "token") == [("tina", "new")]
    assert column(store, schema.board_session, "id", "used_at") == [("s", "2027"), ("t", AT)]
    store.commit([Record(drop=(("addition", 1), ("admin", "tina"), ("board_session", "s")), moved=(("a", "z"),))])
    assert column(store, schema.addition, "id", "account_id") == [(3, "z")]
    assert column(store, schema.admin, "name") == []
    assert column(store, schema.board_session, "id") == [("t",)]


@both_ways
def test_what_is_moved_takes_sessions_and_slack_users_along(store: Store, together: bool) -> None:
    def opened(number: str, account: str | None) -> tuple[str, dict[str, Any]]:
        table, row = session(number)
        return table, row | {"account_id": account}

    def link(who: str, account: str) -> SlackLink:
        return SlackLink(who, account, "admin", NOW)

    records = [
        Record(put=(opened("s", "a"), opened("t", "b"), opened("u", None)), links=(link("U1", "a"), link("U2", "b"))),
        Record(moved=(("a", "c"),), unlinked=("U3",)),
        Record(links=(link("U4", "a"),)),
    ]
    in_one_batch_and_in_many(store, records, together)
    assert column(store, schema.board_session, "id", "account_id") == [("s", "c"), ("t", "b"), ("u", None)]
    assert column(store, schema.slack_user, "id", "account_id") == [("U1", "c"), ("U2", "b"), ("U4", "a")]


@both_ways
def test_who_waits_or_is_linked_at_the_end_does_so_on_disk(store: Store, together: bool) -> None:
    def link(who: str, account: str) -> SlackLink:
        return SlackLink(who, account, "admin", NOW)

    records = [
        Record(wait=(("mill", "U1", NOW), ("mill", "U2", NOW)), links=(link("U1", "1"), link("U2", "2"))),
        Record(told=(("mill", "U1"), ("mill", "U2"), ("saw", "U1")), unlinked=("U1", "U2")),
        Record(wait=(("mill", "U1", LATER), ("saw", "U1", LATER)), links=(link("U1", "3"),)),
        Record(wait=(("saw", "U1", NOW),)),
    ]
    in_one_batch_and_in_many(store, records, together)
    names = ("machine", "slack_id", "at")
    assert column(store, schema.waiting_member, *names) == [(name, "U1", timestamp(LATER)) for name in ("mill", "saw")]
    assert column(store, schema.slack_user, "id", "account_id") == [("U1", "3")]


@both_ways
def test_keys_are_replaced_and_go(store: Store, together: bool) -> None:
    def key(digits: str) -> dict[str, str | None]:
        return {"key": digits, "since": AT, "used_since": None, "new_key": None, "new_since": None}

    records = [
        Record(keys=(("mill", key("1")), ("saw", key("2")))),
        Record(keys=(("mill", key("3")), ("saw", None), ("kiln", None))),
        Record(keys=(("kiln", key("4")),)),
    ]
    in_one_batch_and_in_many(store, records, together)
    assert column(store, schema.reader_key, "machine", "key") == [("kiln", "4"), ("mill", "3")]


@both_ways
def test_a_thread_keeps_where_it_began(store: Store, together: bool) -> None:
    key = ThreadKey("mill", "oops", NOW)
    records = [
        Record(threads=(Thread(key, "oops", "1.1", unsettled=True, root="1.0"),)),
        Record(
            threads=(
                Thread(key, "oops", "1.2", unsettled=False, root="9.9"),
                Thread(key, "control", "2.0", unsettled=True),
            )
        ),
    ]
    in_one_batch_and_in_many(store, records, together)
    assert store.thread(key, "oops") == Thread(key, "oops", "1.2", unsettled=False, root="1.0")
    assert store.unsettled("control") == [key]
    assert store.unsettled("oops") == []


@both_ways
def test_what_is_written_anew_takes_the_last_words(store: Store, together: bool) -> None:
    notice = Notice(Channel.CONTROL, "Ann was here")
    store.commit([row(oopsed(), notice), row(oopsed(), notice)])
    records = [
        Record(rewrites=((1, "x", "{}"), (2, None, "[]")), reworded=((1, "someone"),), notes=(("retention", "1"),)),
        Record(
            rewrites=((1, "", "{} "),), reworded=((1, "someone was here"),), notes=(("retention", "2"),), scrub=True
        ),
    ]
    in_one_batch_and_in_many(store, records, together)
    assert column(store, schema.journal, "id", "account_id", "data") == [(1, "", "{} "), (2, None, "[]")]
    assert [waiting.text for waiting in store.waiting(Channel.CONTROL)] == ["someone was here", "Ann was here"]
    assert store.note("retention") == "2"


def test_who_waits_is_linked_or_was_seen_is_kept_as_long_as_it_is_needed(store: Store) -> None:
    link = SlackLink("U1", "1", "admin", NOW, ("maintenance",))
    store.commit(
        [
            Record(wait=(("mill", "U1", NOW), ("mill", "U2", NOW)), links=(link, SlackLink("U2", "2", "e-mail", NOW))),
            Record(wait=(("mill", "U1", LATER),), seen=("E1", NOW)),
        ]
    )
    assert column(store, schema.waiting_member, "slack_id", "at") == [("U1", AT), ("U2", AT)]
    assert store.has_seen("E1")
    store.commit(
        [
            Record(told=(("mill", "U2"),), unlinked=("U1", "U2"), links=(link._replace(account_id="7"),)),
            Record(seen=("E2", LATER)),
            Record(seen=("E2", LATER)),
        ]
    )
    assert column(store, schema.waiting_member, "slack_id") == [("U1",)]
    assert column(store, schema.slack_user, "id", "account_id", "switched_off") == [("U1", "7", "maintenance")]
    assert (store.has_seen("E1"), store.has_seen("E2")) == (False, True)
