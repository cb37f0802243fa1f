"""Slack is not there, or not set up as it must be."""

from __future__ import annotations

import logging

import pytest

from tests.fakes import PATIENCE, wait_until
from tests.slack.conftest import MakeShop
from tests.slack.standin.workspace import ADA, BOB, CONTROL, OOPS, Workspace

from .serving import lines, readyz, served, serves, works


def test_the_server_works_while_slack_is_down_and_connects_by_itself_later(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.down()
    shop = make_shop(wait=False)
    wait_until(lambda: "can't be reached" in readyz(shop).get("slack", ""))
    serves(shop)
    wait_until(lambda: "slack oops channel" in readyz(shop))
    workspace.up()
    served(shop, CONTROL)
    served(shop, OOPS)
    works(shop)
    shop.settle()
    wait_until(lambda: readyz(shop) == {})
    said = [r for r in caplog.records if "Slack is not connected" in r.getMessage()]
    assert len(said) == 1
    assert said[0].levelno == logging.ERROR


def test_a_wrong_bot_token_is_said_once_and_slack_connects_once_it_is_mended(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(wait=False, bot_token="xoxb-wrong")
    wait_until(lambda: "SLACK_BOT_TOKEN" in readyz(shop).get("slack", ""))
    serves(shop)
    tries = len(workspace.calls_to("auth.test"))
    workspace.wait_for(lambda: len(workspace.calls_to("auth.test")) >= tries + 4)
    wait_until(lambda: {"slack", "slack control channel", "slack oops channel"} <= set(readyz(shop)))
    said = [r.getMessage() for r in caplog.records if "Slack is not connected" in r.getMessage()]
    assert len(said) == 1
    waiting = [r.getMessage() for r in caplog.records if r.getMessage().startswith("notices for the")]
    assert len(waiting) == 2, waiting
    workspace.bot_token = "xoxb-wrong"
    served(shop, CONTROL)
    served(shop, OOPS)
    works(shop)
    shop.settle()
    wait_until(lambda: readyz(shop) == {})
    assert "xoxb-wrong" not in caplog.text


def test_a_wrong_app_token_is_said_notices_go_out_and_commands_work_once_it_is_mended(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(wait=False, app_token="xapp-wrong")
    wait_until(lambda: "SLACK_APP_TOKEN" in readyz(shop).get("slack", ""))
    serves(shop)
    served(shop, CONTROL)
    served(shop, OOPS)
    tries = len(workspace.calls_to("apps.connections.open"))
    workspace.wait_for(lambda: len(workspace.calls_to("apps.connections.open")) >= tries + 3)
    said = [r.getMessage() for r in caplog.records if "Slack is not connected" in r.getMessage()]
    assert len(said) == 1
    workspace.app_token = "xapp-wrong"
    works(shop)
    wait_until(lambda: readyz(shop) == {})
    assert "xapp-wrong" not in caplog.text


def test_a_channel_that_does_not_exist_holds_up_no_other_and_is_picked_up_once_it_does(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(wait=False, control_channel="C0WRONG")
    shop.connected()
    serves(shop)
    served(shop, OOPS)
    wait_until(lambda: "channel_not_found" in readyz(shop).get("slack control channel", ""))
    tries = len(workspace.calls_to("chat.postMessage"))
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= tries + 3)
    said = [r for r in caplog.records if "notices for the control channel wait" in r.getMessage()]
    assert len(said) == 1
    workspace.add_channel("C0WRONG", "mended", members=(workspace.bot_user_id, ADA, BOB))
    workspace.wait_for(lambda: len(lines(shop.posts("C0WRONG"))) == 4, PATIENCE)
    shop.drained()
    wait_until(lambda: "slack control channel" not in readyz(shop))
    assert len(lines(shop.posts("C0WRONG"))) == 4


def leave(workspace: Workspace, channel: str) -> None:
    workspace.channel(channel).members.remove(workspace.bot_user_id)


@pytest.mark.parametrize(("channel", "other"), [(CONTROL, OOPS), (OOPS, CONTROL)])
def test_a_channel_without_the_bot_is_picked_up_when_it_is_invited(
    make_shop: MakeShop, workspace: Workspace, channel: str, other: str
) -> None:
    leave(workspace, channel)
    shop = make_shop(wait=False)
    shop.connected()
    serves(shop)
    served(shop, other)
    name = "control" if channel == CONTROL else "oops"
    wait_until(lambda: "invite" in readyz(shop).get(f"slack {name} channel", ""))
    workspace.channel(channel).members.append(workspace.bot_user_id)
    served(shop, channel)
    wait_until(lambda: f"slack {name} channel" not in readyz(shop))


def test_a_channel_that_was_mended_is_no_longer_noted_in_readyz(make_shop: MakeShop, workspace: Workspace) -> None:
    leave(workspace, OOPS)
    shop = make_shop(wait=False)
    shop.connected()
    wait_until(lambda: "invite" in " ".join(readyz(shop).values()))
    workspace.channel(OOPS).members.append(workspace.bot_user_id)
    serves(shop)
    served(shop, OOPS)
    shop.drained()
    wait_until(lambda: readyz(shop) == {})


def test_a_channel_that_is_archived_while_the_server_runs_is_picked_up_when_it_is_back(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.channel(OOPS).archived = True
    serves(shop)
    served(shop, CONTROL)
    wait_until(lambda: "is_archived" in readyz(shop).get("slack oops channel", ""))
    workspace.channel(OOPS).archived = False
    served(shop, OOPS)
    wait_until(lambda: readyz(shop) == {})
