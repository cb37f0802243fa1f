"""The catalogues of mac_actors/languages brought up to date with the texts: ``make catalogues``.

Texts are marked by the functions of :data:`KEYWORDS`; those of a template are found in the Python that it becomes.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import bottle
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

import mac_actors

PACKAGE = Path(mac_actors.__file__).parent
LANGUAGES = PACKAGE / "languages"

KEYWORDS = {"_": None, "n_": (1, 2), "rich": None, "phrase": None, "plural": (1, 2)}

HEADER = """# {language} texts of mac-actors: the pages and the readers' displays.
# docs/languages.rst says how this file is kept; `make catalogues` brings it up to date."""


@cache
def texts() -> Catalog:
    """Return all texts that there are to translate, with the files that they are in."""
    catalogue = Catalog(project="mac-actors", charset="utf-8")
    for path in sorted(PACKAGE.rglob("*")):
        for line, found, comments in _found_in(path):
            place = str(path.relative_to(PACKAGE.parent))
            catalogue.add(found, None, [(place, line)], auto_comments=comments)
    return catalogue


def _found_in(path: Path) -> Iterator[tuple[int, str | tuple[str, ...], list[str]]]:
    if (
        path.suffix not in {".py", ".tpl", ".js"}
        or ".min." in path.name
        or "swagger" in path.name
        or "help" in path.parts
    ):
        return
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".tpl":
        source = bottle.StplParser(source).translate()
    kind = "javascript" if path.suffix == ".js" else "python"
    keywords = {"say": None} if path.suffix == ".js" else KEYWORDS
    for line, found, comments, _ in extract(kind, io.BytesIO(source.encode()), keywords, ("LCD:",)):
        if found:
            yield line, found, comments


def read(code: str) -> Catalog:
    """Return the catalogue of a language; an empty one for a new language. Raises ``UnknownLocaleError``."""
    path = LANGUAGES / f"{code}.po"
    if not path.exists():
        return Catalog(locale=code, project="mac-actors", charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=code)


def updated(code: str) -> bytes:
    """Return the file of a language with all texts and no others. What is new is empty, nothing is guessed."""
    catalogue, wanted = read(code), texts()
    catalogue.update(wanted, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    assert catalogue.locale is not None
    catalogue.header_comment = HEADER.format(language=catalogue.locale.english_name)
    out = io.BytesIO()
    write_po(out, catalogue, width=120, include_lineno=False, omit_header=False, sort_by_file=True)
    kept = (b'"Plural-Forms', b'"MIME', b'"Content-T', b'"Language:')
    lines = out.getvalue().splitlines(keepends=True)
    head = lines.index(b"\n")
    return b"".join(
        line
        for number, line in enumerate(lines)
        if number >= head or not line.startswith(b'"') or line.startswith(kept)
    )


def missing(code: str) -> list[Message]:
    """Return the texts that a language lacks."""
    found = read(code)
    return [one for one in texts() if one.id and not ((it := found.get(one.id)) and it.string and all(it.string))]


def main(codes: list[str]) -> None:
    """Bring the catalogues up to date, and say what is left to translate."""
    for code in codes or sorted(path.stem for path in LANGUAGES.glob("*.po")):
        path = LANGUAGES / f"{code}.po"
        path.write_bytes(updated(code))
        print(f"{path}: {len(missing(code))} texts to translate")


if __name__ == "__main__":
    main(sys.argv[1:])
