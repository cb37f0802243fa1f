"""The stand-in workspace, proven with the real Slack clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import URLError

import pytest
from slack_bolt import Ack, App, BoltRequest, Respond
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.error import BoltError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from . import envelopes
from .workspace import ADA, BOB, CONTROL, EVE, OOPS, OTHER, Workspace

BUTTON = {"type": "button", "action_id": "clear", "text": {"type": "plain_text", "text": "Clear"}, "value": "lathe"}
NOTICE = [{"type": "actions", "block_id": "notice", "elements": [BUTTON]}]
MODAL = {
    "type": "modal",
    "callback_id": "oops-clear",
    "private_metadata": "from here",
    "title": {"type": "plain_text", "text": "Clear"},
    "submit": {"type": "plain_text", "text": "Clear"},
    "blocks": [
        {
            "type": "input",
            "block_id": "machine",
            "label": {"type": "plain_text", "text": "Machine"},
            "element": {
                "type": "static_select",
                "action_id": "name",
                "options": [{"text": {"type": "plain_text", "text": "Lathe"}, "value": "lathe"}],
            },
        }
    ],
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a real workspace's tokens reach the clients."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


@pytest.fixture
def client(workspace: Workspace) -> WebClient:
    """The real client, without its retries."""
    return WebClient(token=workspace.bot_token, base_url=workspace.url, timeout=5, retry_handlers=[])


class Bot:
    """A real Bolt app in Socket Mode that notes what it hears."""

    def __init__(self, workspace: Workspace, client: WebClient) -> None:
        self.heard: list[dict[str, Any]] = []
        self.retries: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        app = App(client=client)
        app.event("app_mention")(self._mentioned)
        app.command("/oops-clear")(self._commanded)
        app.action("clear")(self._pressed)
        app.view("oops-clear")(self._submitted)
        self.handler = SocketModeHandler(app, workspace.app_token, ping_interval=0.2)

    def close(self, workspace: Workspace) -> None:
        """Close the client, in the way in which it does not wait for its own time-outs (3 s and 1 s)."""
        self.hold.set()
        client = self.handler.client
        client.default_auto_reconnect_enabled = client.auto_reconnect_enabled = False
        workspace.drop_socket()
        workspace.wait_for(lambda: not client.is_connected())
        client.closed = True
        client.enqueue_message("")
        client.close()

    def _mentioned(self, event: dict[str, Any], body: dict[str, Any], request: BoltRequest, client: WebClient) -> None:
        self.hold.wait(10)
        self.heard.append(body)
        self.retries.append(request.headers["x-slack-retry-num"][0])
        client.chat_postMessage(channel=event["channel"], text=f"heard: {event['text']}", thread_ts=event["ts"])

    def _commanded(self, ack: Ack, body: dict[str, Any], respond: Respond, client: WebClient) -> None:
        ack()
        self.heard.append(body)
        if body["text"]:
            respond(f"cleared {body['text']}")
        else:
            client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    def _pressed(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        ack()
        self.heard.append(body)
        text = f"cleared by {body['user']['id']}: {body['actions'][0]['value']}"
        client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text=text)

    def _submitted(self, ack: Ack, body: dict[str, Any]) -> None:
        ack(response_action="errors", errors={"machine": "not now"})
        self.heard.append(body)


@pytest.fixture
def bot(workspace: Workspace, client: WebClient) -> Iterator[Bot]:
    bot = Bot(workspace, client)
    bot.handler.client.connect()
    workspace.wait_connected()
    yield bot
    bot.close(workspace)


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        call()
    return str(caught.value.response["error"])


# The Web API.


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


# Socket Mode.


def test_a_mention_is_acknowledged_and_answered_in_its_thread(workspace: Workspace, bot: Bot) -> None:
    mention = workspace.mention("oops Lathe", user=BOB)
    assert mention.acked(3).took < 3
    (post,) = workspace.wait_for_posts(CONTROL)
    assert (post.text, post.thread_ts) == (f"heard: <@{workspace.bot_user_id}> oops Lathe", mention.ts)
    assert bot.heard[0]["event_id"] == mention.event_id
    assert bot.heard[0]["event"]["user"] == BOB


def test_an_event_is_acknowledged_while_its_listener_still_works(workspace: Workspace, bot: Bot) -> None:
    bot.hold.clear()
    assert workspace.mention("status").acked(3)
    assert bot.heard == []
    assert workspace.posts() == []
    bot.hold.set()
    workspace.wait_for_posts(CONTROL)


def test_a_long_mention_arrives_whole(workspace: Workspace, bot: Bot) -> None:
    long = "lock " + "ä" * 30_000
    assert workspace.mention(long, channel=OTHER).acked(3)
    workspace.wait_for(lambda: len(bot.heard) == 1)
    assert bot.heard[0]["event"]["text"].endswith(long)
    workspace.wait_for_posts(OTHER)


def test_a_redelivery_carries_the_same_event_and_its_number(workspace: Workspace, bot: Bot) -> None:
    first = workspace.mention("status")
    first.acked()
    workspace.wait_for_posts(CONTROL)
    workspace.redeliver(first, attempt=2).acked()
    workspace.wait_for_posts(CONTROL, 2)
    assert bot.retries == ["0", "2"]
    assert {body["event_id"] for body in bot.heard} == {first.event_id}


def test_edits_and_bots_are_marked(workspace: Workspace, bot: Bot) -> None:
    workspace.mention("status", edited=True).acked()
    workspace.wait_for(lambda: len(bot.heard) == 1)
    workspace.mention("status", bot_id="B0ELSE", subtype="bot_message").acked()
    workspace.wait_for(lambda: len(bot.heard) == 2)
    edited, foreign = (body["event"] for body in bot.heard)
    assert "edited" in edited
    assert (foreign["bot_id"], foreign["subtype"]) == ("B0ELSE", "bot_message")


def test_what_the_bot_itself_says_reaches_no_listener(workspace: Workspace, bot: Bot) -> None:
    workspace.mention("status", user=workspace.bot_user_id).acked()
    workspace.mention("status", bot_id=envelopes.BOT_ID).acked()
    assert bot.heard == []


def test_a_slash_command_is_answered_at_its_response_url(workspace: Workspace, bot: Bot) -> None:
    command = workspace.slash("/oops-clear", "Lathe")
    assert command.acked(3).payload is None
    (answer,) = command.answered()
    assert (answer.text, answer.in_channel) == ("cleared Lathe", False)
    assert (bot.heard[0]["user_id"], bot.heard[0]["channel_id"]) == (ADA, CONTROL)


def test_a_modal_opens_and_its_submission_is_acknowledged_with_a_payload(workspace: Workspace, bot: Bot) -> None:
    workspace.slash("/oops-clear").acked()
    (view,) = workspace.wait_for_views()
    assert (view.user, view.callback_id, view.private_metadata) == (ADA, "oops-clear", "from here")
    ack = workspace.submit_view(view, values={"machine": {"name": envelopes.chosen("lathe")}}).acked()
    assert ack.payload == {"response_action": "errors", "errors": {"machine": "not now"}}
    workspace.wait_for(lambda: len(bot.heard) == 2)
    state = bot.heard[1]["view"]["state"]["values"]["machine"]["name"]
    assert state["selected_option"]["value"] == "lathe"


def test_a_trigger_opens_one_modal_and_only_for_three_seconds(workspace: Workspace, client: WebClient) -> None:
    command = workspace.slash("/oops-clear", queued=False)
    client.views_open(trigger_id=command.trigger_id, view=MODAL)
    again = lambda: client.views_open(trigger_id=command.trigger_id, view=MODAL)  # noqa: E731
    assert error_of(again) == "invalid_trigger_id"
    workspace.trigger_life = 0.0
    late = workspace.slash("/oops-clear", queued=False).trigger_id
    assert error_of(lambda: client.views_open(trigger_id=late, view=MODAL)) == "expired_trigger_id"


def test_a_button_is_pressed_and_its_message_updated(workspace: Workspace, bot: Bot, client: WebClient) -> None:
    client.chat_postMessage(channel=CONTROL, text="Lathe is oopsed", blocks=NOTICE)
    (notice,) = workspace.posts(CONTROL)
    assert workspace.press("clear", message=notice, user=BOB).acked(3)
    workspace.wait_for_updates(CONTROL)
    now = workspace.message(CONTROL, notice.ts)
    assert (now.text, now.blocks) == (f"cleared by {BOB}: lathe", [])
    with pytest.raises(ValueError, match="no 'clear' to press"):
        workspace.press("clear", message=now)
    assert bot.heard[0]["actions"][0]["block_id"] == "notice"


def test_what_is_sent_while_no_socket_is_open_waits_or_is_lost(workspace: Workspace, client: WebClient) -> None:
    lost, kept = workspace.mention("first", queued=False), workspace.mention("second")
    bot = Bot(workspace, client)
    bot.handler.client.connect()
    kept.acked(3)
    assert lost.ack is None
    with pytest.raises(TimeoutError, match="no acknowledgement"):
        lost.acked(0.01)
    bot.close(workspace)


@pytest.mark.parametrize("how", ["reset", "fin", "close"])
def test_a_dropped_socket_is_opened_again(workspace: Workspace, bot: Bot, how: Any) -> None:
    workspace.drop_socket(how)
    assert workspace.connected == 0
    workspace.wait_connected(2)
    assert workspace.mention("status").acked(3)
    workspace.wait_for_posts(CONTROL)


@pytest.mark.usefixtures("bot")
def test_a_socket_that_died_without_a_sign_is_replaced(workspace: Workspace) -> None:
    # The client calls it stale only if a ping was answered before.
    time_of_pong = time.monotonic()
    workspace.wait_for(lambda: time.monotonic() - time_of_pong > 0.5)
    workspace.silence_socket()
    assert workspace.connected == 0
    workspace.wait_connected(2, 15)
    assert workspace.mention("status").acked(3)


@pytest.mark.usefixtures("bot")
def test_a_socket_is_replaced_when_slack_asks_for_it(workspace: Workspace) -> None:
    workspace.refresh_socket()
    workspace.wait_connected(2)
    assert workspace.mention("status").acked(3)


@pytest.mark.usefixtures("bot")
def test_refused_sockets_are_tried_until_they_are_not(workspace: Workspace) -> None:
    tried = len(workspace.calls_to("apps.connections.open"))
    workspace.refuse_sockets()
    workspace.drop_socket()
    workspace.wait_for(lambda: len(workspace.calls_to("apps.connections.open")) >= tried + 2)
    assert (workspace.connected, workspace.connections_made) == (0, 1)
    workspace.refuse_sockets(False)
    workspace.wait_connected(2)
    assert workspace.mention("status").acked(3)


# Faults.


def test_down_refuses_connections_and_up_is_the_same_address(workspace: Workspace, bot: Bot, client: WebClient) -> None:
    before = workspace.url
    workspace.down()
    assert workspace.connected == 0
    with pytest.raises(URLError, match="refused"):
        client.chat_postMessage(channel=OOPS, text="lost")
    workspace.up()
    assert workspace.url == before
    client.chat_postMessage(channel=OOPS, text="there")
    workspace.wait_connected(2)
    assert workspace.mention("status").acked(3)
    workspace.wait_for(lambda: len(bot.heard) == 1)
    assert [post.text for post in workspace.posts(OOPS)] == ["there"]


def test_an_app_can_neither_be_built_without_slack_nor_with_a_wrong_token(
    workspace: Workspace, client: WebClient
) -> None:
    with pytest.raises(BoltError, match="invalid_auth"):
        App(client=WebClient(token="xoxb-wrong", base_url=workspace.url))
    workspace.down()
    with pytest.raises(URLError, match="refused"):
        App(client=client)


def test_rate_limiting_is_honoured_by_the_clients_handler(workspace: Workspace) -> None:
    client = WebClient(token=workspace.bot_token, base_url=workspace.url, retry_handlers=[RateLimitErrorRetryHandler()])
    workspace.rate_limit("chat.postMessage", retry_after=1, times=1)
    client.chat_postMessage(channel=OOPS, text="patience")
    first, second = workspace.calls_to("chat.postMessage")
    assert 1 <= second.at - first.at < 3
    assert len(workspace.posts(OOPS)) == 1


def test_rate_limiting_tells_how_long_to_wait(workspace: Workspace, client: WebClient) -> None:
    workspace.rate_limit("chat.postMessage", retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel=OOPS, text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    assert caught.value.response["error"] == "ratelimited"
    client.chat_postMessage(channel=OOPS, text="x")
    assert len(workspace.posts(OOPS)) == 1


def test_one_channel_can_fail_until_it_is_mended(workspace: Workspace, client: WebClient) -> None:
    workspace.fail("chat.postMessage", "channel_not_found", channel=OOPS)
    for _ in range(2):
        assert error_of(lambda: client.chat_postMessage(channel=OOPS, text="x")) == "channel_not_found"
    client.chat_postMessage(channel=CONTROL, text="x")
    workspace.mend()
    client.chat_postMessage(channel=OOPS, text="x")
    assert len(workspace.posts()) == 2


def test_a_cut_answer_leaves_the_post_taken(workspace: Workspace, client: WebClient) -> None:
    workspace.cut_answers("chat.postMessage")
    with pytest.raises(ConnectionError):
        client.chat_postMessage(channel=OOPS, text="taken")
    assert [post.text for post in workspace.posts(OOPS)] == ["taken"]


def test_the_clients_own_retry_doubles_a_post_whose_answer_was_cut(workspace: Workspace) -> None:
    client = WebClient(token=workspace.bot_token, base_url=workspace.url)
    workspace.cut_answers("chat.postMessage")
    client.chat_postMessage(channel=OOPS, text="taken")
    assert [post.text for post in workspace.posts(OOPS)] == ["taken", "taken"]


def test_an_http_error_is_no_json(workspace: Workspace, client: WebClient) -> None:
    workspace.http_error(503, times=1)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel=OOPS, text="x")
    assert caught.value.response.status_code == 503
    client.chat_postMessage(channel=OOPS, text="x")
    assert len(workspace.posts(OOPS)) == 1


def test_a_slow_answer_can_be_let_go_early(workspace: Workspace, client: WebClient) -> None:
    workspace.slow(60, "chat.postMessage")
    client.auth_test()  # the others are as quick as ever
    posting = threading.Thread(target=lambda: client.chat_postMessage(channel=OOPS, text="late"))
    posting.start()
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) == 1)
    assert workspace.posts() == []
    workspace.slow(0, "chat.postMessage")
    posting.join(5)
    assert [post.text for post in workspace.posts(OOPS)] == ["late"]


def test_a_request_whose_client_gave_up_is_not_carried_out(workspace: Workspace) -> None:
    client = WebClient(token=workspace.bot_token, base_url=workspace.url, timeout=1, retry_handlers=[])
    workspace.slow(60)
    with pytest.raises(TimeoutError):
        client.chat_postMessage(channel=OOPS, text="never")
    workspace.mend()
    client.chat_postMessage(channel=OOPS, text="now")
    assert [post.text for post in workspace.posts(OOPS)] == ["now"]


def test_waiting_in_vain_says_what_there_was(workspace: Workspace, client: WebClient) -> None:
    client.chat_postMessage(channel=OOPS, text="only this")
    with pytest.raises(TimeoutError, match="only this"):
        workspace.wait_for_posts(OOPS, 2, timeout=0.01)
