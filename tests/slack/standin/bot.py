"""A real Bolt app in the stand-in workspace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from slack_bolt import Ack, App, BoltRequest, Respond
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.fakes import PATIENCE
from tests.slack.standin.workspace import Workspace

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
        self.hold.wait(PATIENCE)
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
        client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text=text, blocks=[])

    def _submitted(self, ack: Ack, body: dict[str, Any]) -> None:
        ack(response_action="errors", errors={"machine": "not now"})
        self.heard.append(body)


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        call()
    return str(caught.value.response["error"])
