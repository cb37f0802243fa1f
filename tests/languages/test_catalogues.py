"""The catalogues: all texts, nothing else, nothing doubtful; and the texts of the readers' displays fit those."""

from __future__ import annotations

import io
import re
from datetime import date
from string import Formatter

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from mac_actors.core.phrases import phrase
from mac_actors.core.text import duration
from mac_actors.errors import ConfigError
from mac_actors.settings import from_environment
from mac_actors.settings.language import Language, language, languages
from mac_actors.web.pages.history import share
from tests.languages import catalogues

DAY = date(2026, 11, 24)
TRANSLATED = [code for code in languages() if code != "en"]


# Not as a constant: to find them takes longer than to collect all tests, and each process does that.
def texts() -> list[Message]:
    return [one for one in catalogues.texts() if one.id]


def test_the_languages_of_the_contract_are_there() -> None:
    assert languages() == ["de", "en", "es", "fr"]


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_is_as_make_catalogues_writes_it(code: str) -> None:
    assert (catalogues.LANGUAGES / f"{code}.po").read_bytes() == catalogues.updated(code), "run: make catalogues"


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_text_is_translated_and_none_is_doubtful(code: str) -> None:
    assert [one.id for one in catalogues.missing(code)] == []
    assert [one.id for one in catalogues.read(code) if one.id and one.fuzzy] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_the_same_values_and_the_same_markup(code: str) -> None:
    for one in catalogues.read(code):
        if not one.id:
            continue
        for original, said in _pairs(one.id, one.string):
            # of one thing alone the number may be left out: "A trainer can give it"
            assert _values(said) | {"number"} == _values(original) | {"number"}, said
            assert sorted(re.findall(r"<[^>]+>", said)) == sorted(re.findall(r"<[^>]+>", original)), said
            assert (said[:1] in " ,", said[-1:] == " ") == (original[:1] in " ,", original[-1:] == " "), said


@pytest.mark.parametrize("code", languages())
def test_every_text_of_the_display_fits_it(code: str) -> None:
    displays = language(code).displays
    originals = [str(one.id) for one in texts() if any(place.endswith("core/outputs.py") for place, _ in one.locations)]
    assert originals
    assert code == "en" or {*displays} == {*originals}
    for original in originals:
        lines = displays.get(original, original).split("\n")
        assert len(lines) <= 2
        for line in lines:
            assert line == "{name}" or re.fullmatch(r"[ -\[\]-}]{1,16}", line), f"{line!r}: 16 characters of ASCII"
            assert line == line.strip()


def test_what_is_missing_is_found() -> None:
    new = catalogues.updated("it")
    with io.BytesIO(new) as file:
        assert len(read_po(file)) == len(texts())
    assert len(catalogues.missing("it")) == len(texts()) > 300


def test_a_language_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"^MAC_LANGUAGE is 'xx': allowed is one of de, en, es, fr$"):
        from_environment({"MAC_LANGUAGE": "xx"})
    assert from_environment({"MAC_LANGUAGE": "fr"}).language == "fr"


@pytest.mark.parametrize(
    ("code", "decimal", "thousands", "day"),
    [
        ("en", "1234.5", "1,234,567", "24 Nov 2026"),
        ("de", "1.234,5", "1.234.567", "24. Nov. 2026"),
        ("es", "1.234,5", "1.234.567", "24 nov 2026"),
        ("fr", "1\u202f234,5", "1\u202f234\u202f567", "24 nov. 2026"),
    ],
)
def test_numbers_and_days_are_as_the_language_has_them(code: str, decimal: str, thousands: str, day: str) -> None:
    spoken = language(code)
    assert spoken.number(1234.5, ".1f") == decimal
    assert spoken.number(1234567, ",") == thousands
    assert spoken.number(1234567.2, ",.0f") == thousands
    assert spoken.date(DAY, "yMMMd") == day
    assert len({spoken.weekday(number, short=True) for number in range(7)}) == 7


def test_phrases_within_phrases_are_said_in_the_language_and_values_are_as_they_are() -> None:
    german = language("de")
    assert german.say(share(0.5, 1000)) == "< 0,1 %"
    assert german.say(duration(3 * 86400)) == "3 T 0 h"
    assert german.say(phrase("{who} was refused: {why}.", who="Slack", why=phrase("not authorized"))) == (
        "Slack wurde abgewiesen: nicht berechtigt."
    )
    assert german.count("{number} person", "{number} people", 1) == "1 Mitglied"
    assert german.count("{number} person", "{number} people", 2) == "2 Mitglieder"
    assert Language().say(phrase("{days} d {hours} h", days=3, hours=0)) == str(duration(3 * 86400)) == "3 d 0 h"


def _pairs(original: object, said: object) -> list[tuple[str, str]]:
    if isinstance(original, tuple) and isinstance(said, tuple):
        return list(zip(original, said, strict=True))
    return [(str(original), str(said))]


def _values(template: str) -> set[str]:
    return {f"{name}:{form}" if form else name for _, name, form, _ in Formatter().parse(template) if name is not None}
