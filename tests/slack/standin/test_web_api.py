"""The stand-in's Web API, proven with the real client."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from tests.slack.standin import envelopes
from tests.slack.standin.bot import MODAL, NOTICE, error_of
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


def markdown(text: str) -> dict[str, str]:
    return {"type": "markdown", "markdown": text}


def test_a_channel_has_one_canvas_that_can_be_rewritten(workspace: Workspace, client: WebClient) -> None:
    content = markdown("# Machines")
    made = client.conversations_canvases_create(channel_id=OOPS, document_content=content)["canvas_id"]
    again = lambda: client.conversations_canvases_create(channel_id=OOPS, document_content=content)  # noqa: E731
    assert error_of(again) == "channel_canvas_already_exists"
    canvas = client.conversations_info(channel=OOPS)["channel"]["properties"]["canvas"]
    assert canvas == {"file_id": made, "is_empty": False}
    change = {"operation": "replace", "document_content": markdown("# All well")}
    client.canvases_edit(canvas_id=made, changes=[change])
    assert error_of(lambda: client.canvases_edit(canvas_id=made, changes=[change, change])) == "invalid_arguments"
    assert error_of(lambda: client.canvases_edit(canvas_id="F0NONE", changes=[change])) == "canvas_not_found"
    change["document_content"] = markdown("x" * 1_048_577)
    assert error_of(lambda: client.canvases_edit(canvas_id=made, changes=[change])) == "canvas_too_large"
    assert [one.markdown for one in workspace.canvases] == ["# All well"]
    assert client.canvases_create(title="Another", document_content=content)["canvas_id"] != made


def test_a_free_plan_has_one_canvas_a_channel_and_no_others(workspace: Workspace, client: WebClient) -> None:
    workspace.free_plan = True
    alone = lambda: client.canvases_create(title="T", document_content=markdown("x"))  # noqa: E731
    assert error_of(alone) == "free_teams_cannot_create_non_tabbed_canvases"
    client.canvases_create(title="T", document_content=markdown("x"), channel_id=OOPS)
    again = lambda: client.canvases_create(title="T", document_content=markdown("x"), channel_id=OOPS)  # noqa: E731
    assert error_of(again) == "free_team_canvas_tab_already_exists"


def test_an_update_takes_4000_characters_and_rewrites_what_it_parses(workspace: Workspace, client: WebClient) -> None:
    text = "see https://example.org/a?b=c now"
    ts = client.chat_postMessage(channel=OOPS, text=text)["ts"]
    assert error_of(lambda: client.chat_update(channel=OOPS, ts=ts, text="x" * 4001)) == "msg_too_long"
    client.chat_update(channel=OOPS, ts=ts, text=text, parse="none")
    assert workspace.message(OOPS, ts).text == text
    client.chat_update(channel=OOPS, ts=ts, text=text)
    assert workspace.message(OOPS, ts).text == "see <https://example.org/a?b=c> now"


def test_a_text_comes_back_from_a_button_with_its_addresses_in_brackets(
    workspace: Workspace, client: WebClient
) -> None:
    client.chat_postMessage(channel=CONTROL, text="see https://example.org", blocks=NOTICE)
    pressed = workspace.press("clear", message=workspace.posts(CONTROL)[0])
    assert pressed.payload["message"]["text"] == "see <https://example.org>"


def test_a_reply_needs_a_message_that_begins_a_thread(workspace: Workspace, client: WebClient) -> None:
    def reply(ts: str) -> str:
        return str(client.chat_postMessage(channel=OOPS, text="x", thread_ts=ts)["ts"])

    first = client.chat_postMessage(channel=OOPS, text="first")["ts"]
    inside = reply(first)
    assert reply(workspace.mention("status", channel=OOPS, queued=False).ts)
    assert error_of(lambda: reply("1.0")) == "thread_not_found"
    assert error_of(lambda: reply(inside)) == "cannot_reply_to_message"
    workspace.lock_thread(workspace.posts(OOPS)[0])
    assert error_of(lambda: reply(first)) == "restricted_action_thread_locked"
    workspace.mend()
    reply(first)
    workspace.delete_message(workspace.posts(OOPS)[0])
    assert error_of(lambda: reply(first)) == "thread_not_found"
    assert error_of(lambda: client.chat_update(channel=OOPS, ts=first, text="x")) == "message_not_found"


def test_all_blocks_together_hold_13200_characters(client: WebClient) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2999}}] * 5
    assert error_of(lambda: client.chat_postMessage(channel=OOPS, text="x", blocks=blocks)) == "msg_blocks_too_long"
    client.chat_postMessage(channel=OOPS, text="x", blocks=blocks[:4])


def test_a_response_url_can_be_used_five_times(workspace: Workspace) -> None:
    webhook = WebhookClient(workspace.slash("/oops-clear", queued=False).payload["response_url"], retry_handlers=[])
    statuses = [webhook.send(text="x").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [404]


def test_calls_that_come_too_often_have_to_wait(workspace: Workspace, client: WebClient) -> None:
    workspace.keep_rates()
    for _ in range(5):
        client.apps_connections_open(app_token=workspace.app_token)
    with pytest.raises(SlackApiError) as caught:
        client.apps_connections_open(app_token=workspace.app_token)
    assert caught.value.response["error"] == "ratelimited"
    assert 55 < int(caught.value.response.headers["Retry-After"]) <= 60
    for channel in (OOPS, CONTROL):
        client.chat_postMessage(channel=channel, text="each channel has its own pace")


def test_a_users_home_is_the_last_that_was_published(workspace: Workspace, client: WebClient) -> None:
    view = {"type": "home", "blocks": [{"type": "divider"}]}
    client.views_publish(user_id=ADA, view=view)
    assert workspace.homes[ADA].view == view
    assert error_of(lambda: client.views_publish(user_id="U0NONE", view=view)) == "user_not_found"
    first = client.views_publish(user_id=ADA, view=view)["view"]["id"]
    assert first == workspace.homes[ADA].id
    assert error_of(lambda: client.views_publish(user_id=ADA, view=view, hash="1.old")) == "hash_conflict"
    client.views_publish(user_id=ADA, view=view, hash=workspace.homes[ADA].hash)
    assert error_of(lambda: client.views_publish(user_id=ADA, view=MODAL)) == "invalid_arguments"
    workspace.disable_home()
    assert error_of(lambda: client.views_publish(user_id=ADA, view=view)) == "not_enabled"


def test_nobody_is_found_by_an_address_that_is_not_confirmed(workspace: Workspace, client: WebClient) -> None:
    def found(**more: Any) -> str:
        workspace.add_user(ADA, "ada", "Ada", email="ada@example.org", **more)
        return str(client.users_lookupByEmail(email="Ada@example.org")["user"]["id"])

    assert found() == ADA
    assert client.users_info(user=ADA)["user"]["profile"]["email"] == "ada@example.org"
    for more in ({"confirmed": False}, {"deleted": True}, {"is_bot": True}, {"stranger": True}):
        assert error_of(lambda more=more: found(**more)) == "users_not_found"  # type: ignore[misc]
    workspace.scopes = [scope for scope in workspace.scopes if scope != "users:read.email"]
    assert error_of(found) == "missing_scope"
    assert "email" not in client.users_info(user=ADA)["user"]["profile"]


def test_a_message_is_pinned_once(workspace: Workspace, client: WebClient) -> None:
    ts = client.chat_postMessage(channel=OOPS, text="x")["ts"]
    client.pins_add(channel=OOPS, timestamp=ts)
    assert workspace.pins == [(OOPS, ts)]
    assert error_of(lambda: client.pins_add(channel=OOPS, timestamp=ts)) == "already_pinned"
    assert error_of(lambda: client.pins_add(channel=OOPS, timestamp="1.0")) == "message_not_found"


def test_a_canvas_that_is_locked_or_gone_is_not_changed_and_text_in_it_is_found(
    workspace: Workspace, client: WebClient
) -> None:
    def content(text: str) -> dict[str, str]:
        return {"type": "markdown", "markdown": text}

    def edit() -> object:
        change = {"operation": "replace", "document_content": content("new")}
        return client.canvases_edit(canvas_id=canvas, changes=[change])

    canvas = client.conversations_canvases_create(channel_id=OOPS, document_content=content("a\n\nold"))["canvas_id"]
    criteria = {"contains_text": "old"}
    assert client.canvases_sections_lookup(canvas_id=canvas, criteria=criteria)["sections"] == [{"id": "temp:C:1"}]
    workspace.lock_canvas(canvas)
    assert error_of(edit) == "canvas_editing_locked"
    workspace.mend()
    edit()
    assert client.canvases_sections_lookup(canvas_id=canvas, criteria=criteria)["sections"] == []
    workspace.delete_canvas(canvas)
    assert error_of(edit) == "canvas_not_found"
