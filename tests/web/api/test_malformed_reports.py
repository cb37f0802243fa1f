"""Whatever is sent as a report: a 4xx in JSON that names the field, the state unchanged, the server alive."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.client import Running, report_body

REQUIRED = ("machine_name", "oops", "rfid_value", "uptime")
NUMBERS = ("uptime", "wifi_signal_db", "wifi_signal_percent", "internal_temperature_c", "amps")
BOOLEANS = ("oops", "second_relay_state")


def refused(server: Running, body: bytes) -> tuple[int, str]:
    """Send a body that must be refused; the machine must be as it was, and go on serving."""
    before = server.fleet.snapshot("metal-mill")
    events = server.fleet.store.page().entries
    reply = server.post("/api/machine/update", body, headers={"Content-Type": "application/json"})
    assert 400 <= reply.status < 500, reply
    assert server.fleet.snapshot("metal-mill") == before
    assert server.fleet.store.page().entries == events
    assert server.outputs("metal-mill")["relay"] is False
    return reply.status, reply.error


def with_field(field: str, value: str) -> bytes:
    """Return a report in which one field has this JSON text."""
    body = report_body("metal-mill")
    body.pop(field, None)
    return f'{json.dumps(body)[:-1]}, "{field}": {value}}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"nonsense",
        b'{"machine_name": "metal-mill"',
        b"{'machine_name': 'metal-mill'}",
        b'{"machine_name": "metal-mill",}',
        json.dumps(report_body("metal-mill")).encode() + b"x",
        json.dumps(report_body("metal-mill")).encode() * 2,
        b"\xef\xbb\xbf" + json.dumps(report_body("metal-mill")).encode(),
        json.dumps(report_body("metal-mill")).encode("utf-16"),
        b"\x00" * 100,
        b"\xff\xfe\xfd",
        b'{"machine_name": "metal-\xff"}',
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"machine_name=metal-mill&oops=false",
        b"<report/>",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_a_400(shared_server: Running, body: bytes) -> None:
    status, error = refused(shared_server, body)
    assert status == 400
    assert "JSON" in error


@pytest.mark.parametrize("body", ["null", "true", "1", '"metal-mill"', "[]", "[1, 2]", '[{"machine_name": "x"}]'])
def test_json_that_is_no_object_is_a_422(shared_server: Running, body: str) -> None:
    status, error = refused(shared_server, body.encode())
    assert status == 422
    assert "object" in error


@pytest.mark.parametrize("field", REQUIRED)
def test_a_missing_required_field_is_named(shared_server: Running, field: str) -> None:
    body = report_body("metal-mill")
    del body[field]
    status, error = refused(shared_server, json.dumps(body).encode())
    assert status == 422
    assert f"{field}: is required" in error


def test_all_missing_fields_are_named_at_once(shared_server: Running) -> None:
    status, error = refused(shared_server, b"{}")
    assert status == 422
    assert all(f"{field}: is required" in error for field in REQUIRED)


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize(
    "value",
    ['"12"', '""', "true", "[]", "{}", "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 400, "1" * 5_000],
    ids=lambda value: value[:12],
)
def test_a_number_that_is_none_is_named(shared_server: Running, field: str, value: str) -> None:
    status, error = refused(shared_server, with_field(field, value))
    assert status in {400, 422}
    if status == 422:
        assert error.startswith(f"{field}: expected")
        assert "number" in error


@pytest.mark.parametrize("field", BOOLEANS)
@pytest.mark.parametrize("value", ['"true"', '""', "0", "1", "0.0", "[]", "{}"])
def test_a_boolean_that_is_none_is_named(shared_server: Running, field: str, value: str) -> None:
    status, error = refused(shared_server, with_field(field, value))
    assert status == 422
    assert error.startswith(f"{field}: expected true or false")


def test_a_null_oops_button_is_refused(shared_server: Running) -> None:
    status, error = refused(shared_server, with_field("oops", "null"))
    assert status == 422
    assert error.startswith("oops: expected true or false")


@pytest.mark.parametrize("field", ["machine_name", "rfid_value"])
@pytest.mark.parametrize("value", ["0", "1234567", "1.5", "true", "false", "[]", '["a"]', "{}"])
def test_a_string_that_is_none_is_named(shared_server: Running, field: str, value: str) -> None:
    status, error = refused(shared_server, with_field(field, value))
    assert status == 422
    assert error.startswith(f"{field}: expected a string")


def test_a_null_machine_name_is_refused(shared_server: Running) -> None:
    status, error = refused(shared_server, with_field("machine_name", "null"))
    assert status == 422
    assert error.startswith("machine_name: expected a string")


@pytest.mark.parametrize(
    "value",
    ['"' + "1" * 10_000 + '"', r'"12\u000034"', r'"12\n34"', r'"12\u000b34"', r'"[\u001b[31m"', r'"\u202e1234"'],
    ids=lambda value: value[:12],
)
def test_a_fob_that_can_not_be_one_is_refused(shared_server: Running, value: str) -> None:
    status, error = refused(shared_server, with_field("rfid_value", value))
    assert status == 422
    assert error.startswith("rfid_value: expected")
    assert len(error) < 1024


@pytest.mark.parametrize("field", ["machine_name", "rfid_value"])
@pytest.mark.parametrize("value", [r'"\ud800"', r'"\udc00"', r'"\udfff\ud800"', r'"a\ud83d"'])
def test_half_a_character_is_refused(shared_server: Running, field: str, value: str) -> None:
    status, _ = refused(shared_server, with_field(field, value))
    assert status in {400, 422}


@pytest.mark.parametrize("field", ["machine_name", "rfid_value"])
@pytest.mark.parametrize("value", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_a_string_that_is_not_utf_8_is_a_400(shared_server: Running, field: str, value: bytes) -> None:
    status, error = refused(shared_server, with_field(field, '"?"').replace(b'"?"', b'"' + value + b'"'))
    assert status == 400
    assert "JSON" in error


@pytest.mark.parametrize("name", [r"metal-mill\u0000", r"metal\u0000mill", "Метал", r"\ud83d\ude00", "../metal-mill"])
def test_a_strange_name_is_no_machine(shared_server: Running, name: str) -> None:
    status, error = refused(shared_server, with_field("machine_name", f'"{name}"'))
    assert status == 404
    assert error.startswith("No such machine: ")


@pytest.mark.parametrize("value", ["[" * 120 + "]" * 120, '{"a":' * 120 + "1" + "}" * 120], ids=["lists", "objects"])
def test_an_unknown_field_may_hold_anything_that_is_json(shared_server: Running, value: str) -> None:
    assert shared_server.post("/api/machine/update", with_field("x", value)).status == 200


def test_a_key_that_stands_twice_never_is_two_answers(shared_server: Running) -> None:
    """JSON leaves open which counts. Here the last does, as in every common parser; or it is refused."""
    body = with_field("x", "1")[:-1] + b', "oops": "no"}'
    status, error = refused(shared_server, body)
    assert status == 422
    assert error.startswith("oops:")


def test_many_wrong_fields_make_an_answer_that_a_reader_can_hold(shared_server: Running) -> None:
    body: dict[str, Any] = {field: {"a": "x" * 1000} for field in (*REQUIRED, *NUMBERS)}
    reply = shared_server.post("/api/machine/update", body)
    assert reply.status == 422
    assert len(reply.body) <= 1024


def test_an_error_never_repeats_a_fob(shared_server: Running) -> None:
    reply = shared_server.post("/api/machine/update", with_field("rfid_value", r'"98765432\u00001"'))
    assert reply.status == 422
    assert b"98765432" not in reply.body


def test_refusals_are_counted(server: Running) -> None:
    server.post("/api/machine/update", b"{")
    server.post("/api/machine/update", b"{}")
    server.report("nope")
    assert server.service.shop.app.refusals.so_far() == {"400": 1, "422": 1, "404": 1}
