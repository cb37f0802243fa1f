"""The wheel, built once a session from what git has, and installed where nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pykka
import pytest

from tests.e2e.processes import ROOT, untraced


@dataclass(frozen=True)
class Distribution:
    """What was built: the archive, the wheel that was made from it, and where the wheel is installed."""

    sdist: Path
    wheel: Path
    command: Path


def files_in_git(*below: str) -> set[str]:
    """The files that git has (or would take), as they are in the working tree."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *below]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name for name in names if name and (ROOT / name).exists()}


def _run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=untraced(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """Build sdist and, from it, wheel; install the wheel into a new environment, beside this one's dependencies."""
    tree, built, venv = (tmp_path_factory.mktemp(name) for name in ("tree", "built", "venv"))
    for name in files_in_git():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name, follow_symlinks=False)
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", built, cwd=tree)
    (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    _run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=built)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", venv / "bin" / "python")
    _run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=built)
    (packages,) = (venv / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{Path(pykka.__file__).parents[1]}\n")
    return Distribution(sdist, wheel, venv / "bin" / "mac-actors")
