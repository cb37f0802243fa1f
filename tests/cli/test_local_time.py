"""The shop's time: one rule, MAC_TZ, else TZ; wherever a time is shown it is that one, and says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mac_actors import Fleet
from mac_actors.core.text import local_time
from mac_actors.web.pages.html import zone
from tests.conftest import Here, MakeServer
from tests.fakes import sample_machines, sample_users
from tests.web.client import Running

BERLIN, DENVER = "Europe/Berlin", "America/Denver"
WINTER, SUMMER = datetime(2026, 1, 24, 18, 0, 5, tzinfo=UTC), datetime(2026, 7, 24, 18, 0, 5, tzinfo=UTC)


def test_a_time_is_said_with_its_zone(local_zone: Callable[[str], None]) -> None:
    local_zone(BERLIN)
    assert local_time(WINTER) == "2026-01-24 19:00 CET"
    assert local_time(SUMMER, seconds=True) == "2026-07-24 20:00:05 CEST"
    local_zone("UTC")
    assert local_time(SUMMER) == "2026-07-24 18:00 UTC"


def test_a_zone_without_a_name_is_its_distance(local_zone: Callable[[str], None]) -> None:
    local_zone("America/Sao_Paulo")
    assert zone() == "UTC-03:00"
    local_zone("UTC")
    assert zone() == "UTC"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MAC_TZ": BERLIN}, "CES?T"),
        ({"TZ": BERLIN}, "CES?T"),
        ({"MAC_TZ": BERLIN, "TZ": DENVER}, "CES?T"),
        ({"MAC_TZ": "", "TZ": DENVER}, "M[SD]T"),
        ({"TZ": "UTC"}, "UTC"),
    ],
)
def test_the_commands_show_the_time_of_the_shop(
    make_server: MakeServer, tmp_path: Path, here: Here, variables: dict[str, str], expected: str,
    local_zone: Callable[[str], None],
) -> None:  # fmt: skip
    local_zone(variables.get("TZ", "UTC"))
    server = make_server()
    server.post("/api/machine/oops/router")
    said = here("events", "--url", server.url, cwd=tmp_path, **variables).stdout
    assert re.search(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d {expected}  router is oopsed", said, re.MULTILINE), said


@pytest.mark.parametrize("zone", ["Europe/Berln", "CEST+", "../../etc/passwd", "Berlin time"])
@pytest.mark.parametrize("command", ["serve", "check", "status"])
def test_a_zone_that_is_none_is_said(command: str, zone: str, tmp_path: Path, here: Here) -> None:
    done = here(command, cwd=tmp_path, MAC_TZ=zone)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"MAC_TZ is {zone!r}: allowed is a time zone like Europe/Berlin")
    assert done.stderr.count("\n") == 1


def test_a_script_that_opens_a_fleet_has_the_time_of_the_shop(
    monkeypatch: pytest.MonkeyPatch, local_zone: Callable[[str], None]
) -> None:
    local_zone("UTC")
    monkeypatch.setenv("MAC_TZ", BERLIN)
    with Fleet.open(sample_machines(), sample_users(), state=None):
        assert local_time(WINTER) == "2026-01-24 19:00 CET"


def page_stamp(server: Running) -> str:
    found = re.search('data-page="(.*?)"', server.get("/").body.decode())
    assert found
    return found[1]


def test_pages_say_whose_time_it_is_and_renew_themselves_when_the_clocks_change(
    make_server: MakeServer, local_zone: Callable[[str], None]
) -> None:
    server = make_server()
    local_zone("Asia/Tokyo")
    server.post("/api/machine/oops/router")
    board = server.get("/").body.decode()
    assert 'data-offset="32400.0" data-zone="JST"' in board
    for path in ("/", "/shop", "/machines/router"):
        assert "All times are JST, the shop's." in server.get(path).body.decode(), path
    assert re.search(r'title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST"', server.get("/machines/router").body.decode())
    before = page_stamp(server)
    local_zone("UTC")
    assert page_stamp(server) != before
