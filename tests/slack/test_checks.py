"""What Slack's refusals mean, and what is looked at by ``mac-actors slack check``."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from mac_actors.core.notices import Channel
from mac_actors.errors import ChatError
from mac_actors.slack.checks import OPTIONAL_SCOPES, SCOPES, Check, Grade, check_all, check_channels
from mac_actors.slack.gateway import _NO_THREAD, LASTING_RETRY_SECONDS, REMEDIES, SlackChat, explain, make_client
from mac_actors.slack.people import SlackUser, SlackUsers
from mac_actors.storage.records import Waiting
from tests.fakes import PATIENCE

from .shop import slack_settings
from .standin.workspace import ADA, BOB, CONTROL, EVE, OOPS, Workspace

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quick(quick: pytest.MonkeyPatch) -> None:
    """Short retries, no proxy."""


def refusal(status: int = 200, headers: dict[str, str] | None = None, **data: object) -> SlackApiError:
    response = SlackResponse(
        client=None, http_verb="POST", api_url="x", req_args={}, data=data, headers=headers or {}, status_code=status
    )
    return SlackApiError("refused", response)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"RETRY-AFTER": "-3"}, 0.0),
        ({"Retry-After": "86400"}, 300.0),
        ({"Retry-After": "soon"}, 30.0),
        ({"Retry-After": ""}, 30.0),
        ({}, 30.0),
    ],
)
def test_a_rate_limit_says_how_long_to_wait_within_reason(
    headers: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.slack.gateway.LASTING_RETRY_SECONDS", 30.0)
    error = explain(refusal(429, headers, ok=False, error="ratelimited"))
    assert error.retry_after == seconds
    assert "wait" in str(error)


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_a_lasting_refusal_says_what_to_do_and_is_not_tried_again_at_once(code: str) -> None:
    assert LASTING_RETRY_SECONDS >= 10
    error = explain(refusal(ok=False, error=code))
    assert str(error) == f"{code}: {REMEDIES[code]}"
    assert error.retry_after is not None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (refusal(ok=False, error="internal_error"), "Slack answered internal_error"),
        (
            SlackApiError("odd", None),  # type: ignore[no-untyped-call]
            "Slack answered with status unknown",
        ),
        (ConnectionRefusedError("refused"), "Slack can't be reached (refused)"),
    ],
)
def test_any_other_refusal_is_tried_again_as_ever(error: Exception, text: str) -> None:
    found = explain(error)
    assert str(found) == text
    assert found.retry_after is None


def test_a_notice_that_is_refused_in_its_plain_form_too_waits(workspace: Workspace) -> None:
    chat = SlackChat(make_client(slack_settings(workspace)), slack_settings(workspace))
    workspace.fail("chat.postMessage", "msg_too_long", 2)
    with pytest.raises(ChatError, match="msg_too_long"):
        chat.post(Channel.OOPS, [Waiting(Channel.OOPS, "x", id=1, at=NOW)], None)
    assert chat.post(Channel.OOPS, [Waiting(Channel.OOPS, "x" * 5000, id=1, at=NOW)], None)
    assert len(workspace.posts(OOPS)) == 1


@pytest.mark.parametrize("error", sorted(_NO_THREAD))
def test_a_notice_whose_thread_takes_no_replies_is_posted_at_the_top_level(workspace: Workspace, error: str) -> None:
    chat = SlackChat(make_client(slack_settings(workspace)), slack_settings(workspace))
    first = chat.post(Channel.OOPS, [Waiting(Channel.OOPS, "oops", id=1, at=datetime.now(UTC))], None)
    workspace.fail("chat.postMessage", error, 1)
    assert chat.post(Channel.OOPS, [Waiting(Channel.OOPS, "over", id=2, at=datetime.now(UTC))], first)
    assert [(post.text, post.thread_ts) for post in workspace.posts(OOPS)] == [("oops", None), ("over", None)]


def checks(workspace: Workspace, **changes: str) -> dict[str, Check]:
    return {check.what: check for check in check_all(slack_settings(workspace, **changes))}


def wrong(found: dict[str, Check]) -> set[str]:
    return {what for what, check in found.items() if not check.ok}


def test_a_right_set_up_has_nothing_wrong(workspace: Workspace) -> None:
    found = checks(workspace)
    assert [check.grade for check in found.values()] == [Grade.OK] * 5
    assert not list(check_channels(make_client(slack_settings(workspace)), slack_settings(workspace), {}))


def test_a_workspace_that_does_not_tell_scopes_is_believed(workspace: Workspace) -> None:
    workspace.scopes = ()
    found = checks(workspace)
    assert found["scopes"].ok
    assert "did not say" in found["scopes"].text


def test_every_part_that_is_wrong_is_said_at_once(workspace: Workspace) -> None:
    workspace.channel(OOPS).archived = True
    workspace.scopes = [scope for scope in workspace.scopes if scope not in {"groups:read", "users:read"}]
    found = checks(workspace, control_channel="C0NONE", app_token="xapp-wrong")
    assert wrong(found) == {"scopes", "SLACK_CONTROL_CHANNEL_ID", "SLACK_OOPS_CHANNEL_ID", "SLACK_APP_TOKEN"}
    assert "missing groups:read, users:read: add" in found["scopes"].text


@pytest.mark.parametrize("changes", [{"bot_token": "xoxb-wrong"}, {"api_url": "http://127.0.0.1:9/api/"}])
def test_without_a_good_bot_token_nothing_else_is_looked_at(workspace: Workspace, changes: dict[str, str]) -> None:
    found = checks(workspace, **changes)
    assert set(found) == wrong(found) == {"SLACK_BOT_TOKEN"}


@pytest.mark.parametrize("status", [429, 500])
def test_a_slack_that_has_troubles_says_nothing_about_the_set_up(workspace: Workspace, status: int) -> None:
    for method in ("apps.connections.open", "conversations.info"):
        if status == 429:
            workspace.rate_limit(method, times=None)
        else:
            workspace.http_error(status, None, method)
    found = checks(workspace)
    assert wrong(found) == {"SLACK_CONTROL_CHANNEL_ID", "SLACK_OOPS_CHANNEL_ID", "SLACK_APP_TOKEN"}
    reason = "Slack asks to wait (rate limit)" if status == 429 else "Slack answered with status 500"
    for what in wrong(found):
        assert found[what].grade is Grade.UNKNOWN
        assert found[what].text == f"it could not be looked at, try again later: {reason}"


def test_an_app_made_by_hand_has_all_that_is_needed_and_is_told_what_it_lacks(workspace: Workspace) -> None:
    workspace.scopes = SCOPES
    found = checks(workspace)
    assert not wrong(found)
    assert found["scopes"] == Check(
        "scopes",
        Grade.NOTE,
        "all that are needed; optional and missing: "
        + ", ".join(f"{scope} (for {use})" for scope, use in OPTIONAL_SCOPES.items()),
    )


def test_a_control_channel_that_everybody_can_join_is_noted(workspace: Workspace) -> None:
    workspace.channel(CONTROL).private = False
    found = checks(workspace)
    assert not wrong(found)
    assert found["SLACK_CONTROL_CHANNEL_ID"].grade is Grade.NOTE
    assert "public: whoever joins it can clear machines" in found["SLACK_CONTROL_CHANNEL_ID"].text
    assert found["SLACK_OOPS_CHANNEL_ID"].grade is Grade.OK  # as it must be


def test_one_channel_for_both_is_noted(workspace: Workspace) -> None:
    found = checks(workspace, oops_channel=CONTROL)
    assert not wrong(found)
    assert found["SLACK_OOPS_CHANNEL_ID"].grade is Grade.NOTE
    assert "the control channel too" in found["SLACK_OOPS_CHANNEL_ID"].text


def test_an_address_without_its_last_slash_works(workspace: Workspace) -> None:
    assert not wrong(checks(workspace, api_url=workspace.url.rstrip("/")))


def test_who_is_who_is_asked_once(workspace: Workspace) -> None:
    people = SlackUsers(make_client(slack_settings(workspace)))
    people.learn(CONTROL)
    asked = len(workspace.calls_to("users.info"))
    assert [people.get(ADA) for _ in range(3)] == [SlackUser("ada", active=True)] * 3
    assert len(workspace.calls_to("users.info")) == asked
    assert people.get("U0NOBODY") == SlackUser("U0NOBODY")


def test_who_is_a_member_is_looked_up_on_all_pages(workspace: Workspace) -> None:
    workspace.members_page = 1
    people = SlackUsers(make_client(slack_settings(workspace)))
    assert people.is_member(BOB, CONTROL)
    assert people.is_member(EVE, CONTROL) is False
    workspace.fail("conversations.members", "internal_error")
    assert people.is_member(BOB, CONTROL) is None


def test_a_channel_whose_members_cannot_be_listed_is_no_obstacle(workspace: Workspace) -> None:
    workspace.fail("conversations.members", "missing_scope")
    people = SlackUsers(make_client(slack_settings(workspace)))
    people.learn(CONTROL)
    assert people.get(ADA).name == "ada"
    workspace.wait_for(lambda: len(workspace.calls_to("users.info")) == 1, PATIENCE)


def test_a_server_that_may_not_own_the_machines_calls_nothing(workspace: Workspace) -> None:
    client = make_client(slack_settings(workspace))
    client.holds = lambda: True
    with pytest.raises(ConnectionError, match="another server is taking over"):
        client.chat_postMessage(channel=CONTROL, text="late")
    assert not workspace.calls
