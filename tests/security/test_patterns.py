"""Regular expressions that meet what comes from outside take time in proportion to its length."""

from __future__ import annotations

import ast
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2] / "mac_actors"
ROOMS = ("web", "slack", "core", "storage", "fleet", "actors", "client")
"""Where what is matched may come from a client, a reader, Slack or another server. Settings and imports read files that
an admin chose."""

LENGTH = 64 * 1024
SECONDS = 2.0
"""Of the processor. In proportion 64 kB take some milliseconds; with the square of the length, many seconds."""

ANYWHERE = {"search", "sub", "subn", "split", "findall", "finditer", "compile"}
"""What looks for a match from each place on. A pattern that is compiled may be used so."""


def _patterns() -> Iterator[tuple[str, str | bytes, str]]:
    """Find all patterns that are written out: where, the pattern, and by what it is used."""
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "re"
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                    and isinstance(node.args[0].value, str | bytes)
                ):
                    method = node.func.attr
                    if method == "compile" and isinstance(found := _use(text, node), str):
                        method = found
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node.args[0].value, method


def _use(text: str, compiled: ast.Call) -> str | None:
    """Return how the pattern that is compiled here is used, if it is used in one way."""
    line = text.splitlines()[compiled.lineno - 1]
    name = line.partition("=")[0].strip()
    uses = set(re.findall(rf"\b{re.escape(name)}\.(\w+)\(", text))
    return uses.pop() if len(uses) == 1 else None


def _kinds(pattern: str | bytes) -> Iterator[str]:
    """Make long texts that nearly match: every short text of the pattern's own characters, over and over."""
    text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
    own = "".join(sorted({c for c in text if c not in "\\()[]{}|?*+^$"} | set(' \ta0"<&\r\n')))
    chance = random.Random(text)
    literal = (re.match(r"(?:\\[rnt]|[-\w:<@/&\"])*", text) or [""])[0].encode().decode("unicode_escape")
    starts = [
        "",
        *(literal + end for end in ("", ":", "=", "<@")),
        *("".join(chance.choices(own, k=3)) for _ in range(6)),
    ]
    repeated = [*own, *("".join(chance.choices(own, k=chance.randint(2, 4))) for _ in range(12))]
    for part in repeated:
        yield part * (LENGTH // len(part)) + "\0"
    for start in starts:
        part = " " if start[-1:] == ":" else chance.choice(repeated)
        yield start + part * (LENGTH // len(part)) + "\rx"


PATTERNS = list(_patterns())


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 5
    assert any("commands.py" in where for where, _, _ in PATTERNS)


@pytest.mark.parametrize(("where", "pattern", "method"), PATTERNS, ids=[where for where, _, _ in PATTERNS])
def test_64_kb_of_any_kind_are_matched_at_once(where: str, pattern: str | bytes, method: str) -> None:
    compiled: re.Pattern[Any] = re.compile(pattern)
    match = compiled.search if method in ANYWHERE else getattr(compiled, method)
    for text in _kinds(pattern):
        begun = time.thread_time()
        match(text if isinstance(pattern, str) else text.encode("latin-1", "replace"))
        assert time.thread_time() - begun < SECONDS, (where, pattern, text[:40])
