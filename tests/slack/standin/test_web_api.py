"""The stand-in's Web API, proven with the real client."""

from __future__ import annotations

import pytest
from slack_sdk import WebClient

from tests.slack.standin import envelopes
from tests.slack.standin.bot import NOTICE, error_of
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OOPS, Workspace


def test_auth_test_names_the_bot_and_its_scopes(workspace: Workspace, client: WebClient) -> None:
    answer = client.auth_test()
    assert (answer["user_id"], answer["bot_id"]) == (workspace.bot_user_id, envelopes.BOT_ID)
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


def test_a_wrong_or_missing_token_is_refused(workspace: Workspace) -> None:
    assert error_of(WebClient(token="xoxb-wrong", base_url=workspace.url).auth_test) == "invalid_auth"
    assert error_of(WebClient(base_url=workspace.url).auth_test) == "not_authed"
    bot = WebClient(base_url=workspace.url)
    assert error_of(lambda: bot.apps_connections_open(app_token=workspace.bot_token)) == "not_allowed_token_type"
    assert error_of(lambda: bot.apps_connections_open(app_token="xapp-wrong")) == "invalid_auth"


def test_a_method_that_slack_does_not_have_is_unknown(client: WebClient) -> None:
    assert error_of(lambda: client.api_call("machines.oops")) == "unknown_method"


def test_a_method_beyond_the_scopes_is_refused(workspace: Workspace, client: WebClient) -> None:
    assert error_of(lambda: client.reactions_add(channel=OOPS, name="x", timestamp="1")) == "missing_scope"
    workspace.scopes = ("users:read",)
    assert error_of(lambda: client.chat_postMessage(channel=OOPS, text="x")) == "missing_scope"


def test_a_post_is_recorded_with_all_that_was_said(workspace: Workspace, client: WebClient) -> None:
    first = client.chat_postMessage(channel=OOPS, text="Lathe is oopsed", blocks=NOTICE, unfurl_links=False)
    client.chat_postMessage(channel=OOPS, text="over", thread_ts=first["ts"], reply_broadcast=True)
    one, two = workspace.posts(OOPS)
    assert (one.text, one.blocks, one.thread_ts, one.broadcast) == ("Lathe is oopsed", NOTICE, None, False)
    assert (one.ts, one.params["unfurl_links"]) == (first["ts"], False)
    assert (two.thread_ts, two.broadcast) == (one.ts, True)
    assert two.ts > one.ts
    assert workspace.posts(CONTROL) == []


@pytest.mark.parametrize("way", ["params", "files"])
def test_form_and_multipart_bodies_are_understood_too(workspace: Workspace, client: WebClient, way: str) -> None:
    arguments = {"channel": OOPS, "text": "a & b = ü", "blocks": '[{"type": "divider"}]'}
    if way == "params":
        client.api_call("chat.postMessage", params=arguments)
    else:
        client.api_call("chat.postMessage", data=arguments, files={"file": b"content"})
    (post,) = workspace.posts(OOPS)
    assert (post.text, post.blocks) == ("a & b = ü", [{"type": "divider"}])


def test_posts_are_echoed_one_line_each() -> None:
    lines: list[str] = []
    with Workspace(echo=lines.append) as workspace:
        client = WebClient(token=workspace.bot_token, base_url=workspace.url)
        client.chat_postMessage(channel=OOPS, text="one\ntwo")
    assert lines == ["#mac-oops: one / two"]


def test_a_channel_out_of_reach_takes_no_post(workspace: Workspace, client: WebClient) -> None:
    workspace.channel(OOPS).members.remove(workspace.bot_user_id)
    workspace.channel(CONTROL).members.remove(workspace.bot_user_id)
    assert error_of(lambda: client.chat_postMessage(channel=OOPS, text="x")) == "not_in_channel"
    assert error_of(lambda: client.chat_postMessage(channel=CONTROL, text="x")) == "channel_not_found"
    assert error_of(lambda: client.chat_postMessage(channel="C0NONE", text="x")) == "channel_not_found"
    assert workspace.posts() == []
    assert len(workspace.calls_to("chat.postMessage")) == 3


