"""The language of pages and displays: MAC_LANGUAGE, and the catalogues (mac_actors/languages) that it may name."""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from importlib.resources import files

from mac_actors.core.phrases import Phrase
from mac_actors.settings.variables import Variable, refused

CATALOGUES = files("mac_actors") / "languages"

ENGLISH_DATES = {"MMMd": "{0.day} {0:%b}", "yMMMd": "{0.day} {0:%b %Y}", "MMMEd": "{0:%a} {0.day} {0:%b}"}
"""Dates as the pages show them in English, by the names (CLDR) that these forms have in all languages."""


class _Number(float):
    """A number that is filled in as its language has it: ``{hours:.1f}``, with a comma in German."""

    code: str

    def __new__(cls, value: float, code: str) -> _Number:
        made = super().__new__(cls, value)
        made.code = code
        return made

    def __format__(self, form: str) -> str:
        from babel.numbers import format_decimal  # slow to import, and English needs none of it

        decimals = "0" * int(form.strip(",.f")) if form.endswith("f") else "###"
        pattern = f"#,##0.{decimals}".rstrip(".")
        return format_decimal(float(self), pattern, locale=self.code)


@dataclass(frozen=True, slots=True)
class Language:
    """A language: says phrases, numbers and dates. Without a catalogue it is English, which says all as it is."""

    code: str = "en"
    catalogue: gettext.NullTranslations = field(default_factory=gettext.NullTranslations, repr=False, compare=False)
    displays: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """The texts of the readers' displays, by the English ones."""
    scripts: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """The texts of the pages' scripts, likewise."""

    def say(self, text: str, /, **values: object) -> str:
        """Return a text in this language. It is a phrase, or a template of the catalogue with its ``values``."""
        template = text.template if isinstance(text, Phrase) else text
        found = self.catalogue.gettext(template) if template else ""
        return self._filled(found, text.values if isinstance(text, Phrase) else values)

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """Return the one of two templates that is for this ``{number}`` of things, filled in."""
        return self._filled(self.catalogue.ngettext(one, many, number), {"number": number, **values})

    def _filled(self, template: str, values: Mapping[str, object]) -> str:
        return template.format(**{name: self._value(value) for name, value in values.items()}) if values else template

    def _value(self, value: object) -> object:
        if isinstance(value, Phrase):
            return self.say(value)
        if isinstance(value, date):
            return self.date(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and self.code != "en":
            return _Number(value, self.code)
        return value

    def number(self, value: float, form: str) -> str:
        """Return a number as :func:`format` does by ``form`` (``.1f``; ``,`` for thousands), in this language."""
        if self.code == "en":
            return format(value, form)
        return format(self._value(value), form)

    def date(self, day: date, form: str = "") -> str:
        """Return a day in one of the forms of :data:`ENGLISH_DATES`; without one the whole date in digits or words."""
        if self.code == "en":
            return ENGLISH_DATES[form].format(day) if form else f"{day:%Y-%m-%d}"
        from babel.dates import format_skeleton

        return format_skeleton(form or "yMMMd", datetime(day.year, day.month, day.day), locale=self.code)

    def weekday(self, number: int, *, short: bool = False) -> str:
        """Return the name of a day of the week, 0 is Monday."""
        if self.code == "en":
            name = f"{date(2024, 1, 1 + number):%A}"
            return name[:3] if short else name
        from babel.dates import get_day_names

        names = get_day_names("abbreviated" if short else "wide", "stand-alone", self.code)
        return str(names[number]).rstrip(".")


def languages() -> list[str]:
    """Return the codes of all languages that there are."""
    return sorted(["en", *(file.name[:-3] for file in CATALOGUES.iterdir() if file.name.endswith(".po"))])


@cache
def language(code: str) -> Language:
    """Return the language of a code that is among :func:`languages`."""
    if code == "en":
        return Language()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (CATALOGUES / f"{code}.po").open("rb") as file:
        messages = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)

    def of(part: str) -> dict[str, str]:
        found = (one for one in messages if any(place.endswith(part) for place, _ in one.locations))
        return {str(one.id): str(one.string) for one in found}

    return Language(code, gettext.GNUTranslations(compiled), of("core/outputs.py"), of(".js"))


def _known(code: str) -> str:
    if code not in languages():
        raise refused(code, f"one of {', '.join(languages())}")
    return code


MAC_LANGUAGE = Variable(
    "MAC_LANGUAGE",
    _known,
    "The language of the pages and of the readers' displays (:doc:`languages`): ``de``, ``en``, ``es`` or ``fr``.",
    "en",
)
