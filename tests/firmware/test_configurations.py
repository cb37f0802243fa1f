"""The shipped files, as ESPHome itself reads them for the board."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT

pytestmark = pytest.mark.firmware

SHIPPED = ROOT / "etc/esphome"
ESPHOME = ROOT / os.environ.get("ESPHOME", ".venv-esphome/bin/esphome")


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of what is shipped, with the secrets of the example."""
    copy = tmp_path / "esphome"
    shutil.copytree(SHIPPED, copy)
    (copy / "secrets.example.yaml").rename(copy / "secrets.yaml")
    return copy


def set_secret(shipped: Path, name: str, value: str) -> None:
    secrets = shipped / "secrets.yaml"
    text = re.sub(rf"(?<={name}: ).*", f'"{value}"', secrets.read_text(encoding="utf-8"))
    secrets.write_text(text, encoding="utf-8")


def esphome_config(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ESPHOME, "config", file], capture_output=True, text=True, timeout=100, check=False)


def test_esphome_accepts_every_file_that_is_shipped(shipped: Path) -> None:
    done = esphome_config(shipped / "table-saw.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    wanted = ("watchdog_timeout: 5s", "power_save_mode: NONE", "rgb_order: RGB", "number: 5", "listen_port: 7853")
    for line in (*wanted, "pulldown: true"):
        assert line in done.stdout
    included = {"table-saw.yaml", "secrets.yaml"}
    for file in shipped.rglob("*.yaml"):
        included |= set(re.findall(r"!include (\S+)", file.read_text(encoding="utf-8")))
    assert {str(file.relative_to(shipped)) for file in shipped.rglob("*.yaml")} == included


@pytest.mark.parametrize(
    "url", ["https://server/api/machine/update", "http://[::1]:5000/", "server:5000", "http://a:b/"]
)
def test_a_server_that_the_reader_cannot_reach_is_refused_with_what_to_write(shipped: Path, url: str) -> None:
    set_secret(shipped, "report_url", url)
    done = esphome_config(shipped / "table-saw.yaml")
    assert done.returncode != 0
    assert "write http://HOST:PORT/PATH" in done.stdout + done.stderr


@pytest.mark.parametrize("key", ["a word of our own", "0f" * 31, "0f" * 33])
def test_what_is_no_key_is_refused_with_what_to_write(shipped: Path, key: str) -> None:
    set_secret(shipped, "table_saw_key", key)
    done = esphome_config(shipped / "table-saw.yaml")
    assert done.returncode != 0
    assert "the 64 hexadecimal digits that 'mac-actors readers add' printed" in done.stdout + done.stderr
