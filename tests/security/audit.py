"""Asks the advisory service about every pinned package: ``python -m tests.security.audit`` (needs pip-audit).

Exit status 1: a pinned package has a known vulnerability. 0: none has, or the service can't be asked from here, which
is said; a build must not fail because somebody else's server does not answer. 2: pip-audit itself can't be used.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[2] / "constraints.txt"
PATIENCE = 300.0
UNREACHABLE = re.compile(
    r"no answer within|could not connect|ConnectionError|Timeout|HTTPError|ServiceError", re.IGNORECASE
)


def main() -> int:
    """Run pip-audit on the pins, and judge what it says."""
    options = ["--requirement", str(PINS), "--no-deps", "--disable-pip", "--format", "json", "--timeout", "10"]
    command = [sys.executable, "-m", "pip_audit", *options, "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return judge("", f"no answer within {PATIENCE:.0f} s")
    return judge(done.stdout, done.stderr)


def judge(report: str, errors: str) -> int:
    """Say what pip-audit found, and whether the build is to fail because of it."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (errors.strip() or "pip-audit said nothing").splitlines()[-1]
        if not UNREACHABLE.search(errors):
            print(f"pip-audit failed: {last}")
            return 2
        print(f"NOT AUDITED: the advisory service can't be asked from here: {last}")
        return 0
    known = [f"{p['name']} {p['version']}: {v['id']}" for p in packages for v in p.get("vulns", ())]
    asked = [package for package in packages if "skip_reason" not in package]
    print("\n".join(known) or f"No known vulnerability in {len(asked)} of {len(packages)} pinned packages.")
    if len(asked) < len(packages):
        print(f"NOT AUDITED: the service does not know {len(packages) - len(asked)} of them.")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
