"""Under debug logging, with Slack, after all kinds of trouble: no secret is where it does not belong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mac_actors.core.outcomes import KINDS
from tests.e2e.processes import PATIENCE, ServerProcess, run
from tests.fakes import ODD_ALIAS, sample_machines, user, wait_until
from tests.slack.standin.envelopes import VERIFICATION
from tests.slack.standin.workspace import ADA, BOB, CONTROL, OOPS, OTHER, Workspace
from tests.web.client import described, report_body
from tests.web.signed import headers as signed_headers

ADMIN, READER = "admin-Kq3xVbTz", "reader-Wm8sJpLd"
BOT, APP, SIGNING = "xoxb-Rt5yHnGc", "xapp-Zf2kDvQe", "signing-Xb7uNcMa"
TOKENS = {"admin": ADMIN, "reader": READER, "bot": BOT, "app": APP, "signing secret": SIGNING, "Slack": VERIFICATION}
WRONG = "wrong-Pd4wSgYh"

ANN, BERT, STRANGER = "K7Q3Z9XW41", "M2V8Y4TR63", "H5N1J6CB87"
"""Fobs with letters, so that no number looks like one."""

GIVEN = "P6W9D2LS58"
"""The fob of somebody who was added."""

EMAILS = ("ann.secretive@mail.example", "bert.secretive@mail.example", "zoe.secretive@mail.example")
USERS = [
    user("1", "Ann Able", [ANN], ["mill", "laser"], email=EMAILS[0]),
    user("2", "Bert Baker", [BERT], [], email=EMAILS[1], oops_override=True),
]
BROKEN = (
    [*USERS, user("3", "Cleo", [ANN], [], email=EMAILS[0])],
    [*USERS, user("1", "Cleo", [STRANGER], [], email=EMAILS[0])],
    [USERS[0] | {"email": None, "fob_codes": [[ANN]]}],
    [USERS[0] | {"email": [EMAILS[0]], "fob_codes": ANN}],
    [USERS[0] | {"fob_codes": [f"{ANN}\n"], "account_id": 1}],
    [USERS[0] | {"fob_codes": ["0000000000", f"{ANN[:5]}\x07{ANN[5:]}"], "preferred_name": ""}],
)


def shown_keys(replies: Sequence[tuple[str, str]]) -> list[str]:
    """Return the readers' keys in these replies."""
    return [key for _, said in replies for key in re.findall('"key":"([0-9a-f]{64})"', said)]


@dataclass
class Evidence:
    """All that the server said in one eventful day."""

    log: str = ""
    replies: list[tuple[str, str]] = field(default_factory=list)
    slack: list[str] = field(default_factory=list)


