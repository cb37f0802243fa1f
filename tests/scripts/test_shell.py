"""The shell, in a real terminal (a pty): Python's own prompt, and IPython's."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from mac_actors.shell import identifiers
from tests.conftest import Here
from tests.e2e.processes import ROOT, SAMPLES, free_port, run
from tests.e2e.terminals import CTRL_C, CTRL_D, Terminal
from tests.fakes import wait_until
from tests.scripts.shop import serving

ETC = ROOT / "etc"
PROMPTS = {"python": r">>> ", "ipython": r"In \[\d+\]: "}


class Shell(Terminal):
    """A command with a prompt: Python's own, or IPython's."""

    def __init__(self, kind: str, *arguments: str, cwd: Path, **variables: str) -> None:
        self._prompt = PROMPTS[kind]
        variables |= {**SAMPLES, "IPYTHONDIR": str(cwd / "ipython"), "IPY_TEST_SIMPLE_PROMPT": "1"}
        super().__init__(*arguments, cwd=cwd, without=["IPython"] if kind == "python" else [], **variables)

    def greeting(self) -> str:
        """Wait for the first prompt."""
        return self.type("", self._prompt)

    def enter(self, line: str) -> str:
        """Type a line; return what is on the screen until the next prompt."""
        return self.type(f"{line}\n", self._prompt)


@pytest.mark.parametrize("kind", ["python", "ipython"])
def test_a_prompt_with_all_machines(tmp_path: Path, kind: str) -> None:
    with Shell(kind, "shell", cwd=tmp_path, MAC_PORT=str(free_port())) as shell:
        greeting = shell.greeting()
        assert "8 machines: all idle" in greeting
        assert "On machine_state: no server can run there until you leave." in greeting
        assert greeting.count("\n") < 12
        assert "durable=True" in shell.enter('m.metal_mill.lock(by="me", reason="belt").get()')
        assert "<Fleet of 8 machines: 1 locked out>" in shell.enter("fleet")
        assert re.search(r"m\.metal_mill +locked_out\s+m\.table_saw +idle", shell.enter("m"))
        mistaken = shell.enter('fleet["metl mill"]')
        assert "UnknownMachine: No such machine: metl mill. Did you mean Metal Mill?" in mistaken
        assert "Traceback" not in mistaken
        assert "no machine is called m.weldr: did you mean m.welder?" in shell.enter("m.weldr")
        assert "no machine is called m.metalmill: did you mean m.metal_mill?" in shell.enter("m.metalmill")
        assert "ZeroDivisionError" in shell.enter("1/0")
        warned = shell.enter('import logging; logging.warning("the disk is full")')
        assert re.search(r"WARNING\] the disk is full\s+(>>>|In)", warned)
        shell.child.send(CTRL_D)
        assert shell.end() == 0
    with Shell(kind, "shell", cwd=tmp_path) as shell:
        assert "1 locked out" in shell.greeting(), "it was on disk"
        shell.child.sendline("exit()")
        assert shell.end() == 0


def test_tab_completes_machines_and_what_they_can_do(tmp_path: Path) -> None:
    with Shell("python", "shell", "--scratch", cwd=tmp_path) as shell:
        shell.greeting()
        shell.type("m.met\t", r"m\.metal_mill")
        shell.type(".lo\t", r"lock\(")
        assert "LockSet" in shell.enter(").get().outcomes")


def test_where_a_server_runs_it_attaches_to_it_and_a_copy_is_apart(
    tmp_path: Path, here: Here, capfd: pytest.CaptureFixture[str]
) -> None:
    files: dict[str, Any] = {"machines_config": ETC / "machines.json", "users_config": ETC / "users.json"}
    with serving(tmp_path, **files, state_dir=tmp_path / "machine_state") as server:
        options = {"MAC_URL": server.url}
        with Shell("python", "shell", cwd=tmp_path, **options) as shell:
            greeting = shell.greeting()
            assert f"in use by process {os.getpid()}: attached to the server at {server.url}" in greeting
            assert "OopsSet" in shell.enter('m.welder.oops(reason="smoke").get().outcomes')
            assert server.machine("welder")["oops"]["source"] == "repl"
        with Shell("python", "shell", "--scratch", cwd=tmp_path) as copy:
            assert "On a copy of the states in machine_state, in memory" in copy.greeting()
            assert "1 oopsed" in copy.enter("fleet")
            assert "Cleared" in copy.enter("m.welder.clear().get().outcomes")
        assert server.machine("welder")["status"] == "oopsed"
        done = here("shell", "--url", server.url, "-c", "print(m.welder.snapshot().get().status)", cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "oopsed\n", "")
        done = here("shell", "-c", "m.welder.lock(by=5)", cwd=tmp_path, **options)
        assert done.returncode == 1
        said = [done.stderr]

        def is_said() -> bool:  # by the log's own thread
            said.append(capfd.readouterr().err)
            return "a command was not carried out" in "".join(said)

        wait_until(is_said)
        (elsewhere := tmp_path / "elsewhere").mkdir()
        done = here("shell", "-c", "print(fleet)", cwd=elsewhere, **options)
        assert (done.returncode, done.stdout) == (0, f"<RemoteFleet at {server.url}>\n")
        assert list(elsewhere.iterdir()) == []


def test_a_directory_in_use_without_a_server_to_attach_to_is_said(tmp_path: Path, here: Here) -> None:
    port = {"MAC_PORT": str(free_port())}
    with Shell("python", "shell", cwd=tmp_path, **port) as shell:
        shell.greeting()
        done = here("shell", "-c", "print(fleet)", cwd=tmp_path, **SAMPLES, **port)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"in use by process {shell.process.pid}, and no answer from http://127.0.0.1:" in done.stderr
        assert "--scratch" in done.stderr
        assert done.stderr.count("\n") == 1


def test_code_and_scripts_run_without_a_prompt(tmp_path: Path, here: Here) -> None:
    def shell(code: str, *arguments: str) -> tuple[int, str, str]:
        done = here("shell", *arguments, "-c", code, cwd=tmp_path, **SAMPLES)
        return done.returncode, done.stdout, done.stderr

    assert shell("print(len(fleet), m.metal_mill.lock().get().durable)") == (0, "8 True\n", "")
    assert shell("print(m.metal_mill.snapshot().get().status == Status.LOCKED_OUT)")[1] == "True\n"
    assert shell('fleet["nope"]') == (1, "", "Error: No such machine: nope\n")
    assert shell("raise SystemExit(3)")[0] == 3
    status, _, said = shell("def f():\n  1/0\nf()")
    assert status == 1
    assert said.startswith("Traceback")
    assert 'File "<command>", line 3' in said
    assert "mac_actors" not in said, "only the script's own part of the trace"
    assert shell("print(fleet)", "--scratch", "--url", "http://127.0.0.1:1")[0] == 2


def test_where_nothing_can_be_opened_it_is_said_how_to_attach_to_a_server(tmp_path: Path, here: Here) -> None:
    hint = "To attach to a running server, whatever is here: mac-actors shell --url http://ADDRESS:PORT\n"
    done = here("shell", "-c", "print(fleet)", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("machines.json: there is no such file")
    assert done.stderr.endswith(f"\n{hint}")
    done = here("shell", "-c", "print(fleet)", cwd=tmp_path, MACHINE_STATE_DIR="/proc/state", **SAMPLES)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: cannot make the state directory /proc/state: ")
    assert done.stderr.endswith(hint)


def test_a_script_on_standard_input_is_run(tmp_path: Path) -> None:
    script = "for name in fleet:\n    print(name)\n"
    done = run("shell", "--scratch", cwd=tmp_path, stdin=script, **SAMPLES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["metal-mill", "table-saw"]
    assert list(tmp_path.iterdir()) == [], "a copy of nothing leaves nothing behind"


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("python", "leaving"), ("ipython", "leaving"), ("ipython", "SIGTERM"), ("python", "SIGTERM while it works")],
)
def test_serve_with_a_shell_on_its_live_actors(tmp_path: Path, here: Here, kind: str, ending: str) -> None:
    port = str(free_port())
    with Shell(kind, "serve", "--shell", "--host", "127.0.0.1", "--port", port, cwd=tmp_path) as shell:
        greeting = shell.greeting()
        assert f"The server runs at http://127.0.0.1:{port}; leaving this shell stops it." in greeting
        assert "Its log is machine_state/server.log." in greeting
        lock = ["lock", "Metal Mill", "--reason", "belt", "--url", f"http://127.0.0.1:{port}"]
        assert here(*lock, cwd=tmp_path).returncode == 0
        assert "status='locked_out'" in shell.enter("m.metal_mill.snapshot().get()"), "the same actors"
        assert "is locked out" not in shell.said, "the log keeps off the prompt"
        if ending == "leaving":
            shell.enter("fleet.__class__")
            shell.child.sendline("import time; time.sleep(60)")
            shell.child.expect("sleep")
            shell.type(CTRL_C, PROMPTS[kind])
            shell.child.send(CTRL_D)
        elif ending == "SIGTERM":
            shell.process.send_signal(signal.SIGTERM)
        else:
            shell.child.sendline("print('b' + 'usy'); import time; time.sleep(60)")
            shell.child.expect("busy")
            shell.process.send_signal(signal.SIGTERM)
        assert shell.end() == 0
    log = (tmp_path / "machine_state" / "server.log").read_text()
    assert "Metal Mill is locked out for maintenance" in log
    assert log.rstrip().endswith("stopped")
    done = here("shell", "-c", "print(m.metal_mill.snapshot().get().lock.reason)", cwd=tmp_path, **SAMPLES)
    assert done.stdout == "belt\n"


def test_serve_with_a_script_ends_with_it_and_logs_as_ever(tmp_path: Path) -> None:
    script = "print(m.welder.oops().get().durable)"
    done = run("serve", "--shell", "--host", "127.0.0.1", "--port", "0", cwd=tmp_path, stdin=script, **SAMPLES)
    assert (done.returncode, done.stdout) == (0, "True\n")
    assert "MIG Welder: Bay 2 is oopsed" in done.stderr
    assert done.stderr.rstrip().endswith("stopped")


def test_each_machine_gets_a_name_of_its_own() -> None:
    names = ["metal-mill", "metal_mill", "3d-printer", "lambda", "__x", "-", "m_3d_printer", "laser"]
    assert identifiers(names) == {
        "metal_mill": "metal-mill",
        "metal_mill_2": "metal_mill",
        "m_3d_printer": "3d-printer",
        "m_lambda": "lambda",
        "x": "__x",
        "machine": "-",
        "m_3d_printer_2": "m_3d_printer",
        "laser": "laser",
    }
