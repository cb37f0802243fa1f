"""Long pages and lists never take the workers away from the readers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mac_actors.storage.history.history import History
from mac_actors.storage.store import Store
from mac_actors.web.limiter import HISTORY, JOURNAL
from mac_actors.web.server.server import THREADS
from tests.fakes import wait_until
from tests.web.client import Running, report_body


def test_while_many_ask_for_the_journal_readers_find_a_worker(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, lock, met = threading.Event(), threading.Lock(), [0]
    real = Store.page

    def slow(self: Store, **wanted: Any) -> Any:
        with lock:
            met[0] += 1
        assert gate.wait(60)
        return real(self, **wanted)

    monkeypatch.setattr(Store, "page", slow)
    paths = ["/api/events", "/machines/metal-mill", "/api/machines/metal-mill/events"]
    with ThreadPoolExecutor(THREADS + 8) as pool:
        try:
            asked = [pool.submit(server.get, paths[n % len(paths)]) for n in range(THREADS + 8)]
            too_many = THREADS + 8 - JOURNAL.at_once - JOURNAL.waiting
            wait_until(lambda: sum(one.done() for one in asked) == too_many)
            assert server.post("/api/machine/update", report_body("metal-mill")).status == 200
            assert server.get("/api/machines").status == 200
            assert met[0] == JOURNAL.at_once
            refused = [one.result() for one in asked if one.done()]
            assert {reply.status for reply in refused} == {503}
            assert "try again" in refused[0].error
        finally:
            gate.set()
    assert sorted({one.result().status for one in asked}) == [200, 503]
    assert server.get("/api/events").status == 200, "the places are free again"


def test_so_many_may_wait_for_the_whole_shop_and_the_next_is_sent_away(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, lock, met = threading.Event(), threading.Lock(), [0]
    real = History.usage

    def slow(self: History, *args: Any, **wanted: Any) -> Any:
        with lock:
            met[0] += 1
        assert gate.wait(60)
        return real(self, *args, **wanted)

    monkeypatch.setattr(History, "usage", slow)
    many = HISTORY.at_once + HISTORY.waiting
    with ThreadPoolExecutor(many + 1) as pool:
        try:
            asked = [pool.submit(server.get, "/api/usage") for _ in range(many + 1)]
            wait_until(lambda: met[0] == HISTORY.at_once and sum(one.done() for one in asked) == 1)
            refused = next(one.result() for one in asked if one.done())
            assert (refused.status, met[0]) == (503, HISTORY.at_once), "no more are made at once"
            assert "try again in a while" in refused.error
            page = server.get("/shop", headers={"Accept": "text/html"})
            assert page.status == 503
            assert b"try again in a while" in page.body
            assert server.get("/machines/metal-mill").status == 200, "one machine is looked at all the same"
        finally:
            gate.set()
    assert sorted(one.result().status for one in asked) == [*[200] * many, 503]
    assert server.get("/shop").status == 200