@dataclass
class Day:
    """The day: one server process beside one workspace."""

    directory: Path
    server: ServerProcess
    workspace: Workspace
    replies: list[tuple[str, str]] = field(default_factory=list)

    def call(self, method: str, path: str, body: object = None, *, authorization: str = "", **headers: str) -> int:
        """Make a call, and keep the whole reply."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        given = headers | ({"Authorization": authorization} if authorization else {}) | {"Connection": "close"}
        try:
            connection.request(method, path, data, given)
            response = connection.getresponse()
            said = f"{response.status} {response.reason}\n{response.headers}\n{response.read().decode()}"
        finally:
            connection.close()
        self.replies.append((f"{method} {path}", said))
        return response.status

    def report(self, machine: str, fob: str = "", *, authorization: str = f"Bearer {READER}", **more: Any) -> int:
        """Report as a reader does."""
        body = {"machine_name": machine, "oops": False, "rfid_value": fob, "uptime": len(self.replies), **more}
        return self.call("POST", "/api/machine/update", body, authorization=authorization)

    def readers(self) -> None:
        """Cards come and go, of members and of strangers; some readers have a wrong token."""
        for machine in ("metal-mill", "laser", "bandsaw", "vent"):
            for fob in ("", ANN, "", BERT, "", STRANGER, ANN, ""):
                assert self.report(machine, fob) == 200
        for authorization in ("", f"Bearer {WRONG}", f"Basic {READER}", READER, f"Bearer {ADMIN}"):
            assert self.report("router", ANN, authorization=authorization) == 401
        assert self.report("router", f"{ANN[:5]}\x07{ANN[5:]}") == 422
        assert self.report("router", oops=ANN) == 422
        assert self.report("nowhere", ANN) == 404
        assert (
            self.call("POST", "/api/machine/update", f'{{"rfid_value": "{ANN}"', authorization=f"Bearer {READER}")
            == 400
        )

    def admins(self) -> None:
        """Admins do all that they can; others try with tokens that don't fit, in places where none belongs."""
        for path in ("oops/laser", "locked_out/laser", "clear/laser", "oops/metal-mill"):
            assert self.call("POST", f"/api/machine/{path}", {"by": "Olga"}, authorization=f"Bearer {ADMIN}") == 200
            for authorization in ("", f"Bearer {WRONG}", f"Basic {ADMIN}", ADMIN, f"Bearer {READER}"):
                query = f"?token={ADMIN}&access_token={ADMIN}"
                assert self.call("POST", f"/api/machine/{path}{query}", authorization=authorization) == 401
        assert self.report("metal-mill", ANN) == 200
        assert self.report("metal-mill") == 200
        assert self.report("metal-mill", BERT) == 200  # an override
        origin = {"Origin": "http://elsewhere.example"}
        assert self.call("POST", "/api/reload", authorization=f"Bearer {ADMIN}", **origin) == 403

    def people(self) -> None:
        """Users are added, and given and refused fobs and authorizations; admins get tokens of their own."""
        by_admin = f"Bearer {ADMIN}"
        calls: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "/api/users", {"full_name": "Zoe Zimmer", "email": EMAILS[2], "fob": GIVEN}),
            ("POST", "/api/users/1/fobs", {"code": GIVEN}),
            ("POST", "/api/users/1/fobs", {"code": f"{GIVEN}9"}),
            ("POST", "/api/users/1/fobs", {"code": f"{GIVEN}!"}),
            ("POST", "/api/users/2/fobs", {"seen_at": "router"}),
            ("PUT", "/api/users/2/authorizations/mill", {"reason": "course"}),
            ("PUT", "/api/users/2/authorizations/mil", {}),
            ("POST", "/api/users", {"full_name": "Zoe", "email": EMAILS[2]}),
        ]
        statuses = [self.call(*call, authorization=by_admin) for call in calls]
        assert statuses == [201, 409, 200, 422, 409, 200, 422, 409]
        assert [self.call(*call, authorization=f"Bearer {WRONG}") for call in calls] == [401] * len(calls)
        assert self.call("DELETE", f"/api/users/1/fobs/{GIVEN}9", authorization=by_admin) == 200
        assert self.call("POST", "/api/admins", {"name": "Olga"}, authorization=by_admin) == 201
        assert self.call("POST", "/login", f"token={WRONG}&by=Olga") == 401
        assert self.report("router", GIVEN) == 200
        assert self.report("router") == 200

    def keys(self) -> None:
        """A reader gets a key, and another one; it signs with them, and somebody else with what they take for one."""
        admin = f"Bearer {ADMIN}"
        for method, status in (("PUT", 409), ("POST", 200), ("POST", 409), ("PUT", 200)):
            assert self.call(method, "/api/reader/router/key", {"by": "Olga"}, authorization=admin) == status
        body = json.dumps(report_body("router", firmware="1"))
        for key in (*shown_keys(self.replies), "0f" * 32):
            head = signed_headers(key, body.encode())
            status = self.call("POST", "/api/machine/update", body, authorization=f"Bearer {READER}", **head)
            assert status == (401 if key == "0f" * 32 else 200)
        assert self.report("router") == 401

    def reloads(self) -> None:
        """The users file is broken in many ways, and mended."""
        users = self.directory / "users.json"
        for broken in BROKEN:
            users.write_text(json.dumps(broken), encoding="utf-8")
            for path in ("/api/reload", "/api/reload-users"):
                assert self.call("POST", path, authorization=f"Bearer {ADMIN}") == 422, broken
        for text in (f'[{{"fob_codes": ["{ANN}", "email": "{EMAILS[0]}"}}]', f"{ANN} {EMAILS[0]}"):
            users.write_text(text, encoding="utf-8")
            assert self.call("POST", "/api/reload", authorization=f"Bearer {ADMIN}") == 422
        users.write_text(json.dumps(USERS[:1]), encoding="utf-8")
        assert self.call("POST", "/api/reload-users", authorization=f"Bearer {ADMIN}") == 200
        users.write_text(json.dumps(USERS), encoding="utf-8")
        assert self.call("POST", "/api/reload", authorization=f"Bearer {ADMIN}") == 200

    def chat(self) -> None:
        """People use the bot, while Slack refuses, answers nonsense, cuts answers and breaks the connection."""
        for text in ("status", "status laser", "oops laser: smells", "history laser", "history metal-mill", "what"):
            self.workspace.mention(text, user=BOB).acked()
            self.workspace.mention(text, user=ADA, channel=OTHER).acked()
        self.workspace.slash("/oops-clear", "laser").acked()
        self.workspace.slash("/oops-clear").acked()
        for trouble in ("internal_error", "invalid_auth", "channel_not_found", "missing_scope"):
            self.workspace.fail("chat.postMessage", trouble, times=1)
            self.workspace.mention("status", user=BOB).acked()
        self.workspace.http_error(times=2)
        self.workspace.cut_answers(times=2)
        self.workspace.rate_limit()
        self.workspace.mention("lock laser", user=BOB).acked()
        self.workspace.mention("lock nothing", user=BOB).acked()
        self.workspace.drop_socket()
        made = self.workspace.connections_made
        self.workspace.wait_connected(made + 1, PATIENCE)
        self.workspace.mend()
        self.workspace.mention("last word", user=BOB).acked()
        self.workspace.wait_for(lambda: any("last" in post.text for post in self.workspace.posts(CONTROL)), PATIENCE)

    def crawl(self) -> None:
        """Everybody looks at everything that can be looked at."""
        quoted = partial(quote, safe="")
        names = [*sample_machines(), *map(quoted, ("Metal Mill", ODD_ALIAS, "nowhere"))]
        templates = [path for path, methods in described()["paths"].items() if "get" in methods]
        paths = {path.replace("{name}", name).replace("{account}", "1") for path in templates for name in names}
        paths |= {f"/api/events?kind={kind}" for kind in KINDS} | {"/api/events?limit=2", "/api/events?kind=x&since=y"}
        paths |= {f"/api/events?token={ADMIN}", "/api", "/", "/docs", "/metrics", "/openapi.json", "/users.json"}
        paths |= {"/board/changes", "/?kiosk=1", "/login"}
        paths |= {"/static/../users.json", "/static/%2e%2e%2fusers.json", "/static/docs.html", "/nothing", "/api/users"}
        for authorization in ("", f"Bearer {ADMIN}", f"Bearer {READER}", f"Bearer {WRONG}", f"Basic {ADMIN}"):
            for path in sorted(paths):
                assert self.call("GET", path, authorization=authorization) < 500 or path == "/readyz"
        for token, status in ((WRONG, 401), (READER, 401), (ADMIN, 303)):
            assert self.call("POST", "/login", f"token={token}&by=Grace&next=/") == status


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """One day, from the start to the stop, and what was said in it."""
    directory = tmp_path_factory.mktemp("day")
    (directory / "machines.json").write_text(json.dumps(sample_machines()), encoding="utf-8")
    (directory / "users.json").write_text(json.dumps(USERS), encoding="utf-8")
    variables = {
        "MACHINES_CONFIG": "machines.json",
        "USERS_CONFIG": "users.json",
        "MAC_ADMIN_TOKEN": ADMIN,
        "MAC_READER_TOKEN": READER,
        "SLACK_BOT_TOKEN": BOT,
        "SLACK_APP_TOKEN": APP,
        "SLACK_SIGNING_SECRET": SIGNING,
        "SLACK_CONTROL_CHANNEL_ID": CONTROL,
        "SLACK_OOPS_CHANNEL_ID": OOPS,
        "no_proxy": "*",
    }
    with Workspace() as workspace:
        workspace.bot_token, workspace.app_token = BOT, APP
        workspace.fail("auth.test", "internal_error", times=1)
        options = ("--log-level", "debug", "--log-format", "json")
        with ServerProcess(directory, *options, SLACK_API_URL=workspace.url, **variables) as server:
            day = Day(directory, server, workspace)
            workspace.wait_connected()
            day.readers()
            day.admins()
            day.people()
            day.keys()
            day.reloads()
            day.chat()
            wait_until(lambda: sum("logged in" in post.text for post in workspace.posts(CONTROL)) > 0)
            day.crawl()
            assert server.terminate() == 0
            calls = workspace.calls
        with ServerProcess(directory, *options, SLACK_API_URL="http://127.0.0.1:9/api/", **variables) as unconnected:
            unconnected.wait_for("Slack is not connected")
            assert unconnected.terminate() == 0
    told = [f"{call.method} {json.dumps(dict(call.params), ensure_ascii=False)}" for call in calls]
    yield Evidence("\n".join([*server.lines, *unconnected.lines]), day.replies, told)


