"""The command in this process: as quick as a function, where no process of its own is needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mac_actors.cli import main
from tests.e2e.processes import environment

Here = Callable[..., CompletedProcess[str]]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Run a command of mac-actors as :func:`tests.e2e.processes.run` does, without a process."""

    def run(*arguments: str, cwd: Path, **variables: str) -> CompletedProcess[str]:
        umask = os.umask(0)
        os.umask(umask)
        with monkeypatch.context() as patch:
            patch.chdir(cwd)
            for name in os.environ.keys() - environment().keys():
                patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(name, value)
            capfd.readouterr()
            try:
                main(arguments, prog_name="mac-actors")
            except SystemExit as end:
                status = end.code
            finally:
                os.umask(umask)
        said = capfd.readouterr()
        return CompletedProcess(arguments, status if isinstance(status, int) else 1, said.out, said.err)

    return run
