"""Servers beside the stand-in workspace: one for the tests of a module, or as many as a test starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .shop import Shop, hurry
from .standin.workspace import Workspace

MakeShop = Callable[..., Shop]


@pytest.fixture(scope="module")
def quick() -> Iterator[pytest.MonkeyPatch]:
    """Short retries for all tests of the module."""
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        yield patch


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """A workspace for one test."""
    with Workspace() as workspace:
        yield workspace


@pytest.fixture
def make_shop(quick: pytest.MonkeyPatch, workspace: Workspace, tmp_path: Path) -> Iterator[MakeShop]:
    """Start servers on one state directory, one after the other; the last is stopped at the end."""
    started: list[Shop] = []

    def make(*, wait: bool = True, **changes: Any) -> Shop:
        started.append(Shop(workspace, tmp_path, wait=wait, **changes))
        return started[-1]

    yield make
    workspace.mend()
    for shop in started:
        shop.stop()


@pytest.fixture(scope="module")
def everyday(quick: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One server for all tests of a module."""
    with Workspace() as workspace:
        shop = Shop(workspace, tmp_path_factory.mktemp("shop"))
        yield shop
        shop.stop()


@pytest.fixture
def shop(everyday: Shop) -> Shop:
    """That server, tidied up: no machine is oopsed, locked or in use, and nothing was posted yet."""
    everyday.tidy()
    return everyday
