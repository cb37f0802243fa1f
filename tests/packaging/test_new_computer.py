"""The page on a computer that died, followed to the letter, with what the backup unit has copied."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.e2e.processes import PATIENCE, ROOT, ServerProcess, environment, free_port, run, run_script, serve_in_shell

STAND_INS = {
    "sudo": 'exec env "$@"',
    "useradd": "exit 0",
    "systemctl": "exit 0",
    # Only root may give files to another user.
    "install": 'for a; do shift; case $a in -o|-g) s=1;; *) [ $s ] || set -- "$@" "$a"; s=;; esac; done\n'
    'PATH=${PATH#*:}; exec install "$@"',
}


def commands_of(page: str) -> list[str]:
    """Return what the page says to type."""
    return re.findall(r"^ +\$ (.*)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)


def back_up(shop: Path, state: Path, backups: Path) -> None:
    """Do what the unit does that ``init`` has written into the shop's directory."""
    backups.mkdir(mode=0o700)
    unit = (shop / "mac-actors-backup.service").read_text(encoding="utf-8")
    for line in re.findall(r"^ExecStart=\+?(.*)$", unit, re.MULTILINE):
        typed = line.replace("$$", "$").replace("%%", "%").replace("/var/lib/mac-actors-backup", str(backups))
        variables = environment(MACHINE_STATE_DIR=str(state))
        subprocess.run(["sh", "-c", f"umask 077; {typed}"], env=variables, check=True, timeout=PATIENCE)


def test_a_new_computer_takes_the_place_of_the_old_one_as_the_page_says(tmp_path: Path) -> None:
    old, state = tmp_path / "old", tmp_path / "old" / "machine_state"
    assert run("init", str(old), cwd=tmp_path).returncode == 0
    with ServerProcess(old, MACHINES_CONFIG="machines.json", USERS_CONFIG="users.json") as server:
        assert server.call("POST", "/api/machine/oops/table-saw", {"reason": "belt"}) == (200, {"success": True})
        back_up(old, state, tmp_path / "mac-actors-backup")
        server.kill()
    copied = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "mac-actors-backup").iterdir()}
    assert len(copied) == 4
    assert set(copied.values()) == {0o600}
    assert {"machines.json", "users.json", "mac-actors.env"} < set(copied)

    stand_ins, new = tmp_path / "bin", tmp_path / "new"
    stand_ins.mkdir()
    for name, body in STAND_INS.items():
        (stand_ins / name).write_text(f"#!/bin/bash\n{body}\n")
        (stand_ins / name).chmod(0o755)
    (new / "systemd").mkdir(parents=True)
    places = {
        "/media/usb": str(tmp_path),
        "/etc/mac-actors": str(new / "etc"),
        "/var/lib/mac-actors": str(new / "state"),
        "/etc/systemd/system": str(new / "systemd"),
    }
    commands = commands_of("new-computer.rst")
    installing = commands[: next(n for n, line in enumerate(commands) if "/usr/local/bin" in line) + 1]
    assert installing == commands_of("operations.rst")[: len(installing)]
    port = free_port()
    script = ["set -eu", "server=", "trap '[ -z \"$server\" ] || kill $server 2>/dev/null || true; wait' EXIT"]
    for line in commands[len(installing) :]:
        typed = line
        for place, here in places.items():
            typed = typed.replace(place, here)
        script.append(typed)
        if line.startswith("sudo systemctl enable"):
            settings = f"set -a; . {new}/etc/mac-actors.env; set +a; export MACHINE_STATE_DIR={new}/state"
            script += [f"cd {new}/etc", settings, f"MAC_PORT={port}", *serve_in_shell("mac-actors serve", port)]
    script += ["mac-actors status", "kill $server; wait $server; server="]
    said = run_script(script, new, port, stand_ins)
    assert f"The database in {new}/state is now the backup" in said
    assert "The server is well." in said
    assert re.search(r"(?i)table saw +oopsed .*belt", said), said
    assert (new / "etc" / "mac-actors.env").read_bytes() == (old / "mac-actors.env").read_bytes(), "the same tokens"
    assert (new / "etc" / "mac-actors.env").stat().st_mode & 0o777 == 0o600
    names = {path.name for path in (new / "systemd").iterdir()}
    assert names == {"mac-actors.service", "mac-actors-backup.service", "mac-actors-backup.timer"}
