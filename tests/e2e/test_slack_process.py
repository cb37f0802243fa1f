"""The installed command beside a Slack workspace: killed with notices unsent, checked, started with a wrong set-up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import SAMPLES, ServerProcess, run
from tests.slack.standin.workspace import ADA, BOB, CONTROL, OOPS, Workspace

PATIENCE = 30.0
SECRET = "signing-secret-that-nobody-sees"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


def variables(workspace: Workspace, **changes: str) -> dict[str, str]:
    """The environment for this workspace."""
    return {
        **workspace.variables(SECRET),
        "MAC_COMMIT_BUDGET": "20",  # what is answered is on disk, however busy the computer is
        "no_proxy": "*",
        **changes,
    }


def lines(workspace: Workspace, channel: str) -> list[str]:
    """What is posted in a channel, line by line, without the time of a late one and the summary of a clear."""
    found = [line for post in workspace.posts(channel) for line in post.text.splitlines()]
    bare = (re.sub(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d[^\]]*\] ", "", line) for line in found)
    return [line.partition(" Out of use for ")[0] for line in bare]


def change(server: ServerProcess, changes: int) -> None:
    """Oops and clear the mill in turn; each is on disk when it is answered."""
    for number in range(changes):
        path = "oops" if number % 2 == 0 else "clear"
        status, answer = server.call("POST", f"/api/machine/{path}/metal-mill", {"reason": f"change {number}"})
        assert (status, answer) == (200, {"success": True})


def expected(changes: int, channel: str) -> list[str]:
    origin = ", from HTTP" if channel == CONTROL else ""
    words = ["oopsed" if number % 2 == 0 else "no longer oopsed" for number in range(changes)]
    return [f"Metal Mill is {word}{origin}: change {number}." for number, word in enumerate(words)]


def wait_for_all(workspace: Workspace, channel: str, changes: int) -> None:
    """Wait until the last of the changes is posted."""
    last = expected(changes, channel)[-1]
    workspace.wait_for(lambda: last in lines(workspace, channel), PATIENCE)


# --- kill -9 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["down", "refusing"])
def test_notices_that_were_not_sent_when_the_server_was_killed_are_posted_after_the_next_start(
    tmp_path: Path, workspace: Workspace, fault: str
) -> None:
    workspace.down() if fault == "down" else workspace.fail("chat.postMessage", "internal_error")
    with ServerProcess(tmp_path, **variables(workspace)) as server:
        change(server, 32)
        server.kill()
    assert not workspace.posts()
    workspace.mend()
    workspace.up()
    with ServerProcess(tmp_path, **variables(workspace)):
        for channel in (CONTROL, OOPS):
            wait_for_all(workspace, channel, 32)
    for channel in (CONTROL, OOPS):
        assert lines(workspace, channel) == expected(32, channel)


def test_a_kill_in_the_middle_of_posting_loses_nothing_and_keeps_the_order(
    tmp_path: Path, workspace: Workspace
) -> None:
    with ServerProcess(tmp_path, **variables(workspace)) as server:
        workspace.wait_connected()
        change(server, 10)
        workspace.wait_for_posts(CONTROL, 2)
        server.kill()
    before = {channel: lines(workspace, channel) for channel in (CONTROL, OOPS)}
    last = {
        channel: len(workspace.posts(channel)[-1].text.splitlines()) if before[channel] else 0 for channel in before
    }
    with ServerProcess(tmp_path, **variables(workspace)):
        for channel in (CONTROL, OOPS):
            wait_for_all(workspace, channel, 10)
    for channel in (CONTROL, OOPS):
        found = lines(workspace, channel)
        assert list(dict.fromkeys(found)) == expected(10, channel), "none lost, in order"
        assert len(found) in {10, 10 + last[channel]}, "the post that was under way may be there twice"
        assert before[channel] == expected(10, channel)[: len(before[channel])]


def test_a_kill_while_a_post_is_under_way_loses_nothing(tmp_path: Path, workspace: Workspace) -> None:
    workspace.slow(60, "chat.postMessage")
    with ServerProcess(tmp_path, **variables(workspace)) as server:
        change(server, 3)
        workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= 2)
        server.kill()
    workspace.mend()
    with ServerProcess(tmp_path, **variables(workspace)):
        for channel in (CONTROL, OOPS):
            wait_for_all(workspace, channel, 3)
    for channel in (CONTROL, OOPS):
        assert list(dict.fromkeys(lines(workspace, channel))) == expected(3, channel)


def test_a_command_that_was_carried_out_before_a_kill_is_not_carried_out_again(
    tmp_path: Path, workspace: Workspace
) -> None:
    with ServerProcess(tmp_path, **variables(workspace)) as server:
        workspace.wait_connected()
        oops = workspace.mention("oops Metal Mill", user=ADA)
        workspace.wait_for_posts(OOPS, 1)
        clear = workspace.mention("clear Metal Mill", user=BOB)
        workspace.wait_for_posts(OOPS, 2)
        server.kill()
    made = workspace.connections_made
    with ServerProcess(tmp_path, **variables(workspace)) as server:
        workspace.wait_connected(made + 1)
        workspace.redeliver(oops).acked()
        workspace.redeliver(clear).acked()
        workspace.mention("status Metal Mill").acked()
        workspace.wait_for(lambda: any("Metal Mill: idle" in line for line in lines(workspace, CONTROL)), PATIENCE)
        assert server.machine("metal-mill")["status"] == "idle"
        events = server.call("GET", "/api/events")[1]["events"]
        kinds = [event["kind"] for event in events if event["machine"] == "metal-mill"]
        assert kinds == ["oops_cleared", "oops_set"]


# --- mac-actors slack check ---------------------------------------------------------------------------


def check(cwd: Path, **environment: str) -> tuple[int, dict[str, tuple[str, str]], str]:
    """Run the check; return its status, and for each part whether it is right and the text."""
    done = run("slack", "check", cwd=cwd, **environment)
    found = {}
    for line in done.stdout.splitlines():
        parts = re.fullmatch(r"(ok|note|unknown|WRONG) +([\w ]+): (.+)", line)
        assert parts, done.stdout
        found[parts[2]] = (parts[1], parts[3])
    assert "Traceback" not in done.stderr
    for secret in (environment.get("SLACK_BOT_TOKEN"), environment.get("SLACK_APP_TOKEN"), SECRET):
        assert not secret or secret not in done.stdout + done.stderr
    return done.returncode, found, done.stderr


PARTS = ["SLACK_BOT_TOKEN", "scopes", "SLACK_CONTROL_CHANNEL_ID", "SLACK_OOPS_CHANNEL_ID", "SLACK_APP_TOKEN"]


def wrong(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {part: text for part, (verdict, text) in found.items() if verdict == "WRONG"}


def test_the_check_of_a_set_up_that_is_right_says_so_part_by_part(tmp_path: Path, workspace: Workspace) -> None:
    status, found, errors = check(tmp_path, **variables(workspace))
    assert status == 0
    assert list(found) == PARTS
    assert not wrong(found)
    assert "mac in Space" in found["SLACK_BOT_TOKEN"][1]
    assert CONTROL in found["SLACK_CONTROL_CHANNEL_ID"][1]
    assert not errors
    assert not workspace.posts()


def test_the_check_finds_a_wrong_bot_token(tmp_path: Path, workspace: Workspace) -> None:
    status, found, _ = check(tmp_path, **variables(workspace, SLACK_BOT_TOKEN="xoxb-wrong"))
    assert status == 1
    assert set(wrong(found)) == {"SLACK_BOT_TOKEN"}
    assert re.search("invalid_auth.*copy", wrong(found)["SLACK_BOT_TOKEN"])


def test_the_check_finds_a_wrong_app_token(tmp_path: Path, workspace: Workspace) -> None:
    status, found, _ = check(tmp_path, **variables(workspace, SLACK_APP_TOKEN="xapp-wrong"))
    assert status == 1
    assert list(found) == PARTS
    assert set(wrong(found)) == {"SLACK_APP_TOKEN"}
    assert "connections:write" in wrong(found)["SLACK_APP_TOKEN"]


@pytest.mark.parametrize("scope", ["app_mentions:read", "chat:write", "users:read"])
def test_the_check_finds_a_missing_scope(tmp_path: Path, workspace: Workspace, scope: str) -> None:
    workspace.scopes = [one for one in workspace.scopes if one != scope]
    status, found, _ = check(tmp_path, **variables(workspace))
    assert status == 1
    assert set(wrong(found)) == {"scopes"}
    assert scope in wrong(found)["scopes"]
    assert "install" in wrong(found)["scopes"]


def test_the_check_of_an_app_made_by_hand_in_public_says_what_could_be_better(
    tmp_path: Path, workspace: Workspace
) -> None:
    workspace.scopes = [scope for scope in workspace.scopes if scope != "commands"]
    workspace.channel(CONTROL).private = False
    status, found, _ = check(tmp_path, **variables(workspace))
    assert status == 0
    assert [verdict for verdict, _ in found.values()] == ["ok", "note", "note", "ok", "ok"]
    assert "optional" in found["scopes"][1]
    assert "public" in found["SLACK_CONTROL_CHANNEL_ID"][1]


def test_the_check_finds_a_channel_without_the_bot(tmp_path: Path, workspace: Workspace) -> None:
    workspace.channel(OOPS).members.remove(workspace.bot_user_id)
    status, found, _ = check(tmp_path, **variables(workspace))
    assert status == 1
    assert set(wrong(found)) == {"SLACK_OOPS_CHANNEL_ID"}
    assert "invite" in wrong(found)["SLACK_OOPS_CHANNEL_ID"]


def test_the_check_finds_a_private_channel_without_the_bot(tmp_path: Path, workspace: Workspace) -> None:
    workspace.channel(CONTROL).members.remove(workspace.bot_user_id)
    status, found, _ = check(tmp_path, **variables(workspace))
    assert status == 1
    assert set(wrong(found)) == {"SLACK_CONTROL_CHANNEL_ID"}
    assert "invite" in wrong(found)["SLACK_CONTROL_CHANNEL_ID"]


def test_the_check_finds_wrong_and_archived_channels(tmp_path: Path, workspace: Workspace) -> None:
    workspace.channel(OOPS).archived = True
    status, found, _ = check(tmp_path, **variables(workspace, SLACK_CONTROL_CHANNEL_ID="C0NONE"))
    assert status == 1
    assert set(wrong(found)) == {"SLACK_CONTROL_CHANNEL_ID", "SLACK_OOPS_CHANNEL_ID"}
    assert "channel_not_found" in wrong(found)["SLACK_CONTROL_CHANNEL_ID"]
    assert "archived" in wrong(found)["SLACK_OOPS_CHANNEL_ID"]


def test_the_check_says_when_slack_cannot_be_reached(tmp_path: Path, workspace: Workspace) -> None:
    workspace.down()
    status, found, _ = check(tmp_path, **variables(workspace))
    assert status == 1
    assert "can't be reached" in wrong(found)["SLACK_BOT_TOKEN"]


def test_the_check_says_when_slack_is_not_set_up(tmp_path: Path) -> None:
    status, found, errors = check(tmp_path)
    assert status == 2
    assert not found
    assert "SLACK_APP_TOKEN is not set" in errors


# --- the start ----------------------------------------------------------------------------------------

NEEDED = ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CONTROL_CHANNEL_ID", "SLACK_OOPS_CHANNEL_ID"]


@pytest.mark.parametrize("missing", [[name] for name in NEEDED] + [NEEDED])
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("slack", "check")])
def test_missing_variables_are_named_and_nothing_is_started(
    tmp_path: Path, workspace: Workspace, missing: list[str], command: tuple[str, ...]
) -> None:
    environment = {name: value for name, value in variables(workspace).items() if name not in missing}
    done = run(*command, cwd=tmp_path, **{**SAMPLES, **environment})
    assert done.returncode == 2
    for name in NEEDED:
        assert (f"{name} is not set" in done.stderr) is (name in missing)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "machine_state").exists()
    assert not workspace.calls


def test_without_an_app_token_slack_is_off(tmp_path: Path, workspace: Workspace) -> None:
    environment = {name: value for name, value in variables(workspace).items() if name != "SLACK_APP_TOKEN"}
    with ServerProcess(tmp_path, **environment) as server:
        change(server, 2)
        assert server.call("GET", "/readyz")[1]["notes"] == {}
        assert server.terminate() == 0
    assert not workspace.calls


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_token_is_ever_in_the_log(tmp_path: Path, workspace: Workspace, style: str) -> None:
    options = ("--log-level", "debug", "--log-format", style)
    with ServerProcess(tmp_path, *options, **variables(workspace)) as server:
        workspace.wait_connected()
        workspace.mention("oops Metal Mill").acked()
        workspace.wait_for_posts(OOPS, 1)
        workspace.fail("chat.postEphemeral", "invalid_auth", 1)
        workspace.http_error(500, 1, "chat.postMessage")
        workspace.slash("/oops-clear", "nothing like it", user=BOB).acked()
        workspace.slash("/oops-clear", "Metal Mill", user=BOB).acked()
        workspace.wait_for_posts(CONTROL, 2)
        workspace.drop_socket()
        workspace.wait_connected(2, PATIENCE)
        workspace.down()
        change(server, 2)
        server.wait_for("can't be reached")
        assert server.terminate() == 0
        said = "\n".join(server.lines)
    assert workspace.bot_token not in said
    assert workspace.app_token not in said
    assert SECRET not in said


@pytest.mark.parametrize("variable", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"])
def test_a_wrong_token_is_not_in_the_log_and_the_server_works_without_slack(
    tmp_path: Path, workspace: Workspace, variable: str
) -> None:
    environment = variables(workspace, **{variable: "xwrong-and-secret"})
    with ServerProcess(tmp_path, "--log-level", "debug", **environment) as server:
        server.wait_for(f"Slack is not connected.*{variable}")
        change(server, 2)
        assert server.call("GET", "/readyz")[1]["ready"] is True
        assert server.terminate() == 0
        assert "xwrong-and-secret" not in "\n".join(server.lines)
