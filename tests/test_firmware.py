"""The readers' firmware speaks of the fields that the server knows, and of no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mac_actors.web.api.request_models import ReportBody
from mac_actors.web.api.response_models import OutputsBody

FIRMWARE = Path(__file__).parents[1] / "etc/reader"
CORE = (FIRMWARE / "core.yaml").read_text(encoding="utf-8")


def test_a_report_has_all_that_is_required_and_nothing_that_is_unknown() -> None:
    told = set(re.findall(r'root\["(\w+)"\] = ', CORE))
    required = {name for name, field in ReportBody.model_fields.items() if field.is_required()}
    assert required <= told <= set(ReportBody.model_fields)


def test_an_answer_is_read_whole() -> None:
    read = set(re.findall(r'root\["(\w+)"\]', CORE)) - set(re.findall(r'root\["(\w+)"\] = ', CORE))
    assert read == set(OutputsBody.model_fields)


@pytest.mark.parametrize("part", ["core.yaml", "reader.yaml"])
def test_everything_that_is_used_is_there(part: str) -> None:
    both = CORE + (FIRMWARE / "reader.yaml").read_text(encoding="utf-8")
    there = set(re.findall(r"^ *(?:- )?id: (\w+)", both, re.MULTILINE))
    text = (FIRMWARE / part).read_text(encoding="utf-8")
    used = set(re.findall(r"\bid\((\w+)\)|script\.execute: (\w+)", text))
    assert {name or script for name, script in used} <= there
