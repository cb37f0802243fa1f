"""Texts that can be said in other languages: an English text that remembers what it was made of."""

from __future__ import annotations

from collections.abc import Iterable


class Phrase(str):
    """An English text, for whoever wants no other; and the ``template`` and ``values`` that it was made of, for pages.

    Values are filled in as :meth:`str.format` does it. A value may be a phrase itself.
    """

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Phrase:
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template, made.values = template, values
        return made

    def __str__(self) -> Phrase:
        """Return itself: an exception that was raised with it says it again."""
        return self


phrase = Phrase
"""Makes a phrase whose template is in the catalogues: ``make catalogues`` looks for calls of this name."""


def plural(one: str, many: str) -> tuple[str, str]:
    """Mark two templates, for one ``{number}`` and for others, as texts of the catalogues."""
    return one, many


def joined(separator: str, parts: Iterable[str]) -> Phrase:
    """Put texts together that stay phrases; the separator is the same in all languages."""
    values = {f"p{number}": part for number, part in enumerate(parts)}
    return Phrase(separator.join(f"{{{name}}}" for name in values), **values)
