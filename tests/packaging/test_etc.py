"""The files in ``etc/``: the environment, the units, the container. What they say is true of the server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mac_actors.cli import main
from mac_actors.settings import Settings, from_environment
from mac_actors.settings.environment import VARIABLES
from tests.e2e.processes import ROOT
from tests.test_docs import _variables

ETC = ROOT / "etc"
ENV = (ETC / "mac-actors.env").read_text(encoding="utf-8")
SETTING = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def test_the_environment_file_has_every_variable_once_and_no_other() -> None:
    named = [name for name, _ in SETTING.findall(ENV)]
    assert sorted(named) == _variables()


def test_every_variable_in_the_environment_file_is_explained_right_above_it() -> None:
    lines = ENV.splitlines()
    for number, line in enumerate(lines):
        if SETTING.match(line) and not SETTING.match(lines[number - 1]):
            assert re.match(r"# .*[.:)]$", lines[number - 1]), line


def test_nothing_is_set_in_the_environment_file_as_it_is() -> None:
    assert not [line for line in ENV.splitlines() if line and not line.startswith("#")]


def test_every_value_in_the_environment_file_is_valid_when_it_is_taken_out_of_its_comment(tmp_path: Path) -> None:
    values = dict(SETTING.findall(ENV))
    for name in ("MAC_TLS_CERT", "MAC_TLS_KEY", "MAC_MQTT_PASSWORD_FILE"):  # files have to be there
        (tmp_path / name).touch()
        values[name] = str(tmp_path / name)
    space = json.dumps({"space": "Example", "logo": "https://example.org/logo.png", "url": "", "contact": {}})
    for name, content in (("MAC_SPACE_LOGO", "<svg/>"), ("MAC_SPACEAPI", space)):
        (tmp_path / name).write_text(content, encoding="utf-8")
        values[name] = str(tmp_path / name)
    settings = from_environment(values)
    assert settings.slack is not None
    plain = {variable.name: values[variable.name] for variable in VARIABLES if variable.default is not None}
    assert from_environment(plain) == Settings(), "what is shown is the default"


def test_no_value_in_the_environment_file_is_read_differently_by_systemd_the_shell_or_a_container() -> None:
    for name, value in SETTING.findall(ENV):
        assert not re.search(r"[\s\"'$\\#;&|<>()`*?~]", value), name


def _unit(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_server_runs_unprivileged_and_writes_nowhere_but_in_its_state_directory() -> None:
    unit = _unit(ETC / "mac-actors.service")
    assert unit["User"] == ["mac-actors"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["NoNewPrivileges"] == ["yes"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["StateDirectory"] == ["mac-actors"]
    assert "ReadWritePaths" not in unit
    assert "MACHINE_STATE_DIR=/var/lib/mac-actors" in unit["Environment"]
    assert unit["Type"] == ["notify"]
    assert int(unit["WatchdogSec"][0]) >= 30


@pytest.mark.skipif(
    not shutil.which("systemd-analyze") and "CI" not in os.environ, reason="left out: there is no systemd-analyze here"
)
@pytest.mark.parametrize(("name", "most"), [("mac-actors.service", 1.5), ("mac-actors-backup.service", 1.5)])
def test_systemd_finds_no_mistake_in_the_units_and_little_that_is_exposed(
    name: str, most: float, tmp_path: Path
) -> None:
    for path in ETC.glob("mac-actors*.*"):
        text = path.read_text(encoding="utf-8").replace("/opt/mac-actors/bin/mac-actors", "/bin/true")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    figure = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout)
    assert figure, rated.stdout + rated.stderr
    assert float(figure[1]) <= most


def test_the_container_runs_as_a_user_without_rights_and_asks_after_its_life_with_a_command_that_there_is() -> None:
    text = (ETC / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")
    last = text[text.rindex("\nFROM ") :]
    user = re.search(r"^USER (\d+):(\d+)$", last, flags=re.MULTILINE)
    assert user
    assert min(int(number) for number in user.groups()) >= 1000
    assert "STOPSIGNAL SIGTERM" in last
    for what in ("HEALTHCHECK", "CMD"):
        (line,) = re.findall(rf"^{what}.*?(\[.*\])$", last, flags=re.MULTILINE)
        name, *options = json.loads(line)[1:]
        command = main.commands[name]
        assert command.make_context(name, options)
    variables = re.findall(r"\b((?:MAC|MACHINES?|USERS|SLACK)_[A-Z_]+)=", last)
    assert {"MACHINES_CONFIG", "USERS_CONFIG", "MACHINE_STATE_DIR"} <= set(variables) <= set(_variables())


def test_what_the_container_is_built_from_is_let_through_and_nothing_secret() -> None:
    text = (ETC / "Containerfile").read_text(encoding="utf-8")
    needed = {name for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, flags=re.MULTILINE) for name in line.split()}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == needed
    assert all((ROOT / name).exists() for name in needed)
