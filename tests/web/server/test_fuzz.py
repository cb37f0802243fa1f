"""Anything at all is sent: never a 5xx, and the server lives on."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from tests.web.client import Running, report_body

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*report_body("x"), "amps", "second_relay_state", "new"])
pieces = st.sampled_from([b"\r\n", b"PUT /x HTTP/1.1\r\n", b": ", b"\n", b"0\r\n\r\n"])


@given(st.dictionaries(fields, anything, max_size=4))
def test_any_json_in_any_field_is_answered(shared_server: Running, changes: dict[str, Any]) -> None:
    reply = shared_server.post("/api/machine/update", {**report_body("metal-mill"), **changes})
    assert reply.status in {200, 400, 404, 422}, reply
    assert reply.json


@given(anything)
def test_any_json_is_an_admins_body_or_refused(shared_server: Running, body: Any) -> None:
    for content in (body, {"by": body}, {"reason": body}):
        reply = shared_server.post("/api/machine/oops/router", content)
        assert reply.status in {200, 400, 422}, reply


@given(st.binary(max_size=60))
def test_any_bytes_are_a_body_or_refused(shared_server: Running, body: bytes) -> None:
    assert shared_server.post("/api/machine/update", body).status in {400, 422}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@example("/")
@example("//")
@example("/events")
@example("events")
def test_any_name_is_found_or_a_404(shared_server: Running, name: str) -> None:
    for path in (f"/api/machines/{quote(name, safe='')}", f"/api/machines/{quote(name, safe='')}/events"):
        assert shared_server.get(path).status in {200, 404}


@given(st.sampled_from(["cursor", "limit", "since", "kind"]), st.text(st.characters(exclude_categories=["Cs"])))
@example("since", "9999-12-31T23:59:59-14:00")
@example("since", "0001-01-01")
@example("cursor", "9" * 25)
def test_any_query_is_answered(shared_server: Running, key: str, value: str) -> None:
    assert shared_server.get(f"/api/events?{key}={quote(value)}").status in {200, 422}


@given(
    st.lists(st.binary(max_size=20) | st.sampled_from([b"\r\n", b"PUT /x HTTP/1.1\r\n", b": ", b"\n", b"0\r\n\r\n"]))
)
def test_any_bytes_on_the_wire_are_answered_or_dropped(shared_server: Running, parts: list[bytes]) -> None:
    with shared_server.connect() as raw:
        raw.send(b"".join(parts))
        raw.end()
        answer = raw.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1."), answer
    for status, body in re.findall(rb"HTTP/1\.[01] (\d{3}) .*?\r\n\r\n(.*?)(?=HTTP/1\.[01] |$)", answer, re.DOTALL):
        assert int(status) < 500 or status in {b"501", b"505"}, answer
        if int(status) >= 400:
            assert json.loads(body).keys() == {"error"}
