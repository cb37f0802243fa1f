"""What the commands say to people on a terminal, and to programs."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pexpect
import pytest

from mac_actors.core.inputs import AddDetails
from mac_actors.core.state import Severity, Source
from tests.conftest import Here, MakeServer
from tests.e2e.processes import COMMAND, Talking, free_port, run
from tests.e2e.terminals import Terminal
from tests.fakes import ANN, sample_users
from tests.web.client import Running

RED, YELLOW = "\x1b[31m", "\x1b[33m"


def output(here: Here, *arguments: str, cwd: Path, **variables: str) -> str:
    done = here(*arguments, cwd=cwd, **variables)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


# help


@pytest.mark.parametrize("command", [[], ["lock"], ["users", "import", "csv"]], ids=" ".join)
def test_help_is_the_help(command: list[str], tmp_path: Path, here: Here) -> None:
    assert output(here, "help", *command, cwd=tmp_path) == output(here, *command, "--help", cwd=tmp_path)


def test_help_of_a_mistyped_command_suggests_the_right_one(tmp_path: Path, here: Here) -> None:
    done = here("help", "lok", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean" in done.stderr
    assert "lock" in done.stderr


# names


def test_a_name_with_spaces_needs_no_quotes(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    url = ["--url", make_server().url]
    assert (
        output(here, "lock", "metal", "MILL", "--reason", "belt", *url, cwd=tmp_path) == "Metal Mill is locked out.\n"
    )
    assert "belt" in output(here, "status", "Metal", *url, "Mill", cwd=tmp_path)
    assert "belt" in output(here, "events", "-n", "1", "metal", "mill", *url, cwd=tmp_path)
    assert here("lock", *url, cwd=tmp_path).stderr.endswith("Error: Missing argument 'NAME'.\n")
    assert here("lock", "metal", "mill", "laser", *url, cwd=tmp_path).returncode == 1


def test_status_has_the_details_of_what_is_wrong(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server()
    output(here, "oops", "metal-mill", "--url", server.url, cwd=tmp_path)
    given = AddDetails(datetime.now(UTC), Source.SLACK, "Eve", "it smells", severity=Severity.WITH_CARE)
    server.fleet.ask("metal-mill", given)
    told = " ".join(output(here, "status", "metal-mill", "--url", server.url, cwd=tmp_path).split())
    assert "usable with care it smells" in told


def test_a_lock_that_waits_for_a_session_says_so(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server()
    url = ["--url", server.url]
    server.outputs("metal-mill", ANN)
    lock = ("lock", "metal mill", "--when-free", "--reason", "belt", *url)
    later = "Metal Mill will be locked out when its session ends"
    assert output(here, *lock, cwd=tmp_path) == f"{later}.\n"
    assert output(here, *lock, cwd=tmp_path) == f"{later}; nothing was changed.\n"
    assert "then locked out" in " ".join(output(here, "status", "metal mill", *url, cwd=tmp_path).split())
    server.outputs("metal-mill")
    assert output(here, *lock, cwd=tmp_path) == "Metal Mill is locked out; nothing was changed.\n"


# others' files


def test_what_belongs_to_another_user_is_a_line_that_says_what_to_do(tmp_path: Path) -> None:
    state = tmp_path / "machine_state"
    state.mkdir()
    state.chmod(0)
    # Root can read all, unless it gives that up.
    mortal = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    done = run("backup", "copy", cwd=tmp_path, command=[*mortal, *COMMAND])
    assert (done.returncode, done.stdout) == (1, "")
    what = "machine_state/mac.sqlite3: permission denied: become root with sudo, or the user to whom it belongs"
    assert done.stderr == f"Error: {what}\n"


# for programs


def api(server: Running, path: str) -> Any:
    """What the API answers, with a newline at its end."""
    body = server.get(path).body
    assert body.endswith(b"}\n")
    return json.loads(body)


def test_json_is_what_the_api_answers(shared_server: Running, tmp_path: Path, here: Here) -> None:
    def said(*arguments: str) -> Any:
        return json.loads(output(here, *arguments, "--json", "--url", shared_server.url, cwd=tmp_path))

    assert said("status", "metal mill")["name"] == "metal-mill"
    assert said("status") == api(shared_server, "/api/machines")
    assert said("status", "metal mill") == api(shared_server, "/api/machines/metal-mill")
    assert said("events", "--limit", "1") == api(shared_server, "/api/events?limit=1")
    assert said("health") == api(shared_server, "/readyz") == {"ready": True, "problems": {}, "notes": {}}
    assert said("health", "--alive") == api(shared_server, "/healthz")


def test_json_of_a_server_that_is_not_well_is_a_failure(
    make_server: MakeServer, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server()
    monkeypatch.setattr(server.fleet, "health", lambda: {"store": "the disk has not answered for 7 s"})
    done = here("health", "--json", "--url", server.url, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == api(server, "/readyz")


def test_events_that_are_followed_are_lines_of_json(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server()
    server.post("/api/machine/oops/router")
    with Talking("events", "--follow", "--json", "router", cwd=tmp_path, MAC_URL=server.url) as follower:
        follower.wait_for("router is oopsed")
        server.post("/api/machine/clear/router")
        follower.wait_for("router is no longer oopsed")
        assert follower.interrupt() == 0
    assert [json.loads(line) for line in follower.lines] == api(server, "/api/machines/router/events")["events"][::-1]


def test_every_answer_of_the_api_ends_its_line(shared_server: Running) -> None:
    for path in ("/api/", "/openapi.json", "/api/machines/nope", "/api/nothing", "/api/usage", "/api/events?limit=x"):
        assert shared_server.get(path).body.endswith(b"}\n"), path
    assert shared_server.report("metal-mill").body.endswith(b"}\n")
    assert shared_server.post("/api/machine/oops/metal-mill", b"{").body.endswith(b"}\n")


# reload


def test_reload_says_what_has_changed(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server()
    machines = json.loads((tmp_path / "machines.json").read_text())
    machines["saw"] = {"authorizations_or": ["Woodshop"]}
    (tmp_path / "machines.json").write_text(json.dumps(machines))
    (tmp_path / "users.json").write_text(json.dumps(sample_users()[:-1]))
    said = here("reload", "--url", server.url, cwd=tmp_path).stdout
    assert said == ("The server has read both files: users: 0 added, 0 changed, 1 removed; machines: added saw.\n")
    assert "saw" in server.fleet


def test_reload_warns_of_an_authorization_that_nobody_has(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server()
    (tmp_path / "machines.json").write_text('{"saw": {"authorizations_or": ["milll"]}}')
    done = here("reload", "--url", server.url, cwd=tmp_path)
    assert done.returncode == 0
    assert "machines: added saw" in done.stdout
    warning = "nobody has the authorization 'milll', which saw asks for: did you mean 'mill'?"
    assert done.stderr.splitlines()[0] == f"Note: {warning}"
    assert server.post("/api/reload?details=1").json["warnings"][0] == warning
    assert "warnings" not in server.post("/api/reload").json


def test_reload_of_broken_files_lists_the_mistakes_and_changes_nothing(
    make_server: MakeServer, tmp_path: Path, here: Here
) -> None:
    server = make_server()
    (tmp_path / "machines.json").write_text('{"saw": {}}')
    (tmp_path / "users.json").write_text("[7]")
    done = here("reload", "--url", server.url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0] == f"{tmp_path}/machines.json: saw.authorizations_or: is required"
    assert lines[1].startswith(f"{tmp_path}/users.json: [0]: ")
    assert len(lines) == 2
    assert "metal-mill" in server.fleet


def test_a_reload_that_would_do_harm_is_refused_unless_it_is_forced(
    make_server: MakeServer, tmp_path: Path, here: Here
) -> None:
    server = make_server()
    server.outputs("metal-mill", ANN)
    (tmp_path / "machines.json").write_text("{}")
    done = here("reload", "--url", server.url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--force removes the machine now" in done.stderr
    assert "metal-mill" in server.fleet
    said = here("reload", "--force", "--url", server.url, cwd=tmp_path).stdout
    assert "removed metal-mill" in said
    assert len(server.fleet) == 0


# on a terminal


def on_terminal(*arguments: str, cwd: Path, **variables: str) -> str:
    """What a command writes on a terminal."""
    with Terminal(*arguments, cwd=cwd, **variables) as terminal:
        terminal.child.expect(pexpect.EOF)
        return str(terminal.child.before)


def test_what_is_wrong_is_coloured_on_a_terminal_alone(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server()
    server.post("/api/machine/oops/router")
    url = ["--url", server.url]
    assert f"{RED}OOPSED" in on_terminal("status", *url, cwd=tmp_path)
    assert f"{RED}Error: No such machine: rooter" in on_terminal("status", "rooter", *url, cwd=tmp_path)
    for said in (
        on_terminal("status", *url, cwd=tmp_path, NO_COLOR="1"),
        on_terminal("status", "rooter", *url, cwd=tmp_path, NO_COLOR="1"),
    ):
        assert RED not in said
        assert YELLOW not in said
    assert "\x1b" not in output(here, "status", *url, cwd=tmp_path)
    assert "\x1b" not in here("status", "rooter", *url, cwd=tmp_path).stderr


# what is printed to be typed


@pytest.mark.parametrize("on_path", [True, False])
def test_the_demo_prints_a_command_that_is_there(on_path: bool, tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    path = f"{scripts}:{os.environ['PATH']}" if on_path else os.defpath
    with Talking("demo", cwd=tmp_path, MAC_PORT=str(free_port()), PATH=path) as demo:
        line = demo.wait_for("status --url").strip()
        assert demo.interrupt() == 0
    assert line.split()[0] == ("mac-actors" if on_path else str(scripts / "mac-actors"))
