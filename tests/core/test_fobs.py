"""One fob is one code, however it is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mac_actors.core.config import Directory, MachineConfig, User, normalize_fob, read_fob, whole_fob
from mac_actors.core.inputs import Report
from mac_actors.core.state import Card, MachineState, Refusal, resumed
from mac_actors.core.transitions import decide


@pytest.mark.parametrize(
    ("codes", "fob"),
    [
        ((None, "", "  ", "0", "0000000000", "000000000000", "00:00:00:00", "\r\n", "\x00"), None),
        (("36912", "000000036912", " 36912 ", "36912\r\n", "\x0036912", "\u3000\u00a036912\x1f"), "0000036912"),
        (("00012345678901", "12345678901"), "12345678901"),
        (("0a1b2c3d", "A1B2C3D", "0A:1B:2C:3D", "0a-1b-2c-3d", "0A 1B 2C 3D", "0A1B:2C3D"), "000A1B2C3D"),
        (("74-10-37-94", "74:10:37:94", "74103794"), "0074103794"),
        (("04:a3:5b:12:6f:80:00", "4A35B126F8000"), "4A35B126F8000"),
        (("card-1", "CARD-1"), "0000CARD-1"),
        (("1000000 037",), "1000000 037"),
        (("1:22",), "0000001:22"),
    ],
)
def test_a_fob_has_one_normal_form(codes: tuple[str | None, ...], fob: str | None) -> None:
    assert {normalize_fob(code) for code in codes} == {fob}
    assert {read_fob(code) for code in codes} == {fob}


@pytest.mark.parametrize("code", ["12\x0034", "12\n34", "\u200b1234", "12\u202e34", "\ud800"])
def test_a_fob_with_a_control_character_in_it_is_none(code: str) -> None:
    with pytest.raises(ValueError, match="a fob code without control characters"):
        read_fob(code)


HEX = st.text("0123456789abcdefABCDEF", min_size=1, max_size=24)


@given(st.text(max_size=30) | HEX)
@example("0 1234-5678-9ABC")
@example("0-0-0-1:2")
def test_the_normal_form_of_a_normal_form_is_itself(code: str) -> None:
    fob = normalize_fob(code)
    assert normalize_fob(fob) == fob
    assert fob is None or len(fob) >= 10


@given(HEX, st.integers(0, 8), st.sampled_from(" :-"), st.sampled_from([2, 4]))
def test_zeroes_separators_and_case_do_not_count(code: str, zeroes: int, separator: str, size: int) -> None:
    whole = code.rjust(-(-len(code) // size) * size, "0")
    grouped = separator.join(whole[n : n + size] for n in range(0, len(whole), size))
    ways = {"0" * zeroes + code, code.lower(), code.upper(), grouped, f"\t{grouped}\r\n"}
    assert len({normalize_fob(way) for way in ways}) == 1
    assert (normalize_fob(code) or "").lstrip("0") == code.upper().lstrip("0")


def test_a_blocked_card_of_an_earlier_version_is_the_same_card_after_the_upgrade() -> None:
    then = datetime(2026, 11, 26, tzinfo=UTC)
    ann = User("1", "Ann", "Ann", "Ann", ("000A1B2C3D",), frozenset({"mill"}))
    for old in ("0a1b2c3d", "000a1b2c3d", "0000000a1b2c3d"):
        state = resumed(MachineState(then, card=Card(old, then, blocked=True, refusal=Refusal.OOPSED)), 5.0)
        now = then + timedelta(seconds=10)
        report = Report(now, normalize_fob("0A:1B:2C:3D"))
        decision = decide(MachineConfig("mill", frozenset({"mill"})), Directory.of([ann]), state, report)
        assert decision.state.session is None
        assert decision.outcomes == ()


def test_a_fob_that_somebody_wrote_is_whole() -> None:
    assert whole_fob(" 36912 ") == "0000036912"
    assert whole_fob("12:30:45:59") == "0012304559"
    assert whole_fob("12-34") == whole_fob("12 34") == "0000001234"
    for code in ("", "000", "1,000,037", "1.0E+09", "#N/A"):
        with pytest.raises(ValueError, match=r"the whole number of a fob|the number of a fob, not empty"):
            whole_fob(code)
    for code in ("2026-03-31", "31-12-2099", "1-2-2099", "12:30", " 12:30:59 ", "31-12-99"):
        with pytest.raises(ValueError, match=r"the whole number of a fob .*; not a day or a time$"):
            whole_fob(code)
