"""Every command as a process, against a real server in another process: what it says, and its exit status."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from mac_actors.cli import main
from mac_actors.version import VERSION
from tests.e2e.processes import COMMAND, SAMPLES, ServerProcess, Talking, free_port, run

NOWHERE = "http://127.0.0.1:1"
"""Nobody listens on port 1."""

COMMANDS = ["oops", "lock", "clear", "unoops", "unlock"]


def good(done: CompletedProcess[str]) -> str:
    """The command succeeded: returns what it said."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(done: CompletedProcess[str], status: int) -> str:
    """The command failed with this status, without a trace: returns what it said of that."""
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that shows names; each test has a machine of its own in it."""
    with ServerProcess(tmp_path_factory.mktemp("server"), MAC_PUBLIC_NAMES="1") as running:
        yield running


# --- help --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(tmp_path: Path, command: str, option: str) -> None:
    said = good(run(command, option, cwd=tmp_path))
    assert said.startswith(f"Usage: mac-actors {command}")
    assert "\n\n  " in said


def test_help_lists_every_command(tmp_path: Path) -> None:
    said = good(run("--help", cwd=tmp_path))
    listed = re.findall(r"^  ([a-z][a-z-]*)  +\S", said.split("Begin:")[1], re.MULTILINE)
    assert sorted(listed) == sorted(main.commands)


def test_version_says_the_version(tmp_path: Path) -> None:
    assert good(run("--version", cwd=tmp_path)).strip().endswith(VERSION)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["oops"],
        ["check", "twice"],
        ["serve", "--port", "65536"],
        ["serve", "--log-level", "loud"],
        ["simulate", "--readers", "0"],
        ["simulate", "--seconds", "soon"],
        ["events", "--limit", "0"],
        ["status", "--urls", "x"],
    ],
    ids=" ".join,
)
def test_bad_use_is_status_2_and_points_to_the_help(tmp_path: Path, arguments: list[str]) -> None:
    said = refused(run(*arguments, cwd=tmp_path), 2)
    assert "--help" in said


def test_the_installed_command_is_the_module(tmp_path: Path) -> None:
    installed = str(Path(sys.executable).with_name("mac-actors"))
    said = good(run("--help", cwd=tmp_path, command=[installed]))
    assert said == good(run("--help", cwd=tmp_path, command=COMMAND)) == good(run("--help", cwd=tmp_path))


# --- check -------------------------------------------------------------------------------------------


def broken_shop(directory: Path) -> list[str]:
    """Write two files with five mistakes, and return for each the beginning and a part of its line."""
    machines = {
        "metal-mill": {
            "authorizations_or": ["Mill"],
            "alias": "Mill",
            "second_relay": {"authorizations_or": ["x"], "alias": 7},
        },
        "table-saw": {"autorizations_or": ["Saw"]},
    }
    names = dict.fromkeys(("full_name", "first_name", "last_name", "preferred_name", "email"), "x")
    users = [
        {**names, "account_id": "1", "fob_codes": ["12"], "authorizations": [], "expiration_ymd": "2099-12-31"},
        {**names, "account_id": "2", "fob_codes": [12], "authorizations": [], "expiration_ymd": "31.12.2099"},
    ]
    (directory / "machines.json").write_text(json.dumps(machines))
    (directory / "users.json").write_text(json.dumps(users))
    return [
        "machines.json: metal-mill.second_relay.alias: expected a string, not 7",
        "machines.json: table-saw.authorizations_or: is required",
        "machines.json: table-saw.autorizations_or: is not a known key",
        "users.json: [1].fob_codes[0]: expected a string",
        "users.json: [1].expiration_ymd: expected a day as YYYY-MM-DD",
    ]


def assert_lines(said: str, beginnings: list[str]) -> None:
    lines = said.splitlines()
    for beginning in beginnings:
        assert any(line.startswith(beginning) for line in lines), (beginning, said)
    assert len(lines) == len(beginnings), said


def test_check_sums_up_good_files(tmp_path: Path) -> None:
    said = good(run("check", cwd=tmp_path, **SAMPLES))
    assert "8 machines, 9 users with 10 fobs; 1 user expired but let in" in said
    assert list(tmp_path.iterdir()) == []


def test_check_says_how_many_expired_users_are_refused(tmp_path: Path) -> None:
    assert "1 user expired and refused" in good(run("check", cwd=tmp_path, MAC_ENFORCE_EXPIRATION="1", **SAMPLES))


def test_check_lists_every_mistake_with_file_place_and_expectation(tmp_path: Path) -> None:
    expected = broken_shop(tmp_path)
    done = run("check", cwd=tmp_path)
    assert_lines(refused(done, 2), expected)
    assert done.stdout == ""


def test_check_says_which_files_are_missing_and_how_to_name_others(tmp_path: Path) -> None:
    said = refused(run("check", cwd=tmp_path), 2)
    assert_lines(said, ["machines.json: there is no such file", "users.json: there is no such file"])
    assert "MACHINES_CONFIG" in said


def test_check_says_where_a_file_is_not_json(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{\n  "mill": {,}\n}')
    done = run("check", cwd=tmp_path, **{**SAMPLES, "MACHINES_CONFIG": "m.json"})
    assert_lines(refused(done, 2), ["m.json: line 2, column 12: not JSON"])


BAD_ENVIRONMENT = {
    "MAC_PORT": "70000",
    "MAC_PUBLIC_NAMES": "yes",
    "MAC_ENFORCE_EXPIRATION": "true",
    "MAC_COMMIT_BUDGET": "-1",
    "MAC_TLS_CERT": "/nowhere/cert.pem",
    "SLACK_APP_TOKEN": "xapp-hushhush",
    "SLACK_BOT_TOKEN": "xoxb-hushhush",
    "MAC_ADMIN_TOKEN": "hushhush hushhush",
}


@pytest.mark.parametrize("command", ["check", "serve", "demo"])
def test_every_bad_variable_is_named_with_its_value_and_what_is_allowed(tmp_path: Path, command: str) -> None:
    said = refused(run(command, cwd=tmp_path, **SAMPLES, **BAD_ENVIRONMENT), 2)
    assert_lines(
        said,
        [
            "MAC_PORT is '70000': allowed is a whole number from 0 to 65535",
            "MAC_PUBLIC_NAMES is 'yes': allowed is 0 or 1",
            "MAC_ENFORCE_EXPIRATION is 'true': allowed is 0 or 1",
            "MAC_COMMIT_BUDGET is '-1': allowed is a number from 0 to 60",
            "MAC_TLS_CERT is '/nowhere/cert.pem': allowed is the path of a file",
            "MAC_TLS_KEY is not set",
            "MAC_ADMIN_TOKEN has a space",
            "SLACK_SIGNING_SECRET is not set",
            "SLACK_CONTROL_CHANNEL_ID is not set",
            "SLACK_OOPS_CHANNEL_ID is not set",
        ],
    )
    assert "hushhush" not in said
    assert list(tmp_path.iterdir()) == []


# --- serve -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with ServerProcess(tmp_path) as server:
        server.report("metal-mill", uptime=10)
        assert server.report("metal-mill", "1000001", uptime=11)["relay"]
        server.call("GET", "/api/machines")
        assert server.terminate(number) == 0
        assert server.lines[-1].endswith("stopped")
        assert not [line for line in server.lines if "Traceback" in line or "ERROR" in line]
    with ServerProcess(tmp_path) as server:
        machine = server.machine("metal-mill")
        assert (machine["status"], machine["telemetry"]["uptime"]) == ("in_use", 11)


def test_serve_says_at_the_start_where_it_is_and_what_it_has_read(server: ServerProcess) -> None:
    line = server.wait_for(f"mac-actors {VERSION} at ")
    assert f"{server.url}: 8 machines, 9 users with 10 fobs; 1 user expired but let in" in line


def test_serve_on_a_taken_port_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(run("serve", "--host", "127.0.0.1", cwd=tmp_path, MAC_PORT=port, **SAMPLES), 1)
    assert f"127.0.0.1 port {port}" in said
    assert "--port (MAC_PORT)" in said
    assert len(said.splitlines()) == 1


def test_serve_on_an_address_of_another_computer_says_what_to_do(tmp_path: Path) -> None:
    said = refused(run("serve", "--port", "0", cwd=tmp_path, MAC_HOST="203.0.113.1", **SAMPLES), 1)
    assert "203.0.113.1" in said
    assert "--host (MAC_HOST)" in said


def test_serve_on_a_state_directory_in_use_names_the_process(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, MACHINE_STATE_DIR="shared") as first:
        done = run("serve", "--port", "0", cwd=tmp_path, MACHINE_STATE_DIR="shared", **SAMPLES)
        said = refused(done, 1)
        assert f"shared is in use by process {first.process.pid}" in said
        assert "MACHINE_STATE_DIR" in said
        assert first.call("GET", "/readyz")[0] == 200


def test_serve_with_a_state_directory_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused(run("serve", "--port", "0", cwd=tmp_path, MACHINE_STATE_DIR="file/state", **SAMPLES), 1)
    assert "file/state" in said
    assert "MACHINE_STATE_DIR" in said


def test_serve_on_broken_files_lists_every_mistake_and_makes_nothing(tmp_path: Path) -> None:
    expected = broken_shop(tmp_path)
    assert_lines(refused(run("serve", "--port", "0", cwd=tmp_path), 2), expected)
    assert {path.name for path in tmp_path.iterdir()} == {"machines.json", "users.json"}


def test_serve_with_a_certificate_that_is_none_says_which_file(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("not a certificate")
    variables = {"MAC_TLS_CERT": "cert.pem", "MAC_TLS_KEY": "cert.pem"}
    said = refused(run("serve", "--port", "0", cwd=tmp_path, **variables, **SAMPLES), 2)
    assert "MAC_TLS_CERT cert.pem" in said


def test_the_options_of_serve_come_before_the_variables(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        variables = {"MAC_PORT": str(taken.getsockname()[1]), "MAC_HOST": "203.0.113.1"}
        with ServerProcess(tmp_path, **variables) as server:  # which gives --host 127.0.0.1 --port 0
            assert server.call("GET", "/healthz") == (200, {"status": "ok"})


# --- status ------------------------------------------------------------------------------------------


def test_status_shows_all_machines_by_their_alias(tmp_path: Path, server: ServerProcess) -> None:
    said = good(run("status", "--url", server.url, cwd=tmp_path))
    lines = said.splitlines()
    assert lines[0].split() == ["Machine", "State", "Since", "Who,", "why", "Reader"]
    names = [json.loads(Path(SAMPLES["MACHINES_CONFIG"]).read_text())[m].get("alias", m) for m in machine_names(server)]
    assert [any(line.startswith(name) for line in lines) for name in names] == [True] * 8
    assert "power on" in next(line for line in lines if line.startswith("Dust Collector"))
    assert "never seen" in said


def machine_names(server: ServerProcess) -> list[str]:
    return [machine["name"] for machine in server.call("GET", "/api/machines")[1]["machines"]]


@pytest.mark.parametrize("called", ["table-saw", "TABLE-SAW", "Table Saw", "table saw"])
def test_status_shows_one_machine_by_name_or_alias(tmp_path: Path, server: ServerProcess, called: str) -> None:
    lines = good(run("status", called, "--url", server.url, cwd=tmp_path)).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("Table Saw")


def test_status_shows_who_uses_a_machine_where_names_are_shown(tmp_path: Path, server: ServerProcess) -> None:
    server.report("drill_press", uptime=10)
    server.report("drill_press", "1000001", uptime=11)
    said = good(run("status", "drill_press", "--url", server.url, cwd=tmp_path))
    assert "in use" in said
    assert "Ada Example (authorized)" in said
    assert "online" in said


def test_status_of_an_unknown_machine_suggests_the_nearest(tmp_path: Path, server: ServerProcess) -> None:
    said = refused(run("status", "tabel-saw", "--url", server.url, cwd=tmp_path), 1)
    assert "No such machine: tabel-saw" in said
    assert "Did you mean table-saw?" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["events"],
        ["events", "--follow"],
        ["simulate", "--seconds", "1"],
        *([c, "metal-mill"] for c in COMMANDS),
    ],
    ids=" ".join,
)
def test_without_a_server_a_command_says_where_it_looked(tmp_path: Path, arguments: list[str]) -> None:
    said = refused(run(*arguments, "--url", NOWHERE, cwd=tmp_path), 1)
    assert NOWHERE in said
    assert "--url (MAC_URL)" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("how", ["MAC_URL", "MAC_PORT", "--url"])
def test_the_server_is_found_by_option_or_variable(tmp_path: Path, server: ServerProcess, how: str) -> None:
    arguments = ["--url", server.url] if how == "--url" else []
    variables = {
        "--url": {"MAC_URL": NOWHERE},
        "MAC_URL": {"MAC_URL": server.url, "MAC_PORT": "1"},
        "MAC_PORT": {"MAC_PORT": str(server.port)},
    }[how]
    assert "Metal Mill" in good(run("status", *arguments, cwd=tmp_path, **variables))


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (["--url", "workshop"], {}, "workshop"),
        (["--url", "http://127.0.0.1:port"], {}, "http://127.0.0.1:port"),
        ([], {"MAC_URL": "ftp://127.0.0.1"}, "ftp://127.0.0.1"),
        ([], {"MAC_PORT": "many"}, "MAC_PORT"),
    ],
)
def test_an_address_that_is_none_is_bad_use(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], named: str
) -> None:
    assert named in refused(run("status", *arguments, cwd=tmp_path, **variables), 2)


@contextmanager
def another_server(answer: str) -> Iterator[str]:
    """A server that answers each GET with this, and knows nothing else; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("answer", ["<h1>It works!</h1>", "[]", "{}", '"ok"'])
