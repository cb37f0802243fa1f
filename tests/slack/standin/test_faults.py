"""The ways in which the stand-in misbehaves, as the real clients see them."""

from __future__ import annotations

import threading
from urllib.error import URLError

import pytest
from slack_bolt import App
from slack_bolt.error import BoltError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from tests.slack.standin.bot import Bot, error_of
from tests.slack.standin.workspace import CONTROL, OOPS, Workspace


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
    workspace.mention("status").acked()
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
