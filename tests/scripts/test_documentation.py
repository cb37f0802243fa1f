"""What docs/python.rst shows is what happens."""

from __future__ import annotations

import code
import re
import sys
from pathlib import Path

import pytest

import mac_actors
from mac_actors.actors.runtime import Ping
from tests.e2e.processes import ROOT

PAGE = (ROOT / "docs" / "python.rst").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^\.\. code-block:: pycon\n\n((?:   .*\n|\n)+)", PAGE, re.MULTILINE)


def _plain(line: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "TIME", line.strip())


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_session_in_the_page_goes_as_it_is_shown(
    block: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    lines = [line[3:] for line in block.splitlines() if line.strip()]
    console = code.InteractiveConsole({"Fleet": mac_actors.Fleet})  # which the first session imports
    for line in lines:
        if line.startswith(">>> "):
            console.push(line[4:])
            fleet = console.locals.get("fleet")
            if isinstance(fleet, mac_actors.Fleet) and "closed" not in repr(fleet):
                fleet.publisher.ref.ask(Ping())  # a person types slower than outcomes are told
    said = capsys.readouterr()
    shown = [_plain(line) for line in lines if not line.startswith(">>> ")]
    heard = [_plain(line) for line in (said.out + said.err).splitlines() if not line.startswith("  ")]
    assert sorted(heard) == sorted(shown)


def test_there_are_sessions() -> None:
    assert len(BLOCKS) == 3


def test_every_public_name_is_in_the_page() -> None:
    described = set(re.findall(r"mac_actors\.(\w+)", PAGE)) | set(re.findall(r"class (\w+)\(", _errors()))
    assert set(mac_actors.__all__) <= described


def _errors() -> str:
    return Path(str(sys.modules["mac_actors.errors"].__file__)).read_text(encoding="utf-8")
