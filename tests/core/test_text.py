"""Texts as they are searched, zones as they are named, and what a reader said of itself."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

import pytest

from mac_actors.core.text import check_text, count, local_time, read_day, reader_text, search_key, seconds_text, tidy

SEARCHED = [
    ("Fräse", "frase"),
    ("Öl-Übel", "olubel"),
    ("Große  Form", "grosse form"),
    ("GROẞE", "grosse"),
    ("Frøya's Æsir", "froyas aesir"),
    ("Łódź–İstanbul ı", "lodzistanbul i"),
    ("E\u0301tau\u200b", "etau"),
    ("ﬁle №5", "file no5"),
    ("🔥 Forge", "🔥 forge"),
    ("מכונת", "מכונת"),
]


@pytest.mark.parametrize(("text", "key"), SEARCHED)
def test_a_text_is_searched_without_case_accents_and_hyphens(text: str, key: str) -> None:
    assert search_key(text) == key


@pytest.mark.parametrize(
    ("zone", "text"),
    [("Europe/Berlin", "2026-11-24 19:00 CET"), ("America/Sao_Paulo", "2026-11-24 15:00 UTC-03:00")],
)
def test_a_zone_without_a_name_is_told_by_its_offset(monkeypatch: pytest.MonkeyPatch, zone: str, text: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert local_time(datetime(2026, 11, 24, 18, tzinfo=UTC)) == text
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("seconds", "said"), [(0.009, "9 ms"), (4.2, "4.2 s"), (61, "1 min"), (200_000, "2 d 7 h")])
def test_a_short_time_is_said_with_its_fractions(seconds: float, said: str) -> None:
    assert seconds_text(seconds) == said


def test_one_is_said_in_the_singular() -> None:
    assert [count(number, "user") for number in (0, 1, 2)] == ["0 users", "1 user", "2 users"]


def test_what_is_not_known_of_a_reader_is_left_out() -> None:
    assert reader_text(None, None, None, keyed=False, alone="") is None
    assert reader_text("reader 1.0", None, None, keyed=False, alone="") == "reader 1.0, no key"
    assert reader_text("reader 1.0", 4210, 0.009, keyed=True, alone="after 60 s: nobody may start it") == (
        "reader 1.0, has a key, takes pokes, obeyed after 9 ms; without the server after 60 s: nobody may start it"
    )


def test_a_text_is_tidied_into_one_line_without_what_nobody_sees() -> None:
    assert tidy("  Ann\u200b \n Able\x07 ") == "Ann Able"


def test_a_day_is_read_in_one_form_alone() -> None:
    assert read_day("2027-03-31") == date(2027, 3, 31)
    for wrong in ("31.03.2027", "2027-02-30", "20270331", None):
        with pytest.raises(ValueError, match="a day as YYYY-MM-DD"):
            read_day(wrong)


def test_what_is_no_text_is_refused_by_its_name() -> None:
    check_text(by="Ann", reason=None)
    with pytest.raises(TypeError, match="reason: expected a text, not 5"):
        check_text(by=None, reason=5)
