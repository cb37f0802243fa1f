"""The audit of dependencies fails a build for a known vulnerability, and for nothing else."""

from __future__ import annotations

import json

import pytest

from tests.security.audit import PINS, judge

GOOD = {"name": "bottle", "version": "0.13.4", "vulns": []}
BAD = {"name": "bottle", "version": "0.12.1", "vulns": [{"id": "PYSEC-2022-227", "fix_versions": ["0.12.20"]}]}
UNKNOWN = {"name": "cheroot", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([GOOD], 0, "No known vulnerability in 1 of 1 pinned packages."),
        ([GOOD, BAD], 1, "bottle 0.12.1: PYSEC-2022-227"),
        ([UNKNOWN, BAD], 1, "NOT AUDITED: the service does not know 1 of them."),
        ([GOOD, UNKNOWN], 0, "NOT AUDITED: the service does not know 1 of them."),
    ],
)
def test_a_known_vulnerability_fails_the_build(
    capsys: pytest.CaptureFixture[str], packages: list[object], status: int, said: str
) -> None:
    assert judge(json.dumps({"dependencies": packages, "fixes": []}), "") == status
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("report", ["", "not JSON", "[]", "{}"])
def test_a_service_that_does_not_answer_fails_no_build_but_is_said(
    capsys: pytest.CaptureFixture[str], report: str
) -> None:
    assert judge(report, "first\nrequests.exceptions.ConnectionError: refused\n") == 0
    assert "NOT AUDITED" in capsys.readouterr().out


@pytest.mark.parametrize("errors", ["", "No module named pip_audit", "usage: pip-audit"])
def test_an_audit_that_can_not_be_made_fails_the_build(capsys: pytest.CaptureFixture[str], errors: str) -> None:
    assert judge("", errors) == 2
    assert "pip-audit failed" in capsys.readouterr().out


def test_every_pin_is_of_one_version() -> None:
    pins = [line for line in PINS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert pins
    assert [pin for pin in pins if pin.count("==") != 1] == []
