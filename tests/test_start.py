"""What a start loads: the core alone where that is asked for, and next to nothing for what runs often."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest

import mac_actors
from tests.e2e.processes import untraced

PACKAGES = {
    "bottle",
    "cheroot",
    "httpx",
    "pydantic",
    "pykka",
    "rich",
    "slack_bolt",
    "slack_sdk",
    "sqlalchemy",
    "websocket",
}


def loaded(code: str) -> set[str]:
    """Return the packages that a new interpreter has loaded, beside the standard library, when it has run ``code``."""
    code = f"import sys, contextlib\nbefore = {{*sys.modules}}\n{code}\nprint('new:', *{{*sys.modules}} - before)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=untraced(os.environ))
    return {name.partition(".")[0] for name in done.stdout.rpartition("new:")[2].split()} - sys.stdlib_module_names


def test_the_core_is_loaded_alone() -> None:
    assert loaded("import mac_actors.core.transitions, mac_actors.core.wording") == {"mac_actors"}


def test_the_package_loads_nothing_until_it_is_asked_for() -> None:
    assert loaded("import mac_actors") == {"mac_actors"}


@pytest.mark.parametrize("command", [["--version"], ["health", "--url", "http://127.0.0.1:1"]])
def test_what_runs_often_loads_next_to_nothing(command: list[str]) -> None:
    run = f"from mac_actors.cli import main\nwith contextlib.suppress(SystemExit): main({command})"
    found = loaded(run)
    assert found >= {"click", "mac_actors"}
    assert not found & PACKAGES


def test_a_server_does_not_load_what_most_shops_never_need() -> None:
    rarely = {"emoji", "httpx", "paho", "psycopg", "rapidfuzz", "rich", "segno", "slack_bolt", "slack_sdk"}
    assert not loaded("import mac_actors.cli.server") & rarely


def test_every_public_name_is_there_and_listed() -> None:
    everything: dict[str, object] = {}
    exec("from mac_actors import *", everything)
    assert set(mac_actors.__all__) <= everything.keys()
    assert set(mac_actors.__all__) <= set(dir(mac_actors))
    assert not {"Any", "import_module"} & set(dir(mac_actors)), "they are no names of ours"
    for name in mac_actors.__all__:
        assert pickle.loads(pickle.dumps(getattr(mac_actors, name))) is everything[name]


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'mac_actors' has no attribute 'Flet'"):
        mac_actors.Flet  # type: ignore[attr-defined]  # noqa: B018
