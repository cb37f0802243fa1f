"""Whether Slack is connected, as /metrics says it."""

from __future__ import annotations

from tests.fakes import wait_until
from tests.slack.conftest import MakeShop
from tests.slack.standin.workspace import Workspace
from tests.web.metrics.scrape import Scrape


def test_metrics_say_whether_slack_is_connected(make_shop: MakeShop, workspace: Workspace) -> None:
    metrics = make_shop().service.shop.app.metrics
    assert Scrape.of(metrics).value("mac_slack_connected") == 1
    workspace.down()
    wait_until(lambda: Scrape.of(metrics).value("mac_slack_connected") == 0)
    workspace.up()
    wait_until(lambda: Scrape.of(metrics).value("mac_slack_connected") == 1)
