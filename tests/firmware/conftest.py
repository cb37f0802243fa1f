"""A shop with one reader: the real server, the network, and the firmware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import ServerProcess
from tests.firmware.link import Link
from tests.firmware.reader import BUILT, Reader

MakeReader = Callable[..., Reader]


def next_answer(reader: Reader, link: Link, **fields: object) -> None:
    """Wait until the reader has dealt with the answer to its next report: it has sent another one."""
    link.next_report(**fields)
    reader.later(10)
    link.next_report()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path) as server:
        yield server


@pytest.fixture
def link(server: ServerProcess) -> Iterator[Link]:
    with Link(server.port) as link:
        yield link
    for boot in {report.body["boot"] for report in link.reports}:
        counts = [report.body["count"] for report in link.reports if report.body["boot"] == boot]
        assert counts == sorted(set(counts)), "a report's number rises"


@pytest.fixture
def make_reader(link: Link, tmp_path: Path) -> Iterator[MakeReader]:
    """Switch readers on, at the link; returns when the server has answered the first report."""
    assert (BUILT / "reader").exists(), "the firmware is compiled by: make firmware-test"
    with ExitStack() as stack:

        def make(machine: str = "table-saw", *, url: str = "", first: str = "", **options: Any) -> Reader:
            reader = stack.enter_context(Reader(tmp_path, url or link.url, machine, **options))
            reader.expect(f"display {first or 'Please Insert|RFID Card'}")
            return reader

        yield make


@pytest.fixture
def reader(make_reader: MakeReader) -> Reader:
    """The reader of the table saw, at rest."""
    return make_reader()
