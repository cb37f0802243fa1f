"""Runs a check under atheris, a fuzzer that is led by what the code does with its input, and keeps what it found."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LONGEST = 600
"""Bytes of an input. What is longer than a limit of the server is the business of other tests."""

INSTRUMENTED = ["mac_actors.web", "mac_actors.slack.commands", "mac_actors.core.config"]


def main(name: str, seeds: tuple[bytes, ...], words: tuple[str, ...]) -> int:
    """Fuzz for some minutes, then keep the smallest set of inputs that do all that was seen. 0: nothing was found."""
    parser = argparse.ArgumentParser(description=f"Fuzz the {name}; what is found is added to tests/security/corpus.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--target", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.target is not None:
        return _be_target(name, given.target)
    kept = Path(__file__).parent / "corpus" / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        seeded, found, merged = (Path(directory) / part for part in ("seeds", "found", "merged"))
        for folder in (seeded, found, merged):
            folder.mkdir()
        for number, seed in enumerate(seeds):
            (seeded / str(number)).write_bytes(seed)
        dictionary = Path(directory) / "words"
        dictionary.write_text("".join(f'"{_quoted(word)}"\n' for word in words), encoding="ascii")
        # A script that can be executed, because libFuzzer starts itself again to merge.
        target = Path(directory) / "target"
        target.write_text(
            f'#!/bin/sh\nFUZZ_TARGET="$0" exec {sys.executable} -m tests.security.fuzz_{name} --target "$@"\n', "utf-8"
        )
        target.chmod(0o700)
        options = [f"-max_len={LONGEST}", "-timeout=10", f"-artifact_prefix={kept}/"]
        time = f"-max_total_time={max(1, round(given.minutes * 60))}"
        folders = [str(folder) for folder in (found, kept, seeded)]
        done = subprocess.run([str(target), *options, f"-dict={dictionary}", time, *folders], check=False)
        if done.returncode:
            print(f"An input that fails is in {kept}; tests/security/test_corpus.py fails with it.")
            return done.returncode
        subprocess.run([str(target), *options, "-merge=1", str(merged), *folders], check=True)
        shutil.rmtree(kept)
        shutil.copytree(merged, kept)
    print(f"{len(list(kept.iterdir()))} inputs are in {kept}.")
    return 0


def _quoted(word: str) -> str:
    """Return a word of libFuzzer's dictionary."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def _be_target(name: str, options: list[str]) -> int:
    """Be the process that is fuzzed; never returns when all goes well."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        checks = importlib.import_module("tests.security.checks")

    def one_input(data: bytes) -> None:
        for check in checks.CHECKS[name]:
            check(data)

    atheris.Setup([os.environ["FUZZ_TARGET"], *options], one_input)
    atheris.Fuzz()
    return 0
