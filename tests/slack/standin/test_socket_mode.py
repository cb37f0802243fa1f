"""The stand-in's Socket Mode, proven with a real Bolt app."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websocket
from slack_sdk import WebClient

from tests.slack.standin import envelopes
from tests.slack.standin.bot import MODAL, NOTICE, Bot, error_of
from tests.slack.standin.workspace import ADA, BOB, CONTROL, OTHER, Workspace


def test_a_mention_is_acknowledged_and_answered_in_its_thread(workspace: Workspace, bot: Bot) -> None:
    mention = workspace.mention("oops Lathe", user=BOB)
    mention.acked()
    (post,) = workspace.wait_for_posts(CONTROL)
    assert (post.text, post.thread_ts) == (f"heard: <@{workspace.bot_user_id}> oops Lathe", mention.ts)
    assert bot.heard[0]["event_id"] == mention.event_id
    assert bot.heard[0]["event"]["user"] == BOB


def test_an_event_is_acknowledged_while_its_listener_still_works(workspace: Workspace, bot: Bot) -> None:
    bot.hold.clear()
    workspace.mention("status").acked()
    assert bot.heard == []
    assert workspace.posts() == []
    bot.hold.set()
    workspace.wait_for_posts(CONTROL)


def test_a_long_mention_arrives_whole(workspace: Workspace, bot: Bot) -> None:
    long = "lock " + "ä" * 30_000
    workspace.mention(long, channel=OTHER).acked()
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
    assert command.acked().payload is None
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
    assert error_of(again) == "exchanged_trigger_id"
    workspace.trigger_life = 0.0
    late = workspace.slash("/oops-clear", queued=False).trigger_id
    assert error_of(lambda: client.views_open(trigger_id=late, view=MODAL)) == "expired_trigger_id"


def test_a_button_is_pressed_and_its_message_updated(workspace: Workspace, bot: Bot, client: WebClient) -> None:
    client.chat_postMessage(channel=CONTROL, text="Lathe is oopsed", blocks=NOTICE)
    (notice,) = workspace.posts(CONTROL)
    workspace.press("clear", message=notice, user=BOB).acked()
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
    kept.acked()
    assert lost.ack is None
    with pytest.raises(TimeoutError, match="no acknowledgement"):
        lost.acked(0.01)
    bot.close(workspace)


@pytest.mark.parametrize("how", ["reset", "fin", "close"])
def test_a_dropped_socket_is_opened_again(workspace: Workspace, bot: Bot, how: Any) -> None:
    workspace.drop_socket(how)
    assert workspace.connected == 0
    workspace.wait_connected(2)
    workspace.mention("status").acked()
    workspace.wait_for_posts(CONTROL)


def hello(workspace: Workspace, client: WebClient) -> tuple[websocket.WebSocket, int]:
    """A new websocket, and how many there are by Slack's word."""
    socket = websocket.create_connection(client.apps_connections_open(app_token=workspace.app_token)["url"], timeout=5)
    return socket, json.loads(socket.recv())["num_connections"]


def test_a_socket_that_will_be_closed_is_usable_until_then(workspace: Workspace, client: WebClient) -> None:
    old, _ = hello(workspace, client)
    workspace.refresh_socket(seconds=0.5)
    assert json.loads(old.recv())["reason"] == "warning"
    workspace.mention("status")
    assert json.loads(old.recv())["type"] == "events_api"
    new, count = hello(workspace, client)
    assert count == 2
    assert json.loads(old.recv())["reason"] == "refresh_requested"
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        old.recv()
    assert workspace.connected == 1
    new.close()


def test_a_socket_that_died_without_a_sign_is_given_nothing(workspace: Workspace, client: WebClient) -> None:
    dead, _ = hello(workspace, client)
    workspace.silence_socket()
    assert workspace.connected == 0
    event = workspace.mention("status")
    alive, count = hello(workspace, client)
    assert count == 2  # Slack does not know that it is dead
    assert json.loads(alive.recv())["payload"]["event_id"] == event.event_id
    dead.settimeout(0.1)
    with pytest.raises(websocket.WebSocketTimeoutException):
        dead.recv()
    for socket in (dead, alive):
        socket.shutdown()  # type: ignore[no-untyped-call]


def test_each_event_goes_to_one_of_several_sockets(workspace: Workspace, client: WebClient) -> None:
    (one, first), (two, second) = hello(workspace, client), hello(workspace, client)
    assert (first, second) == (1, 2)
    sent = {workspace.mention("status").event_id for _ in range(2)}
    assert {json.loads(socket.recv())["payload"]["event_id"] for socket in (one, two)} == sent
    one.close()
    two.close()


def test_socket_mode_that_is_switched_off_ends_the_sockets(workspace: Workspace, client: WebClient) -> None:
    socket, _ = hello(workspace, client)
    workspace.disable_socket_mode()
    assert json.loads(socket.recv())["reason"] == "link_disabled"
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        socket.recv()
    assert error_of(lambda: client.apps_connections_open(app_token=workspace.app_token)) == "not_allowed"


def test_a_look_at_the_home_tab_is_an_event(workspace: Workspace, client: WebClient) -> None:
    socket, _ = hello(workspace, client)
    workspace.open_home(BOB, "messages")
    event = json.loads(socket.recv())["payload"]["event"]
    assert (event["type"], event["user"], event["tab"]) == ("app_home_opened", BOB, "messages")
    socket.close()


@pytest.mark.usefixtures("bot")
def test_refused_sockets_are_tried_until_they_are_not(workspace: Workspace) -> None:
    tried = len(workspace.calls_to("apps.connections.open"))
    workspace.refuse_sockets()
    workspace.drop_socket()
    workspace.wait_for(lambda: len(workspace.calls_to("apps.connections.open")) >= tried + 2)
    assert (workspace.connected, workspace.connections_made) == (0, 1)
    workspace.refuse_sockets(False)
    workspace.wait_connected(2)
    workspace.mention("status").acked()
