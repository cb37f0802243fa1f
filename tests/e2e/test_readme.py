"""The README's walk, command by command: each reply is what the README shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.e2e.processes import PATIENCE, ROOT, ServerProcess


def _walk() -> list[tuple[str, str]]:
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [
        (command, reply) for block in blocks for command, reply in re.findall(r"^\$ (.*)\n(.*)$", block, re.MULTILINE)
    ]


def _curl(command: str, server: ServerProcess) -> str:
    done = subprocess.run(
        ["bash", "-c", command.replace("localhost:5000", f"127.0.0.1:{server.port}")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.strip()


def test_the_walk_with_curl_gives_the_replies_that_the_readme_shows(tmp_path: Path) -> None:
    walk = _walk()
    assert len(walk) >= 12
    with ServerProcess(tmp_path) as server:
        for command, expected in walk:
            assert _curl(command, server) == expected, command


def test_the_walk_goes_on_where_it_was_after_each_kill_9(tmp_path: Path) -> None:
    walk = _walk()
    for begin in range(0, len(walk), 4):
        with ServerProcess(tmp_path) as server:
            for command, expected in walk[begin : begin + 4]:
                assert _curl(command, server) == expected, command
            server.kill()