@pytest.mark.parametrize("command", ["status", "events", "simulate", "oops"])
def test_a_server_of_another_kind_is_told_from_ours(tmp_path: Path, answer: str, command: str) -> None:
    arguments = ["oops", "kiln"] if command == "oops" else [command]
    with another_server(answer) as url:
        said = refused(run(*arguments, "--url", url, cwd=tmp_path), 1)
    assert "is not a mac-actors server" in said


# --- oops, lock, clear, unoops, unlock ---------------------------------------------------------------


def flags(server: ServerProcess, name: str) -> tuple[Any, Any]:
    """The oops and the lock of a machine, each as who and why."""
    machine = server.machine(name)
    return tuple(  # type: ignore[return-value]
        flag and (flag["source"], flag["by"], flag["reason"]) for flag in (machine["oops"], machine["lock"])
    )


def test_the_commands_work_with_reason_and_name_by_name_and_alias(tmp_path: Path, server: ServerProcess) -> None:
    def command(*arguments: str) -> str:
        return good(run(*arguments, "--url", server.url, cwd=tmp_path)).strip()

    welder = "MIG Welder: Bay 2"
    assert command("oops", "MIG welder: bay 2", "--reason", "gas leaks", "--by", "Ada") == f"{welder} is oopsed."
    assert flags(server, "welder") == (("cli", "Ada", "gas leaks"), None)
    assert command("lock", "welder", "--reason", "new valve", "--by", "Grace") == f"{welder} is locked out."
    assert flags(server, "welder") == (("cli", "Ada", "gas leaks"), ("cli", "Grace", "new valve"))
    shown = command("status", "welder").split()
    assert {"OOPSED,", "LOCKED", "OUT", "gas", "leaks", "(Ada);", "new", "valve", "(Grace)"} <= set(shown)
    assert command("unoops", "welder") == f"{welder} is not oopsed."
    assert flags(server, "welder") == (None, ("cli", "Grace", "new valve"))
    assert command("oops", "welder") == f"{welder} is oopsed."
    assert command("unlock", "welder") == f"{welder} is not locked out."
    assert flags(server, "welder")[1] is None
    assert command("lock", "welder") == f"{welder} is locked out."
    assert command("clear", "WELDER", "--reason", "mended", "--by", "Grace") == f"{welder} is cleared."
    assert flags(server, "welder") == (None, None)
    server.wait_for("is no longer oopsed and locked out, by Grace, from the command line: mended")


