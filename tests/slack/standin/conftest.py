"""The real clients beside the stand-in workspace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from tests.slack.standin.bot import Bot
from tests.slack.standin.workspace import Workspace


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a real workspace's tokens reach the clients."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def client(workspace: Workspace) -> WebClient:
    """The real client, without its retries."""
    return WebClient(token=workspace.bot_token, base_url=workspace.url, timeout=5, retry_handlers=[])


@pytest.fixture
def bot(workspace: Workspace, client: WebClient) -> Iterator[Bot]:
    bot = Bot(workspace, client)
    bot.handler.client.connect()
    workspace.wait_connected()
    yield bot
    bot.close(workspace)
