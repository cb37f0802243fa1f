"""What the server writes to its log: readable lines or JSON, outcomes and no heartbeats, and never a secret."""

from __future__ import annotations

import json
import re
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest

from mac_actors.core.outcomes import KINDS
from tests.e2e.processes import PATIENCE, SAMPLES, ServerProcess, Talking, run

ADMIN, READER, WRONG = "admin-hushhush", "reader-hushhush", "wrong-hushhush"
KNOWN, UNKNOWN = "0001000001", "0009876543"


def test_text_lines_have_time_level_and_a_sentence(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        server.call("POST", "/api/machine/oops/kiln", {"by": "Ada", "reason": "smells"})
        server.report("wood-lathe", uptime=10)
        server.report("wood-lathe", "1000003", uptime=11)
        server.wait_for("logged in")
        assert server.terminate() == 0
    for line in server.lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (INFO|WARNING) +\S.*", line), line
    assert [line for line in server.lines if "INFO    Kiln is oopsed, by Ada, from HTTP: smells." in line]
    assert [line for line in server.lines if "WARNING Wood Lathe: Chidi Placeholder logged in WITHOUT" in line]


def test_what_a_caller_sent_looks_like_no_other_line_and_gives_no_orders_to_a_terminal(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, MAC_ADMIN_TOKEN=ADMIN) as server:
        for sent in ("%0d2026-01-01 00:00:00 INFO    forged", "%1b[2J", "%c2%9b2J", "%08", "%e2%80%a8x", "%0a"):
            status, _ = server.call("POST", f"/api/machine/oops/x{sent.replace(' ', '%20')}")
            assert status == 401
        assert server.terminate() == 0
    assert all(line.isprintable() for line in server.lines)
    refused = [line for line in server.lines if "refused POST" in line]
    assert len(refused) == 6
    assert r"/api/machine/oops/x\r2026-01-01 00:00:00 INFO    forged from 127.0.0.1: 401" in refused[0]
    assert r"/api/machine/oops/x\x1b[2J from" in refused[1]


def test_json_lines_are_one_object_each(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--log-format", "json") as server:
        server.call("POST", "/api/machine/oops/kiln", {"by": "Frøya", "reason": "smells"})
        server.report("wood-lathe", uptime=10)
        server.report("wood-lathe", "1000003", uptime=11)
        server.wait_for("logged in")
        assert server.terminate() == 0
    lines = [json.loads(line) for line in server.lines]
    for line in lines:
        assert set(line) - {"machine", "kind"} == {"at", "level", "logger", "message"}
        assert datetime.fromisoformat(line["at"]).tzinfo is not None
        assert line["level"] in {"info", "warning"}
    outcomes = [line for line in lines if "kind" in line]
    assert {line["kind"] for line in outcomes} <= KINDS
    assert [line["message"] for line in outcomes if line["kind"] == "oops_set"] == [
        "Kiln is oopsed, by Frøya, from HTTP: smells."
    ]
    assert [(line["machine"], line["level"]) for line in outcomes if line["kind"] == "session_started"] == [
        ("wood-lathe", "warning")
    ]


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_heartbeat_writes_no_line(tmp_path: Path, style: str) -> None:
    with ServerProcess(tmp_path, "--log-format", style) as server:
        server.report("metal-mill", uptime=10)
        server.report("metal-mill", "1000001", uptime=11)
        server.wait_for("logged in")
        before = list(server.lines)
        for uptime in range(12, 30):
            server.report("metal-mill", "1000001", uptime=uptime)
            server.report("permissive-kiln", uptime=uptime)
        assert server.terminate() == 0
    assert [line for line in server.lines[len(before) :] if "stopp" not in line] == []


def test_only_warnings_are_written_from_that_level_on(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, MAC_PORT="0") as server:  # proves the port free of a server and the files good
        assert server.terminate() == 0
    with Talking(
        "serve", "--host", "127.0.0.1", "--log-level", "warning", cwd=tmp_path, MAC_PORT=str(server.port), **SAMPLES
    ) as quiet:
        good = run("status", cwd=tmp_path, MAC_PORT=str(server.port))
        while good.returncode:
            assert quiet.process.poll() is None, quiet.lines
            good = run("status", cwd=tmp_path, MAC_PORT=str(server.port))
        assert run("oops", "kiln", cwd=tmp_path, MAC_PORT=str(server.port)).returncode == 0
        assert quiet.interrupt() == 0
    assert quiet.lines == []


def misbehave(server_port: int, token: str) -> None:
    """Say things to the server that it refuses, with secrets in them wherever a client may put one."""
    head = {"Connection": "close", "Authorization": f"Bearer {token}"}
    admin = {"Connection": "close", "Authorization": f"Bearer {WRONG}"}
    report = {"machine_name": "metal-mill", "oops": False, "rfid_value": UNKNOWN, "uptime": 1}
    calls = [
        ("POST", "/api/machine/update", json.dumps(report), {"Authorization": f"Bearer {WRONG}"}),
        ("POST", "/api/machine/update", json.dumps(report), {"Authorization": f"Basic {ADMIN}"}),
        ("POST", "/api/machine/update", json.dumps(report)[:-5], head),
        ("POST", "/api/machine/update", json.dumps({**report, "oops": KNOWN}), head),
        ("POST", "/api/machine/update", json.dumps({**report, "rfid_value": f"{KNOWN[:5]}\x07{KNOWN[5:]}"}), head),
        ("POST", "/api/machine/update", json.dumps({**report, "machine_name": "nowhere"}), head),
        ("POST", f"/api/machine/oops/kiln?token={ADMIN}", "{}", admin),
        ("POST", f"/api/reload?token={ADMIN}", "", admin),
        ("POST", "/api/machine/oops/kiln", "{}", {**head, "Authorization": ADMIN}),
        ("GET", f"/api/events?kind={ADMIN}&since={KNOWN}", None, head),
        ("PUT", "/api/machine/update", json.dumps(report), head),
    ]
    for method, path, body, headers in calls:
        connection = HTTPConnection("127.0.0.1", server_port, timeout=PATIENCE)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        assert 400 <= response.status < 500, (method, path, response.read())
        connection.close()


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_token_and_no_full_fob_code_is_in_the_output(tmp_path: Path, level: str) -> None:
    variables = {"MAC_ADMIN_TOKEN": ADMIN, "MAC_READER_TOKEN": READER, "MAC_HOST": "127.0.0.1", "MAC_PORT": "0"}
    arguments = ["serve", "--log-level", level]
    with Talking(*arguments, cwd=tmp_path, **variables, **SAMPLES) as server:
        line = server.wait_for(r"at http://127\.0\.0\.1:\d+")
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found
        port = int(found[1])
        for number, fob in enumerate(["", "1000001", "", "9876543", "", UNKNOWN, KNOWN, ""]):
            report(port, fob, 10 + number)
        misbehave(port, READER)
        for command in ("oops", "lock", "clear"):
            assert run(command, "kiln", cwd=tmp_path, MAC_URL=found[0], MAC_ADMIN_TOKEN=ADMIN).returncode == 0
        server.wait_for("Kiln is no longer oopsed and locked out")
        assert server.interrupt() == 0
    said = "\n".join(server.lines)
    assert "Ada Example logged in" in said
    assert "fob ending in 6543" in said
    assert "refused POST /api/reload from 127.0.0.1: 401" in said
    assert "hushhush" not in said
    if level == "info":
        for fob in (KNOWN, UNKNOWN):
            assert fob.lstrip("0") not in said


def report(port: int, fob: str, uptime: int) -> None:
    body = {"machine_name": "metal-mill", "oops": False, "rfid_value": fob, "uptime": uptime}
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {READER}", "Connection": "close"}
    connection.request("POST", "/api/machine/update", json.dumps(body), headers)
    assert connection.getresponse().status == 200
    connection.close()