def test_a_command_is_by_the_login_name_unless_said_otherwise(tmp_path: Path, server: ServerProcess) -> None:
    good(run("oops", "table-saw", "--url", server.url, cwd=tmp_path, LOGNAME="volunteer"))
    assert flags(server, "table-saw") == (("cli", "volunteer", None), None)


def test_a_name_with_a_slash_or_a_percent_sign_is_an_unknown_machine(tmp_path: Path, server: ServerProcess) -> None:
    for name in ("a/b", "100%", "ä?x=1#y", "../events"):
        said = refused(run("oops", name, "--url", server.url, cwd=tmp_path), 1)
        assert f"No such machine: {name}" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_name_changes_nothing_and_suggests_the_nearest(
    tmp_path: Path, server: ServerProcess, command: str
) -> None:
    before = server.call("GET", "/api/events")[1]["events"]
    said = refused(run(command, "co2-lasr", "--url", server.url, cwd=tmp_path), 1)
    assert "No such machine: co2-lasr. Did you mean co2-laser?" in said
    assert server.call("GET", "/api/events")[1]["events"] == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_finds_all_as_wanted_says_so(tmp_path: Path, server: ServerProcess, command: str) -> None:
    """A volunteer who clears the wrong machine must see that nothing was cleared."""
    if command in {"oops", "lock"}:
        good(run(command, "wood-lathe", "--url", server.url, cwd=tmp_path))
    before = server.call("GET", "/api/events")[1]["events"]
    said = good(run(command, "wood-lathe", "--url", server.url, cwd=tmp_path))
    assert server.call("GET", "/api/events")[1]["events"] == before
    good(run("clear", "wood-lathe", "--url", server.url, cwd=tmp_path))
    assert "already" in said or "nothing" in said


