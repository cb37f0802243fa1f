"""Maintenance as the API, the pages, the command line and the metrics have it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mac_actors.settings import Tokens
from tests.conftest import Here, MakeServer
from tests.fakes import ANN, wait_until
from tests.web.client import Running
from tests.web.pages.forms import TOKEN, Admin

WHAT = "Oil the <b>spindle</b>"


@pytest.fixture
def shop(make_server: MakeServer) -> Running:
    """A server whose mill runs, and is to be oiled after a third of a second with power."""
    server = make_server(tokens=Tokens(admin=TOKEN))
    machines = json.loads(server.machines.read_text())
    machines["metal-mill"]["maintenance"] = [{"what": WHAT, "every_hours": 0.0001}]
    server.machines.write_text(json.dumps(machines))
    assert server.request("POST", "/api/reload", token=TOKEN).status == 200
    server.report("metal-mill")
    assert server.outputs("metal-mill", ANN)["relay"]
    return server


def test_what_is_due_is_shown_everywhere_until_it_was_done(shop: Running, tmp_path: Path, here: Here) -> None:
    wait_until(lambda: shop.report("metal-mill", ANN) and "maintenance_due" in shop.machine("metal-mill"))
    machine = shop.machine("metal-mill")
    assert machine["maintenance_due"] == [WHAT]
    assert machine["maintenance"][0]["hours"] >= 0.0001
    metrics = shop.request("GET", "/metrics").body.decode()
    gauge = 'mac_machine_maintenance_left_hours{machine_name="metal-mill",display_name="Metal Mill",what="Oil the <b>'
    assert gauge in metrics
    assert "Maintenance due" in shop.request("GET", "/", headers={"Accept": "text/html"}).body.decode()
    admin = Admin(shop)
    page = shop.request("GET", "/machines/metal-mill", headers={**admin.headers, "Accept": "text/html"}).body.decode()
    assert "Oil the &lt;b&gt;spindle" in page
    command = {"MAC_URL": shop.url, "MAC_ADMIN_TOKEN": TOKEN}
    assert "due: Oil the <b>spindle</b>" in " ".join(here("status", cwd=tmp_path, **command).stdout.split())
    assert "DUE" in here("status", "metal-mill", cwd=tmp_path, **command).stdout

    wrong = shop.request("POST", "/api/machine/maintenance_done/Metal%20Mill", {"reason": "paint it"}, token=TOKEN)
    assert (wrong.status, wrong.headers["Mac-Already"]) == (200, "no_such_maintenance")
    refused = here("done", "metal-mill", "--reason", "paint it", cwd=tmp_path, **command)
    assert refused.returncode == 1
    assert "has no such maintenance" in refused.stderr
    assert shop.request("POST", "/api/machine/maintenance_done/metal-mill", {}).status == 401

    done = here("done", "Metal", "Mill", "--reason", "oil the <B>spindle</B>", cwd=tmp_path, **command)
    assert done.stdout == "Metal Mill is maintained.\n"
    assert "maintenance_due" not in shop.machine("metal-mill")
    said = admin.command("metal-mill", "done", reason=WHAT)
    assert b"maintenance was done" in said.body
    text = "Maintenance was done after 0.0 h{}: Oil the &lt;b&gt;spindle&lt;/b&gt;."
    board, command_line = ", from the board", ", by [^<:,]+, from the command line"
    for viewer, origins in (({}, ("", "")), (admin.headers, (board, command_line))):
        page = shop.request("GET", "/machines/metal-mill", headers={**viewer, "Accept": "text/html"}).body.decode()
        [history] = re.findall("(?s)<summary>What was done</summary>.*?</ol>", page)
        assert re.search("(?s)" + ".*".join(text.format(origin) for origin in origins), history), history
    kinds = [event["kind"] for event in shop.request("GET", "/api/machines/metal-mill/events").json["events"]]
    assert kinds[:3] == ["maintenance_done", "maintenance_done", "maintenance_due"]
