"""Texts as they are searched, and zones as they are named."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from mac_actors.core.text import local_time, search_key

SEARCHED = [
    ("Fräse", "frase"),
    ("Öl-Übel", "olubel"),
    ("Große  Presse", "grosse presse"),
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