# --- tokens ------------------------------------------------------------------------------------------


def test_the_token_of_the_environment_is_used_and_another_is_refused(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, MAC_ADMIN_TOKEN="right") as server:

        def command(*arguments: str, **variables: str) -> CompletedProcess[str]:
            return run(*arguments, cwd=tmp_path, MAC_URL=server.url, **variables)

        for variables in ({}, {"MAC_ADMIN_TOKEN": ""}, {"MAC_ADMIN_TOKEN": "wrong"}):
            for name in COMMANDS:
                said = refused(command(name, "kiln", **variables), 1)
                assert "MAC_ADMIN_TOKEN" in said
                assert "wrong" not in said
        assert server.call("GET", "/api/events?kind=oops_set")[1]["events"] == []
        good(command("oops", "kiln", "--by", "Ada", MAC_ADMIN_TOKEN="right"))

        seen = good(command("status", "kiln", MAC_ADMIN_TOKEN="right"))
        assert "(Ada)" in seen
        for token in ("", "wrong"):
            hidden = good(command("status", "kiln", MAC_ADMIN_TOKEN=token))
            assert "OOPSED" in hidden
            assert "Ada" not in hidden
        assert "by Ada" in good(command("events", MAC_ADMIN_TOKEN="right"))
        assert "Ada" not in good(command("events"))