def outside(evidence: Evidence) -> list[tuple[str, str]]:
    """Return the replies but those to admins about users and unknown fobs, who are to see all of them."""
    of_users = re.compile(r"[A-Z]+ /api/(users|fobs/)")
    return [(asked, said) for asked, said in evidence.replies if not (of_users.match(asked) and said[:2] == "20")]


def test_admins_alone_are_told_numbers_and_addresses_and_each_personal_token_once(evidence: Evidence) -> None:
    told = {asked: said for asked, said in evidence.replies if said[:2] == "20"}
    assert STRANGER in told["GET /api/fobs/unknown"]
    assert EMAILS[0] in told["GET /api/users"]
    asked = [said for asked, said in evidence.replies if asked in {"GET /api/users", "GET /api/fobs/unknown"}]
    assert sorted(said[:3] for said in asked) == ["200"] * 2 + ["401"] * 8
    (made,) = (said for asked, said in evidence.replies if asked == "POST /api/admins")
    token = json.loads(made.partition("\n\n")[2])["token"]
    assert token not in evidence.log
    assert [asked for asked, said in evidence.replies if token in said] == ["POST /api/admins"]
    assert [line for line in evidence.slack if token in line] == []


def test_the_day_was_eventful(evidence: Evidence) -> None:
    assert "Ann Able" in evidence.log
    assert '"level": "debug"' in evidence.log
    assert f"ending in {STRANGER[-4:]}" in evidence.log
    assert "Slack is not connected" in evidence.log
    assert any("Ann Able" in said for _, said in evidence.replies)
    assert any("Ann Able" in told for told in evidence.slack)
    assert any(f"ending in {STRANGER[-4:]}" in told for told in evidence.slack)


