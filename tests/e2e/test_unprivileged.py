"""The server needs no rights: no capability, and nothing that it may write to but its state directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tests.e2e.processes import COMMAND, ServerProcess, run

CONFINED = """
set -e
mount --bind "$STATE" "$STATE"
while read -r _ place _; do
  case "$place" in "$STATE"|/proc*|/sys*) ;; *) mount -o remount,bind,ro "$place" 2>/dev/null || true ;; esac
done < /proc/self/mounts
umask 000
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
"""
"""A mount namespace in which everything but the state directory is read-only; then every capability is given up."""

CONFINE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", CONFINED, "confined"]


def _open_to_others(directory: Path) -> dict[str, str]:
    modes = {str(path.relative_to(directory)): path.stat().st_mode for path in directory.rglob("*")}
    return {name: stat.filemode(mode) for name, mode in modes.items() if mode & 0o077}


def test_a_server_without_any_rights_writes_its_state_directory_alone_and_for_itself_alone(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    variables = {"STATE": str(state), "MACHINE_STATE_DIR": str(state), "PYTHONDONTWRITEBYTECODE": "1"}
    attempt = f"import pathlib; [pathlib.Path(p, 'x').touch() for p in ({str(state)!r}, {str(tmp_path)!r})]"
    refused = run(cwd=tmp_path, command=[*CONFINE, COMMAND[0], "-c", attempt], **variables)
    assert f"Read-only file system: '{tmp_path / 'x'}'" in refused.stderr, "the confinement confines"
    (state / "x").unlink()

    with ServerProcess(tmp_path, command=[*CONFINE, *COMMAND], **variables) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text().split("\n")
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
        assert server.report("metal-mill", "1000001")["relay"] is True
        assert server.call("POST", "/api/machine/oops/metal-mill") == (200, {"success": True})
        assert (state / "mac.sqlite3").exists()
        assert _open_to_others(state) == {}
        assert server.terminate() == 0
    assert _open_to_others(state) == {}
    assert list(tmp_path.iterdir()) == [state]


def test_no_file_that_a_command_writes_is_readable_by_others(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with ServerProcess(tmp_path) as server:
            server.report("metal-mill", "1000001")
            assert run("backup", "backup.sqlite3", cwd=tmp_path).returncode == 0
            assert server.terminate() == 0
        assert run("restore", "backup.sqlite3", cwd=tmp_path).returncode == 0
        assert run("restore", "backup.sqlite3", cwd=tmp_path, MACHINE_STATE_DIR="fresh").returncode == 0
        assert run("verify", cwd=tmp_path).returncode == 0
    finally:
        os.umask(umask)
    assert (tmp_path / "backup.sqlite3").exists()
    assert _open_to_others(tmp_path) == {}
