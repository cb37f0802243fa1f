"""What somebody meets who has never seen the program: its help, and what it says to the usual mistakes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mac_actors.cli import main
from mac_actors.cli.sections import SECTIONS
from mac_actors.errors import ConfigError
from mac_actors.settings import Tokens
from mac_actors.settings.files import parse
from tests.conftest import Here, MakeServer
from tests.fakes import ANN
from tests.web.client import Running

ROOT = Path(__file__).parents[1]

ONE_TOO_MANY = (
    "(this comma is one too many)" if sys.version_info >= (3, 13) else "(the comma before it is one too many)"
)


def test_the_help_lists_every_command_once_under_a_heading_with_its_whole_line() -> None:
    said = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    lines = said.splitlines()
    for name in main.commands:
        assert len([line for line in lines if line.split()[:1] == [name] and line.startswith("  ")]) == 1, name
    assert [heading for heading in SECTIONS if f"{heading}:" not in lines] == []
    assert "..." not in said.partition("Options:")[2]
    assert {name for names in SECTIONS.values() for name in names} <= set(main.commands)


def test_a_command_without_a_heading_is_listed_last() -> None:
    try:
        main.add_command(click.Command("aaa", help="Something new."))
        said = CliRunner().invoke(main, ["--help"]).output
    finally:
        del main.commands["aaa"]
    assert said.partition("\nMore:\n")[2].split() == ["aaa", "Something", "new."]


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("", "(the file is empty)"),
        (" \n", "(the file is empty)"),
        (
            '{"saw": {"authorizations_or": [],}}',
            ONE_TOO_MANY,
        ),
        (
            '{"saw": {"authorizations_or": ["a", ]}}',
            ONE_TOO_MANY,
        ),
        (
            '{"saw": {"alias": "Saw"\n "authorizations_or": []}}',
            "(a comma is missing at the end of what stands before it)",
        ),
        ("{'saw': {}}", '(texts and keys stand between ")'),
        ('{"saw": nothing}', ""),
    ],
)
def test_broken_json_says_what_was_most_likely_done(tmp_path: Path, content: str, hint: str) -> None:
    path = tmp_path / "machines.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        parse(path, ROOT / "etc" / "users.json")
    [line] = caught.value.problems
    assert ": not JSON: " in line
    assert line.endswith(hint)
    assert hint or not line.endswith(")")


def test_a_missing_file_says_where_it_was_looked_for_and_how_to_begin(tmp_path: Path, here: Here) -> None:
    done = here("check", cwd=tmp_path)
    assert done.returncode == 2
    assert f"(looked in {tmp_path}; 'mac-actors init DIRECTORY' writes first ones)" in done.stderr


def test_a_wrong_token_is_not_taken_for_a_missing_one(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server(tokens=Tokens(admin="right"))
    without = here("oops", "router", "--url", server.url, cwd=tmp_path)
    wrong = here("oops", "router", "--url", server.url, cwd=tmp_path, MAC_ADMIN_TOKEN="wrong")
    assert (without.returncode, wrong.returncode) == (1, 1)
    load = "In the directory of mac-actors.env: set -a; . ./mac-actors.env; set +a\n"
    assert without.stderr.endswith(f"Set MAC_ADMIN_TOKEN to the server's token. {load}")
    assert wrong.stderr.endswith(f"The MAC_ADMIN_TOKEN that is set here is not the server's. {load}")


def test_forget_without_a_terminal_says_how_to_agree(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server(tokens=Tokens(admin="right"))
    server.outputs("metal-mill", ANN)
    done = here("forget", "1", "--url", server.url, cwd=tmp_path, MAC_ADMIN_TOKEN="right")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: nothing was changed: there is no terminal to ask at: Forget ")
    assert done.stderr.endswith("? This can't be undone. --yes agrees beforehand\n")


def test_a_reader_with_a_name_that_is_in_no_file_is_logged_once_and_a_flood_of_names_ends(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert server.report("tablesaw").status == 404
    for number in range(150):
        server.report(f"invented\n{number}")
    said = [r.getMessage() for r in caplog.records if "not in the machines file" in r.getMessage()]
    assert said[0] == "a reader at 127.0.0.1 reports for 'tablesaw', which is not in the machines file"
    assert len(said) == 100
    assert not any("\n" in line for line in said)


@pytest.mark.parametrize("name", ["left_running", "opening_hours", "usage_report"])
def test_an_example_without_its_numbers_says_how_it_is_called(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(ROOT / "docs" / "examples" / f"{name}.py")
    monkeypatch.setattr(sys, "argv", [path])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(path, run_name="__main__")
    assert f"python {name}.py" in str(ended.value.code), "a text is said on standard error, and the status is 1"
