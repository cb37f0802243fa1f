"""Long pages and lists never take the workers away from the readers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mac_actors.storage.store import Store
from mac_actors.web.limiter import AT_ONCE, WAITING
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
            too_many = THREADS + 8 - AT_ONCE - WAITING
            wait_until(lambda: sum(one.done() for one in asked) == too_many)
            assert server.post("/api/machine/update", report_body("metal-mill")).status == 200
            assert server.get("/api/machines").status == 200
            assert met[0] == AT_ONCE
            refused = [one.result() for one in asked if one.done()]
            assert {reply.status for reply in refused} == {503}
            assert "try again" in refused[0].error
        finally:
            gate.set()
    assert sorted({one.result().status for one in asked}) == [200, 503]
    assert server.get("/api/events").status == 200, "the places are free again"
