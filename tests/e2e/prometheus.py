"""A real Prometheus that scrapes a real server, and promtool."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.e2e.processes import PATIENCE, ROOT, free_port
from tests.fakes import wait_until

ETC = ROOT / "etc/prometheus"

needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None and "CI" not in os.environ,
    reason="metrics and alert rules are checked with Prometheus's own tools (Debian: prometheus)",
)

Labels = dict[str, str]


def promtool(*arguments: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end."""
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)


class Prometheus:
    """Our sample configuration and rules, on a server at ``port``, scraped four times a second."""

    def __init__(self, directory: Path, port: int) -> None:
        config = yaml.safe_load((ETC / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "250ms", "evaluation_interval": "250ms"}
        config["rule_files"] = [str(ETC / name) for name in config["rule_files"]]
        [job] = config["scrape_configs"]
        assert job["static_configs"] == [{"targets": ["localhost:5000"]}]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        listen = free_port()
        self.url = f"http://127.0.0.1:{listen}"
        self._log = directory / "prometheus.log"
        arguments = [f"--config.file={file}", f"--storage.tsdb.path={directory / 'tsdb'}"]
        arguments.append(f"--web.listen-address=127.0.0.1:{listen}")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(["prometheus", *arguments], stdout=log, stderr=log)

    def __enter__(self) -> Prometheus:
        try:
            wait_until(self._ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text(encoding="utf-8")
        try:
            return bool(self.query('up{job="mac-actors"} == 1'))
        except OSError:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus's API; an error of its is an error here."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            if error.code == 503:  # still starting
                raise
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        assert answer["status"] == "success", answer
        assert not answer.get("warnings"), answer
        return answer["data"]

    def query(self, expression: str) -> list[tuple[Labels, float]]:
        """Return what an expression gives now: labels and value of each result."""
        result = self.get("query", query=expression)["result"]
        return [(each["metric"], float(each["value"][1])) for each in result]

    def over_time(self, expression: str) -> list[Labels]:
        """Return the labels of the lines that an expression draws over the last minute."""
        now = time.time()
        result = self.get("query_range", query=expression, start=str(now - 60), end=str(now), step="1")["result"]
        return [each["metric"] for each in result]

    def wait_for(self, expression: str, enough: Callable[[list[tuple[Labels, float]]], object] = bool) -> None:
        """Wait until an expression gives something."""
        wait_until(lambda: enough(self.query(expression)))
