"""Sockets that break, are replaced, or can't be made."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import websocket
from slack_sdk import WebClient

from tests.fakes import PATIENCE, wait_until
from tests.slack.conftest import MakeShop
from tests.slack.standin.socket_mode import Drop
from tests.slack.standin.workspace import CONTROL, Workspace

from .serving import readyz, served, serves, works

OPEN = "apps.connections.open"


@pytest.mark.parametrize("how", ["reset", "fin", "close"])
def test_commands_work_again_after_the_socket_was_dropped(make_shop: MakeShop, workspace: Workspace, how: Drop) -> None:
    shop = make_shop()
    for number in (2, 3):
        workspace.drop_socket(how)
        workspace.wait_connected(number, PATIENCE)
        works(shop)


@contextmanager
def little_patience() -> Iterator[None]:
    """Have silence noticed soon: on a busy computer even that of a socket which is well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mac_actors.slack.socket_mode.SILENCE_SECONDS", 1.0)
        yield


def test_commands_work_again_after_the_socket_fell_silent(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    with little_patience():
        workspace.silence_socket()
        workspace.wait_connected(2, PATIENCE)
    works(shop)


def test_a_socket_that_was_silent_from_the_beginning_is_noticed_too(make_shop: MakeShop, workspace: Workspace) -> None:
    workspace.silence_next_socket()
    with little_patience():
        shop = make_shop(wait=False)
        workspace.wait_connected(2, PATIENCE)
    works(shop)


def test_nothing_waits_while_slack_wants_a_new_socket(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.slow(60, OPEN)
    workspace.refresh_socket()
    workspace.wait_for(lambda: len(workspace.calls_to(OPEN)) == 2)
    workspace.mention("oops Metal Mill").acked()
    wait_until(lambda: shop.state("metal-mill").oops)
    workspace.mend()
    workspace.wait_connected(2)
    assert workspace.connected == 2
    for _ in range(2):  # one goes to the old socket, one to the new
        workspace.mention("help").acked()
    assert readyz(shop) == {}


def test_the_old_socket_is_closed_and_the_new_one_serves_alone(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.refresh_socket(seconds=0.3)
    workspace.wait_for(lambda: (workspace.connections_made, workspace.connected) == (2, 1))
    works(shop)
    assert len(workspace.calls_to(OPEN)) == 2


def test_a_socket_that_cannot_be_made_again_at_once_is_noted_and_made_later(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        shop = make_shop()
        workspace.refuse_sockets()
        workspace.drop_socket()
        wait_until(lambda: readyz(shop) == {"slack": "Slack answered internal_error"})
        tries = len(workspace.calls_to(OPEN))
        workspace.wait_for(lambda: len(workspace.calls_to(OPEN)) >= tries + 2, PATIENCE)
        serves(shop)
        served(shop, CONTROL)
        workspace.refuse_sockets(False)
        works(shop)
        wait_until(lambda: readyz(shop) == {})
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [text.partition(" (")[0].partition(":")[0] for text in told if "lack" in text] == [
        "Slack's socket is lost",
        "Slack is not connected",
        "Slack is connected again",
    ]
    assert not [record.name for record in caplog.records if record.name.startswith(("slack", "websocket"))]


def test_a_new_socket_is_asked_for_at_slacks_pace(make_shop: MakeShop, workspace: Workspace) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mac_actors.slack.socket_mode.CALL_SECONDS", 0.4)
        patch.setattr("mac_actors.slack.socket_mode.CALL_BURST", 2)
        begun = time.monotonic()
        make_shop()
        workspace.refuse_sockets()
        workspace.drop_socket()
        workspace.wait_for(lambda: len(workspace.calls_to(OPEN)) >= 5)
    assert workspace.calls_to(OPEN)[4].at - begun >= 3 * 0.4  # two at once, the others one by one


def test_a_rate_limit_on_sockets_is_obeyed_and_said(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.rate_limit(OPEN, retry_after=1)
    workspace.drop_socket()
    wait_until(lambda: readyz(shop) == {"slack": "Slack asks to wait (rate limit)"})
    workspace.wait_connected(2)
    _, refused, taken = (call.at for call in workspace.calls_to(OPEN))
    assert taken - refused >= 1
    works(shop)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("token_revoked", "token_revoked: generate an app-level token"),
        ("invalid_auth", "invalid_auth: generate an app-level token"),
        ("not_allowed_token_type", "SLACK_APP_TOKEN"),
    ],
)
def test_why_no_socket_can_be_made_is_said_with_what_to_do(
    make_shop: MakeShop, workspace: Workspace, error: str, text: str
) -> None:
    shop = make_shop()
    workspace.refuse_sockets(error=error)
    workspace.drop_socket()
    wait_until(lambda: text in readyz(shop).get("slack", ""))


def test_socket_mode_that_is_switched_off_is_said_and_picked_up_when_it_is_on_again(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.disable_socket_mode()
    wait_until(lambda: "enable Socket Mode in the app's settings" in readyz(shop).get("slack", ""))
    workspace.refuse_sockets(False)
    works(shop)
    assert readyz(shop) == {}


def test_a_second_server_with_the_same_token_is_said_once_until_it_is_gone(
    make_shop: MakeShop, workspace: Workspace, quick: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = WebClient(token=workspace.bot_token, base_url=workspace.url, retry_handlers=[])
    other = websocket.create_connection(client.apps_connections_open(app_token=workspace.app_token)["url"], timeout=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mac_actors.slack.socket_mode.OTHERS_SECONDS", 0.3)
        patch.setattr("mac_actors.slack.socket_mode.OTHERS_AGAIN_SECONDS", 0.3)
        shop = make_shop()
        assert readyz(shop) == {}
        wait_until(lambda: "same SLACK_APP_TOKEN" in readyz(shop).get("slack connections", ""))
        seen = workspace.connections_made
        workspace.wait_connected(seen + 2)
        other.close()
        wait_until(lambda: readyz(shop) == {})
    assert len([record for record in caplog.records if "same SLACK_APP_TOKEN" in record.getMessage()]) == 1


def test_a_stop_ends_soon_whatever_slack_does(make_shop: MakeShop, workspace: Workspace) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mac_actors.slack.gateway.TIMEOUT_SECONDS", 100)
        patch.setattr("mac_actors.slack.socket_mode.TIMEOUT_SECONDS", 100)
        shop = make_shop()
    workspace.slow(100)
    workspace.mention("help").acked()  # its answer hangs
    shop.http.post("/api/machine/oops/metal-mill")  # its notices do
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= 3)
    workspace.drop_socket()
    workspace.wait_for(lambda: len(workspace.calls_to(OPEN)) == 2)  # and the new socket
    begun = time.monotonic()
    shop.stop()
    assert time.monotonic() - begun < PATIENCE
    workspace.mend()


def test_an_event_that_waited_for_a_socket_is_carried_out(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.refuse_sockets()
    workspace.drop_socket()
    lost = workspace.mention("oops Metal Mill", queued=False)
    assert lost.sent_at is None
    workspace.refuse_sockets(False)
    workspace.wait_connected(2, PATIENCE)
    workspace.redeliver(lost, attempt=1, reason="socket_mode_connection_error").acked(PATIENCE)
    wait_until(lambda: shop.state("metal-mill").oops)


def test_an_event_that_nobody_listens_to_is_acknowledged(make_shop: MakeShop, workspace: Workspace) -> None:
    make_shop()
    workspace.open_home().acked()


def test_what_is_no_message_of_slack_does_no_harm(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    for odd in ("[]", json.dumps({"type": "hello"}), json.dumps({"envelope_id": "x", "type": "strange"})):
        workspace.say_on_socket(odd)
    works(shop)
    workspace.say_on_socket("{")
    workspace.wait_connected(2)
    works(shop)
