"""Sockets that break."""

from __future__ import annotations

import pytest

from tests.fakes import PATIENCE, wait_until
from tests.slack.conftest import MakeShop
from tests.slack.standin.socket_mode import Drop
from tests.slack.standin.workspace import CONTROL, Workspace

from .serving import readyz, served, serves, works


@pytest.mark.parametrize("how", ["reset", "fin", "close"])
def test_commands_work_again_after_the_socket_was_dropped(make_shop: MakeShop, workspace: Workspace, how: Drop) -> None:
    shop = make_shop()
    for number in (2, 3):
        workspace.drop_socket(how)
        workspace.wait_connected(number, PATIENCE)
        works(shop)


def test_commands_work_again_after_the_socket_fell_silent(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.silence_socket()
    workspace.wait_connected(2, 30)
    works(shop)


def test_commands_work_while_slack_asks_for_a_new_socket(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.refresh_socket()
    works(shop)
    workspace.wait_connected(2, PATIENCE)
    works(shop)


def test_a_socket_that_cannot_be_made_again_at_once_is_noted_and_made_later(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.refuse_sockets()
    workspace.drop_socket()
    wait_until(lambda: "slack" in readyz(shop))
    tries = len(workspace.calls_to("apps.connections.open"))
    workspace.wait_for(lambda: len(workspace.calls_to("apps.connections.open")) >= tries + 2, PATIENCE)
    serves(shop)
    served(shop, CONTROL)
    workspace.refuse_sockets(False)
    works(shop)
    wait_until(lambda: readyz(shop) == {})


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
