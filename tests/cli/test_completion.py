"""Tab knows commands, options and machines; it is never slow, and says nothing where it knows nothing."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.conftest import Here
from tests.e2e.processes import ROOT, SAMPLES, free_port, run_script
from tests.web.client import Running

PAGE = (ROOT / "docs" / "commands.rst").read_text(encoding="utf-8")


def completed(here: Here, line: str, cwd: Path, **variables: str) -> list[str]:
    """What is offered for the last word of a line."""
    words = {"COMP_WORDS": f"mac-actors {line}", "COMP_CWORD": str(line.count(" ") + 1)}
    done = here(cwd=cwd, _MAC_ACTORS_COMPLETE="bash_complete", **words, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return [answer.removeprefix("plain,") for answer in done.stdout.split()]


def test_in_bash_as_the_documentation_has_it(tmp_path: Path) -> None:
    [line] = re.findall(r"echo '(eval .*bash_source.*)' >> ~/.bashrc", PAGE)
    script = (
        f'{line}; COMP_WORDS=(mac-actors lock m) COMP_CWORD=2; _mac_actors_completion mac-actors; echo "$COMPREPLY"'
    )
    assert run_script([script], tmp_path, free_port(), tmp_path, **SAMPLES) == "metal-mill\n"


def test_commands_and_options(tmp_path: Path, here: Here) -> None:
    assert completed(here, "un", tmp_path) == ["unoops", "unlock"]
    assert completed(here, "users import n", tmp_path) == ["neon"]
    assert completed(here, "status --j", tmp_path) == ["--json"]


@pytest.mark.parametrize("command", ["status", "oops", "lock", "clear", "unoops", "unlock", "events"])
def test_machines_of_the_file_that_is_here(command: str, tmp_path: Path, here: Here) -> None:
    (tmp_path / "machines.json").write_text('{"saw": {"alias": "Saw"}, "laser": {}}')
    assert completed(here, f"{command} ", tmp_path) == ["saw", "laser"]
    assert completed(here, f"{command} l", tmp_path) == ["laser"]


def test_machines_of_the_server_that_is_meant(shared_server: Running, tmp_path: Path, here: Here) -> None:
    here_and_there = [
        completed(here, "lock ro", tmp_path, MAC_PORT=str(shared_server.port)),
        completed(here, "lock ro", tmp_path, MAC_URL=shared_server.url, **SAMPLES),
        completed(here, f"lock --url {shared_server.url} ro", tmp_path, **SAMPLES),
    ]
    assert here_and_there == [["router"]] * 3


def test_where_nothing_is_found_nothing_is_said(tmp_path: Path, here: Here) -> None:
    assert completed(here, "lock ", tmp_path, MAC_PORT=str(free_port())) == []
    assert completed(here, "lock ", tmp_path, MAC_URL="nonsense") == []
    for broken in ("{", "[]", '{"saw": 7}'):
        (tmp_path / "machines.json").write_text(broken)
        assert completed(here, "lock ", tmp_path) == []


def test_a_server_that_does_not_answer_is_not_waited_for(tmp_path: Path, here: Here) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert completed(here, "lock ", tmp_path, MAC_URL=f"http://127.0.0.1:{silent.getsockname()[1]}") == []
