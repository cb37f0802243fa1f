"""A shop with a trainer: Chidi trains others for the laser. In Slack that is Eve, who is not in the control channel."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.slack.shop import ETC, Shop
from tests.slack.standin.workspace import EVE, Workspace

BASE = "https://machines.example.org"


@pytest.fixture(scope="module")
def everyday(quick: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One server for all tests of a module."""
    directory = tmp_path_factory.mktemp("shop")
    machines = json.loads((ETC / "machines.json").read_text("utf-8"))
    machines["co2-laser"]["trainers_or"] = ["Laser Rotary"]
    (directory / "machines.json").write_text(json.dumps(machines), "utf-8")
    with Workspace() as workspace:
        workspace.add_user(EVE, "eve", "Eve Outside", email="user3@example.org")
        shop = Shop(workspace, directory, machines=directory / "machines.json", base_url=BASE)
        yield shop
        shop.stop()