@pytest.mark.parametrize("kind", TOKENS)
def test_no_token_is_in_the_log_in_a_reply_or_in_slack(evidence: Evidence, kind: str) -> None:
    secret = TOKENS[kind].partition("-")[2]
    assert [line for line in evidence.log.splitlines() if secret in line] == []
    assert [(asked, said) for asked, said in evidence.replies if secret in said] == []
    assert [told for told in evidence.slack if secret in told] == []


def test_a_reader_s_key_is_said_once_to_whoever_asked_for_it(evidence: Evidence) -> None:
    keys = shown_keys(evidence.replies)
    assert len(keys) == 2
    everything = "\n".join([evidence.log, *(said for _, said in evidence.replies), *evidence.slack])
    assert [everything.count(key) for key in keys] == [1, 1]


def test_no_token_that_was_tried_is_in_the_log(evidence: Evidence) -> None:
    assert WRONG not in evidence.log


@pytest.mark.parametrize("email", EMAILS)
def test_no_email_address_is_in_the_log_in_a_reply_or_in_slack(evidence: Evidence, email: str) -> None:
    assert [line for line in evidence.log.splitlines() if email in line] == []
    assert [(asked, said) for asked, said in outside(evidence) if email in said] == []
    asked = "users.lookupByEmail "  # whose address in Slack it is: that is what members are linked by
    assert [told for told in evidence.slack if email in told and not told.startswith(asked)] == []


@pytest.mark.parametrize("fob", [ANN, BERT, STRANGER, GIVEN])
def test_no_more_than_the_last_four_characters_of_a_fob_are_in_the_log_in_a_reply_or_in_slack(
    evidence: Evidence, fob: str
) -> None:
    most = fob[-5:]
    assert [line for line in evidence.log.splitlines() if most in line] == []
    of_events = {said for asked, said in outside(evidence) if asked.startswith("GET /api/events") and '"fob":' in said}
    found = [said for asked, said in outside(evidence) if most in said]
    if fob == STRANGER:
        assert found, "admins learn an unknown fob, so that they can give it to somebody"
        assert set(found) <= of_events
    else:
        assert found == []
    assert [told for told in evidence.slack if most in told] == []


def test_names_are_shown_to_admins_alone(evidence: Evidence, tmp_path: Path) -> None:
    public = [said for asked, said in evidence.replies if asked == "GET /api/events"]
    assert ["Ann Able" in said for said in public] == [False, True, False, False, False]


@pytest.mark.parametrize("name", ["MAC_ADMIN_TOKEN", "MAC_READER_TOKEN", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"])
def test_a_token_that_can_not_be_used_is_not_repeated(tmp_path: Path, name: str) -> None:
    done = run("check", cwd=tmp_path, SLACK_APP_TOKEN=APP, **{name: "with a blank-Qz"})
    assert done.returncode == 2
    assert name in done.stderr
    assert "Qz" not in done.stdout + done.stderr
