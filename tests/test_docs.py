"""The documentation is whole, and its first page works when it is followed to the letter."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

import mac_actors
from mac_actors.cli import main
from mac_actors.core.outcomes import KINDS
from mac_actors.settings import environment as settings_environment
from mac_actors.settings import from_environment
from mac_actors.settings.environment import VARIABLES
from mac_actors.settings.machine_entries import MachineEntry, MaintenanceEntry, OfflineEntry, SecondRelayEntry
from mac_actors.settings.slack_file import QuietEntry, ReminderEntry, SlackEntry
from mac_actors.settings.user_entries import UserEntry
from mac_actors.settings.variables import Variable
from mac_actors.settings.webhooks import WebhookEntry
from tests.e2e.forks import put_command
from tests.e2e.processes import PATIENCE, environment, free_port, serve_in_shell
from tests.web.client import described

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.rst"))}
PACKAGE = Path(mac_actors.__file__).parent


def _commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    """All commands by their names; one of a group as ``group command``."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        found |= (
            _commands(command, f"{before}{name} ") if isinstance(command, click.Group) else {before + name: command}
        )
    return found


COMMANDS = _commands(main)


def _section(page: str, word: str) -> str:
    """The text below the heading that is the word, or has it in its list."""
    parts = re.split(r"^(.+)\n[-=~]{3,}$", PAGES[page], flags=re.MULTILINE)
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        if word in heading.split(", "):
            return text
    raise AssertionError(f"docs/{page} has no heading with {word!r}")


def _variables() -> list[str]:
    """Every string in the sources that is the name of an environment variable."""
    strings = {
        node.value
        for source in PACKAGE.glob("settings/*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return sorted(text for text in strings if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", text))


def _options() -> list[tuple[str, str]]:
    return [
        (name, option)
        for name, command in COMMANDS.items()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option != "--help"
    ]


def _calls() -> list[str]:
    return [
        f"{method.upper()} {re.sub('{([a-z]+)}', lambda part: part[1].upper(), path)}"
        for path, methods in described()["paths"].items()
        for method in methods
    ]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_a_section(command: str) -> None:
    assert f"mac-actors {command}" in _section("commands.rst", command)


@pytest.mark.parametrize(("command", "option"), _options())
def test_every_option_is_explained_at_its_command(command: str, option: str) -> None:
    assert f"``{option}``" in _section("commands.rst", command)


def test_the_environment_variables_are_found() -> None:
    assert {"MACHINES_CONFIG", "MAC_TLS_KEY", "MAC_URL", "SLACK_API_URL"} <= set(_variables())


@pytest.mark.parametrize("variable", _variables())
def test_every_environment_variable_is_explained(variable: str) -> None:
    assert variable in {known.name for known in VARIABLES}


def test_every_variable_that_is_explained_exists_and_is_on_the_page() -> None:
    assert {known.name for known in VARIABLES} <= set(_variables())
    groups = re.findall(r"^\.\. variables:: (\w+)$", PAGES["configuration.rst"], re.MULTILINE)
    assert [name for group in groups for name in getattr(settings_environment, group)] == list(VARIABLES)


@pytest.mark.parametrize("variable", [known for known in VARIABLES if known.default is not None], ids=lambda v: v.name)
def test_the_default_that_is_said_is_the_default(variable: Variable) -> None:
    assert from_environment({variable.name: str(variable.default)}) == from_environment({})


@pytest.mark.parametrize("call", _calls())
def test_every_call_of_the_api_is_explained(call: str) -> None:
    assert f"``{call}``" in PAGES["http.rst"]


@pytest.mark.parametrize(
    "model",
    [
        *(MachineEntry, MaintenanceEntry, OfflineEntry, SecondRelayEntry, UserEntry, WebhookEntry),
        *(QuietEntry, ReminderEntry, SlackEntry),
    ],
)
def test_every_key_of_the_files_is_explained(model: type[BaseModel]) -> None:
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_event_is_explained(kind: str) -> None:
    assert f"``{kind}``" in PAGES["http.rst"]


