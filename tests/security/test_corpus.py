"""What the fuzzers found interesting holds what must hold, without a fuzzer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security import fuzz_commands, fuzz_reports, fuzz_wire
from tests.security.checks import CHECKS, CORPUS


def _inputs() -> list[tuple[str, str, bytes]]:
    files: dict[str, list[Path]] = {name: sorted((CORPUS / name).iterdir()) for name in CHECKS}
    seeds = {"reports": fuzz_reports.SEEDS, "commands": fuzz_commands.SEEDS, "wire": fuzz_wire.SEEDS}
    kept = [(name, path.name, path.read_bytes()) for name, paths in files.items() for path in paths]
    return [*kept, *((name, f"seed {n}", data) for name in seeds for n, data in enumerate(seeds[name]))]


INPUTS = _inputs()


def test_the_corpora_are_there() -> None:
    for name in CHECKS:
        assert len([path for path in (CORPUS / name).iterdir() if path.stat().st_size]) > 20


@pytest.mark.parametrize(("name", "data"), [(n, d) for n, _, d in INPUTS], ids=[f"{n}-{i}" for n, i, _ in INPUTS])
def test_what_must_hold_for_any_bytes_holds_for_these(name: str, data: bytes) -> None:
    for check in CHECKS[name]:
        check(data)