def test_blocks_beyond_slacks_limits_are_refused(workspace: Workspace, client: WebClient) -> None:
    long = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    assert error_of(lambda: client.chat_postMessage(channel=OOPS, text="x", blocks=long)) == "invalid_blocks"
    many = [{"type": "divider"}] * 51
    assert error_of(lambda: client.chat_postMessage(channel=OOPS, text="x", blocks=many)) == "invalid_blocks"
    assert error_of(lambda: client.api_call("chat.postMessage", json={"channel": OOPS})) == "no_text"
    assert workspace.posts() == []


def test_an_update_changes_a_message_and_only_one_that_is_there(workspace: Workspace, client: WebClient) -> None:
    ts = client.chat_postMessage(channel=OOPS, text="old")["ts"]
    client.chat_update(channel=OOPS, ts=ts, text="new")
    assert workspace.message(OOPS, ts).text == "new"
    assert [post.text for post in workspace.posts(OOPS)] == ["old"]
    assert [update.text for update in workspace.updates(OOPS)] == ["new"]
    assert error_of(lambda: client.chat_update(channel=OOPS, ts="1.0", text="new")) == "message_not_found"


def test_an_ephemeral_reaches_members_only(workspace: Workspace, client: WebClient) -> None:
    client.chat_postEphemeral(channel=CONTROL, user=ADA, text="psst")
    assert error_of(lambda: client.chat_postEphemeral(channel=CONTROL, user=EVE, text="x")) == "user_not_in_channel"
    assert [(one.user, one.text) for one in workspace.ephemerals(CONTROL)] == [(ADA, "psst")]


def test_users_and_channels_can_be_looked_up(workspace: Workspace, client: WebClient) -> None:
    workspace.add_user("U0GONE", "gone", "Gone Away", deleted=True)
    ada, gone = client.users_info(user=ADA)["user"], client.users_info(user="U0GONE")["user"]
    assert (ada["profile"]["display_name"], ada["real_name"], ada["is_bot"]) == ("ada", "Ada Lovelace", False)
    assert gone["deleted"]
    assert client.users_profile_get(user=BOB)["profile"]["real_name"] == "Bob Ross"
    assert error_of(lambda: client.users_info(user="U0NONE")) == "user_not_found"
    control, oops = (client.conversations_info(channel=one)["channel"] for one in (CONTROL, OOPS))
    assert (control["is_private"], control["is_member"], oops["is_private"]) == (True, True, False)


def test_the_members_of_a_channel_come_in_pages(workspace: Workspace, client: WebClient) -> None:
    workspace.members_page = 2
    pages = [page["members"] for page in client.conversations_members(channel=CONTROL, limit=200)]
    assert pages == [[workspace.bot_user_id, ADA], [BOB]]


def test_a_channel_has_one_canvas_that_can_be_rewritten(workspace: Workspace, client: WebClient) -> None:
    content = {"type": "markdown", "markdown": "# Machines"}
    made = client.conversations_canvases_create(channel_id=OOPS, document_content=content)["canvas_id"]
    again = lambda: client.conversations_canvases_create(channel_id=OOPS, document_content=content)  # noqa: E731
    assert error_of(again) == "channel_canvas_already_exists"
    canvas = client.conversations_info(channel=OOPS)["channel"]["properties"]["canvas"]
    assert canvas == {"file_id": made, "is_empty": False}
    new = {"type": "markdown", "markdown": "# All well"}
    client.canvases_edit(canvas_id=made, changes=[{"operation": "replace", "document_content": new}])
    assert [one.markdown for one in workspace.canvases] == ["# All well"]
    assert client.canvases_create(title="Another", document_content=content)["canvas_id"] != made