def test_every_decision_is_in_the_list() -> None:
    decisions = ROOT / "docs" / "decisions"
    listed = (decisions / "index.rst").read_text(encoding="utf-8")
    assert not [page.name for page in decisions.glob("*.rst") if page.name != "index.rst" and page.name not in listed]


def _steps() -> list[tuple[str, str, str]]:
    """What start.rst tells its reader to do, in order: ``file`` with name and text, ``run`` with command and output."""
    block = re.compile(r"^\.\. code-block:: (\w+)\n(?:   :caption: (\S+)\n)?\n((?:   .*\n|\n)+)", re.MULTILINE)
    steps: list[tuple[str, str, str]] = []
    for language, caption, body in block.findall(PAGES["start.rst"]):
        text = re.sub(r"^   ", "", body, flags=re.MULTILINE).strip("\n")
        if caption:
            steps.append(("file", caption, text))
        elif language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                steps.append(("run", command, output))
    return steps


def _script(steps: list[tuple[str, str, str]], port: int, command_here: Path) -> str:
    """All steps as one shell script that stops at the first that fails, and marks where each command begins."""
    lines = ["set -eu", "server=", "trap '[ -z \"$server\" ] || kill $server 2>/dev/null || true; wait' EXIT"]
    for number, (what, first, second) in enumerate(steps):
        if what == "file":
            lines.append(f"cat > {first} <<'END OF FILE'\n{second}\nEND OF FILE")
            continue
        lines.append(f"printf '\\n@@ {number}\\n'")
        command = first.replace("localhost:5000", f"127.0.0.1:{port}")
        if command.startswith("git clone "):  # the repository is here, and installed for this python
            lines.append(f"mkdir {command.split()[-1]}")
        elif command.startswith("make "):
            lines.append(f"mkdir -p .venv/bin; ln -s {command_here} .venv/bin/mac-actors")
        elif command == "mac-actors serve":
            lines += [*serve_in_shell(command, port), "cat serve.log"]
        else:
            lines.append(command)
    lines.append("kill $server; wait $server; server=; printf '\\n@@ end\\n'")
    return "\n".join(lines)


def _normalised(output: str) -> str:
    """Without what differs each time: numbers (times, ports, versions), the time zone and the width of columns."""
    return " ".join(re.sub(r"\d+( min\b)?", "N", re.sub(r"(?<=:\d\d) [A-Z]+", " ZONE", output)).split())


def test_the_start_page_works_when_it_is_followed(tmp_path: Path) -> None:
    steps = _steps()
    commands = {number: (first, second) for number, (what, first, second) in enumerate(steps) if what == "run"}
    assert [first for what, first, _ in steps if what == "file"] == ["machines.json", "users.json"]
    assert {"git clone", "make demo", "mac-actors check", "mac-actors serve", "curl -s"} <= {
        " ".join(first.split()[:2]) for first, _ in commands.values()
    }
    port = free_port()
    (reader := tmp_path / "reader").mkdir()
    descriptor = put_command(tmp_path)
    done = subprocess.run(
        ["bash", "-c", _script(steps, port, tmp_path / "mac-actors")],
        pass_fds=[descriptor],
        cwd=reader,
        env=environment(MAC_PORT=str(port), MAC_COMMIT_BUDGET="10"),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    parts = re.split(r"^@@ (\w+)\n", done.stdout, flags=re.MULTILINE)
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    reached = [commands[int(number)][0] for number in said if number != "end"]
    assert (done.returncode, done.stderr) == (0, ""), f"failed at: {reached[-1:]}\n{done.stdout}\n{done.stderr}"
    for number, (command, shown) in commands.items():
        if command.startswith(("git ", "make ")):
            continue
        assert _normalised(said[str(number)]) == _normalised(shown), command
