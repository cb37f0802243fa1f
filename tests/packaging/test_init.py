"""``mac-actors init`` as somebody does it who has just installed the command; what it prints is typed as printed."""

from __future__ import annotations

import json
import os
import re
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mac_actors.cli import init as init_module
from mac_actors.cli.init import FILES
from mac_actors.errors import MacError
from mac_actors.settings import from_environment
from tests.e2e.processes import ROOT, free_port, run, run_script, serve_in_shell


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _commands(said: str) -> list[str]:
    """What is to be typed, in order: the lines that are set off."""
    return [line.strip() for line in said.splitlines() if line.startswith("       ")]


def test_init_writes_a_configuration_that_is_fine_and_keeps_secrets_to_the_owner(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        done = run("init", "shop", cwd=tmp_path)
    finally:
        os.umask(umask)
    assert (done.returncode, done.stderr) == (0, "")
    shop = tmp_path / "shop"
    assert {path.name for path in shop.iterdir()} == set(FILES)
    assert {name: _mode(shop / name) for name in FILES} == FILES
    assert [line for line in done.stdout.splitlines() if line.startswith("wrote ")] == [
        f"wrote {shop / name}" for name in FILES
    ]
    assert run("check", cwd=shop).returncode == 0


def test_each_shop_gets_a_token_of_its_own(tmp_path: Path) -> None:
    tokens = set()
    for name in ("one", "two"):
        run("init", name, cwd=tmp_path)
        lines = (tmp_path / name / "mac-actors.env").read_text().splitlines()
        (token,) = (line for line in lines if line and not line.startswith("#"))
        assert re.fullmatch(r"MAC_ADMIN_TOKEN=[0-9a-f]{64}", token)
        tokens.add(token)
    assert len(tokens) == 2


def test_init_never_changes_a_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text("mine")
    (tmp_path / "mac-actors.env").symlink_to("nowhere")
    done = run("init", ".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: users.json, mac-actors.env are in {tmp_path} already: nothing was written.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mac-actors.env", "users.json"]
    done = run("init", ".", "--missing", cwd=tmp_path)
    assert done.returncode == 0
    assert "wrote" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    assert (tmp_path / "users.json").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    assert run("init", ".", "--missing", cwd=tmp_path).stdout.startswith("\nWhat next:")


@pytest.mark.parametrize(
    ("directory", "said"),
    [
        ("my shop", "Error: DIRECTORY is '.*/my shop': a service file can't name a path with a space"),
        ("100%", "Error: DIRECTORY is '.*/100%': a service file can't name"),
        ("file/shop", "Error: cannot write .*/file/shop: Not a directory. Choose a directory that is yours"),
        ("/proc/shop", "Error: cannot write /proc/shop: "),
    ],
)
def test_a_directory_that_cannot_be_used_is_refused_with_what_to_do(directory: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("init", directory, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(said, done.stderr)
    assert done.stderr.count("\n") == 1


def test_on_a_full_disk_no_half_file_is_left_that_would_pass_for_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILES, "full", 0o600)  # after the others
    monkeypatch.setattr(init_module, "_content", lambda name, *_: "x" * 5000 if name == "full" else name)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        done = CliRunner().invoke(init_module.init, [str(tmp_path / "shop")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(done.exception, MacError)
    assert re.search("cannot write .*too large.* with room on its disk", str(done.exception))
    assert {path.name for path in (tmp_path / "shop").iterdir()} == set(FILES) - {"full"}


@pytest.mark.parametrize("name", ["mac-actors.service", "mac-actors-backup.service", "mac-actors-backup.timer"])
def test_the_units_name_this_installation_and_this_directory(name: str, tmp_path: Path) -> None:
    text = init_module._content(name, Path("/srv/Frøyas_shop"), f"{sys.executable} -m mac_actors")
    assert "/opt/" not in text
    assert "/etc/mac-actors" not in text
    if name == "mac-actors.service":
        assert f"ExecStart={sys.executable} -m mac_actors serve\n" in text
        assert "WorkingDirectory=/srv/Frøyas_shop\n" in text
        assert "EnvironmentFile=-/srv/Frøyas_shop/mac-actors.env\n" in text
    if name == "mac-actors-backup.service":
        assert f"exec {sys.executable} -m mac_actors backup" in text
        assert "/bin/cp /srv/Frøyas_shop/machines.json /srv/Frøyas_shop/users.json" in text


def _type(commands: list[str], directory: Path, port: int, stand_ins: Path) -> str:
    """Type the commands in one shell, as printed; ``serve`` goes to the background, as in a terminal of its own."""
    script = ["set -eu", "server=", "trap '[ -z \"$server\" ] || kill $server; wait' EXIT"]
    for command in commands:
        typed = command.replace("localhost:5000", f"localhost:{port}")
        if typed.endswith(" serve"):
            script += serve_in_shell(typed, port)
        else:
            script += [f"echo '$ {typed.replace(chr(39), '')}'", typed]
    return run_script([*script, "kill $server || true; wait $server || true; server="], directory, port, stand_ins)


def test_the_first_try_works_as_it_is_printed(tmp_path: Path) -> None:
    """In a directory of somebody's own, as a visitor of the shop would begin."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sudo").write_text('#!/bin/sh\n[ "$1" = -i ]\n')  # the root shell: here it is this one
    (tmp_path / "bin" / "sudo").chmod(0o755)
    said = run("init", "shop", cwd=tmp_path).stdout
    steps = re.findall(r"^(\d)\. ", said, flags=re.MULTILINE)
    assert steps == [str(number) for number in range(1, len(steps) + 1)]
    commands = _commands(said)
    output = _type(commands, tmp_path, free_port(), tmp_path / "bin")
    assert "machines.json and users.json are fine: 3 machines, 2 users with 2 fobs." in output
    assert '{"relay":true,"display":"Welcome,\\nAda"' in output
    assert re.search(r"Table Saw +in use +.* +Ada Example \(authorized\) +online", output), "with the admins' token"
    assert "a service can't look into" in said
    assert "docs/operations.rst" in said
    assert (ROOT / "docs" / "operations.rst").exists()
    assert (tmp_path / "shop" / "machine_state" / "mac.sqlite3").exists()


@pytest.mark.parametrize("root", [True, False])
def test_the_steps_to_a_service_work_as_they_are_printed(
    root: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With stand-ins for what needs root and systemd: they write down how they were called."""
    stand_ins, called = tmp_path / "bin", tmp_path / "called"
    stand_ins.mkdir()
    for name, body in {
        "sudo": '[ "$1" = -i ] || "$@"',
        "useradd": f'echo "useradd $*" >> {called}',
        "chgrp": f'shift; for file; do test -e "$file"; echo "chgrp $file" >> {called}; done',
        "cp": f'for file; do test -e "$file"; echo "cp $file" >> {called}; done',
        "systemctl": f'echo "systemctl $*" >> {called}',
    }.items():
        (stand_ins / name).write_text(f"#!/bin/sh\nset -e\n{body}\n")
        (stand_ins / name).chmod(0o755)
    monkeypatch.setattr(init_module, "NOT_FOR_A_SERVICE", ("/home/",))
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    command = f"{sys.executable} -m mac_actors"
    shop = tmp_path / "shop"
    init_module._write(shop, command, missing=False)
    settings, state = shop / "mac-actors.env", "MACHINE_STATE_DIR=/var/lib/mac-actors\n"
    assert (state in settings.read_text()) is root, "a root shell that loads it means the service's database"
    settings.write_text(settings.read_text().replace(f"\n{state}", f"\nMACHINE_STATE_DIR={tmp_path}/state\n"))
    said = init_module._next_steps(shop, command)
    commands = _commands(said)
    assert ("sudo -i" in commands) is root
    serve = [] if not root else [f"cd {shop}", f"{command} serve"]
    first = commands.index(f"{command} check") + 1
    output = _type([*commands[:first], *serve, *commands[first:]], tmp_path, free_port(), stand_ins)
    assert '{"relay":true,"display":"Welcome,\\nAda"' in output
    units = ["mac-actors-backup.service", "mac-actors-backup.timer", "mac-actors.service"]
    lines = called.read_text().splitlines()
    assert lines[0].startswith("useradd --system")
    assert {line for line in lines if line.startswith("cp ")} == {
        *(f"cp {shop / name}" for name in units),
        "cp /etc/systemd/system/",
    }
    assert "systemctl enable --now mac-actors.service mac-actors-backup.timer" in lines
    assert (_mode(shop / "users.json"), _mode(shop / "mac-actors.env")) == (0o640, 0o600)


def test_the_settings_of_a_new_shop_mean_the_same_to_the_server_and_to_the_shell(tmp_path: Path) -> None:
    run("init", "shop", cwd=tmp_path)
    shell = subprocess.run(
        ["sh", "-c", "set -a; . ./mac-actors.env; set +a; env -0"],
        cwd=tmp_path / "shop",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    in_shell = dict(entry.split("=", 1) for entry in shell.stdout.split("\0") if entry)
    lines = (tmp_path / "shop" / "mac-actors.env").read_text().splitlines()
    in_systemd = dict(line.split("=", 1) for line in lines if line and line[0] not in "#;")
    assert in_shell.items() >= in_systemd.items()
    assert from_environment(in_systemd).tokens.admin == in_systemd["MAC_ADMIN_TOKEN"]


def test_the_example_of_a_configuration_needs_no_explanation_of_json(tmp_path: Path) -> None:
    run("init", "shop", cwd=tmp_path)
    readme = (tmp_path / "shop" / "README.txt").read_text()
    machines = json.loads((tmp_path / "shop" / "machines.json").read_text())
    users = json.loads((tmp_path / "shop" / "users.json").read_text())
    for name in FILES:
        if name != "README.txt":
            assert name in readme
    for key in {key for machine in machines.values() for key in machine}:
        assert re.search(rf"^ +{key} ", readme, flags=re.MULTILINE), key
    assert {"fob_codes", "authorizations", "expiration_ymd", "oops_override"} <= {key for user in users for key in user}