def test_a_message_of_the_server_ends_before_the_hint_begins(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, MAC_ADMIN_TOKEN="right") as server:
        said = refused(run("oops", "kiln", "--url", server.url, cwd=tmp_path), 1)
        assert ". Set MAC_ADMIN_TOKEN to the server's token." in said


# --- events ------------------------------------------------------------------------------------------


def test_events_shows_what_happened_oldest_first(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        for name in ("kiln", "table-saw", "kiln"):
            server.call("POST", f"/api/machine/oops/{name}")
            server.call("POST", f"/api/machine/clear/{name}")

        def texts(*arguments: str) -> list[str]:
            lines = good(run("events", *arguments, "--url", server.url, cwd=tmp_path)).splitlines()
            return [line.split("  ", 1)[1] for line in lines]

        kiln, saw = (
            ["Kiln is oopsed.", "Kiln is no longer oopsed."],
            ["Table Saw is oopsed.", "Table Saw is no longer oopsed."],
        )
        assert texts()[-6:] == [*kiln, *saw, *kiln]
        assert texts("Kiln") == texts("permissive-kiln") == [*kiln, *kiln]
        assert texts("--limit", "3") == [saw[1], *kiln]
        said = refused(run("events", "kilm", "--url", server.url, cwd=tmp_path), 1)
        assert "Did you mean Kiln?" in said


def test_events_follow_shows_new_events_also_after_a_restart_of_the_server(tmp_path: Path) -> None:
    port = str(free_port())
    with (
        ServerProcess(tmp_path, port=port) as server,
        Talking("events", "--follow", cwd=tmp_path, MAC_PORT=port) as follower,
    ):
        follower.wait_for("Dust Collector: power is on")
        server.call("POST", "/api/machine/oops/kiln")
        follower.wait_for("Kiln is oopsed")
        server.kill()
        follower.wait_for("trying again")
        with ServerProcess(tmp_path, port=port) as again:
            for name in ("table-saw", "wood-lathe", "welder"):
                again.call("POST", f"/api/machine/locked_out/{name}")
            follower.wait_for("MIG Welder: Bay 2 is locked out")
            assert follower.interrupt() == 0
    texts = [line.split("  ", 1)[1] for line in follower.lines if line[:2] == "20"]
    assert texts[1:] == [
        "Kiln is oopsed.",
        "Table Saw is locked out for maintenance.",
        "Wood Lathe is locked out for maintenance.",
        "MIG Welder: Bay 2 is locked out for maintenance.",
    ]
    assert sum("trying again" in line for line in follower.lines) == 1
    assert "Traceback" not in "\n".join(follower.lines)


def test_events_follow_shows_one_machine_alone(tmp_path: Path, server: ServerProcess) -> None:
    with Talking("events", "co2-laser", "-f", cwd=tmp_path, MAC_URL=server.url) as follower:
        server.call("POST", "/api/machine/oops/metal-mill")
        server.call("POST", "/api/machine/oops/co2-laser")
        follower.wait_for("CO2 Laser is oopsed")
        assert follower.interrupt() == 0
    assert not [line for line in follower.lines if "Metal Mill" in line]


# --- simulate ----------------------------------------------------------------------------------------


def sums(said: str) -> dict[str, float]:
    """The summary of a simulation, as numbers by name."""
    rows = [line.rsplit(maxsplit=2 if line.endswith("ms") else 1) for line in said.splitlines()[1:]]
    return {row[0].strip(): float(row[1]) for row in rows}


@pytest.mark.parametrize("options", [[], ["--fast"], ["--oops"]], ids=" ".join)
def test_simulate_reports_and_sums_up(tmp_path: Path, options: list[str]) -> None:
    with ServerProcess(tmp_path) as server:
        arguments = ["simulate", "--readers", "50", "--seconds", "2", "--seed", "7", *options]
        said = good(run(*arguments, "--url", server.url, cwd=tmp_path, USERS_CONFIG=SAMPLES["USERS_CONFIG"]))
        assert said.startswith("50 readers on 8 machines, 2 s:\n")
        summary = sums(said)
        assert summary["reports answered"] >= 2
        assert summary["errors"] == 0
        assert summary["latency p50"] <= summary["latency p99"] <= summary["latency max"]
        machines = server.call("GET", "/api/machines")[1]["machines"]
        assert any(machine["last_checkin"] for machine in machines)


def test_simulate_counts_refused_reports_as_errors(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, MAC_READER_TOKEN="right") as server:
        arguments = ["simulate", "--readers", "4", "--seconds", "0.5", "--fast", "--url", server.url]
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert sums(done.stdout)["reports answered"] == 0
        assert sums(done.stdout)["errors"] == sums(done.stdout)["status 401"] > 0
        assert sums(good(run(*arguments, cwd=tmp_path, MAC_READER_TOKEN="right")))["errors"] == 0


# --- demo --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_says_where_to_look_lets_readers_report_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    temporary, own = tmp_path / "tmp", tmp_path / "own"
    temporary.mkdir()
    own.mkdir()
    with Talking("demo", cwd=own, MAC_PORT=str(port), TMPDIR=str(temporary)) as demo:
        demo.wait_for(f"runs at http://127.0.0.1:{port} with 8 machines")
        demo.wait_for(f"Look at +http://127.0.0.1:{port}/")
        demo.wait_for("Ctrl-C ends the demo")
        assert len(list(temporary.iterdir())) == 1
        demo.wait_for(r"^\d\d:\d\d:\d\d  \[control channel\]  ")  # a reader has reported something
        assert "Metal Mill" in good(run("status", cwd=own, MAC_PORT=str(port)))
        assert demo.interrupt(number) == 0
    assert demo.lines[-1] == "The demo has ended."
    assert "Traceback" not in "\n".join(demo.lines)
    assert list(temporary.iterdir()) == list(own.iterdir()) == []


def test_demo_works_with_the_tokens_of_the_environment(tmp_path: Path) -> None:
    variables = {"MAC_ADMIN_TOKEN": "a", "MAC_READER_TOKEN": "r", "MACHINES_CONFIG": "/nowhere", "MAC_PORT": "0"}
    with Talking("demo", cwd=tmp_path, **variables) as demo:
        demo.wait_for("logged in|was refused: |is oopsed")
        assert demo.interrupt() == 0


def test_demo_on_a_taken_port_says_what_to_do_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(run("demo", "--port", port, cwd=tmp_path, TMPDIR=str(tmp_path)), 1)
    assert "--port (MAC_PORT)" in said
    assert list(tmp_path.iterdir()) == []
