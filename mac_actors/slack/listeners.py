"""What Bolt calls: one listener for each kind of payload, which passes it on to the dispatcher."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from slack_bolt import App

from mac_actors.slack import details, notices
from mac_actors.slack.dispatcher import Dispatcher
from mac_actors.slack.home.view import SWITCHES
from mac_actors.slack.training import forms

log = logging.getLogger(__name__)


def register(app: App, dispatcher: Dispatcher) -> None:
    """Have Bolt call ``dispatcher``. Mentions are acknowledged by Bolt before the listener is done; the rest here."""

    @app.event("app_mention")
    def on_mention(body: dict[str, Any], event: dict[str, Any], context: dict[str, Any]) -> None:
        dispatcher.mention(str(body.get("event_id", "")), event, context.get("bot_user_id"))

    @app.event("message")
    def on_message() -> None:
        """Nothing: only mentions are commands. (An app may be subscribed to more than it needs.)"""

    @app.event("app_home_opened")
    def on_home_opened(event: dict[str, Any]) -> None:
        if event.get("tab") == "home":
            dispatcher.homes.opened(str(event["user"]))

    @app.action(SWITCHES)
    def on_switch(ack: Callable[[], None], body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        dispatcher.homes.switched(str(body["user"]["id"]), action)

    @app.command("/oops-clear")
    def on_oops_clear(ack: Callable[[], None], body: dict[str, Any]) -> None:
        ack()
        dispatcher.interactions.oops_clear(body)

    @app.command("/mac")
    def on_mac(ack: Callable[[], None], body: dict[str, Any]) -> None:
        ack()
        dispatcher.mac.run(body)

    @app.options(forms.MEMBER_ACTION)
    def on_typed(ack: Callable[..., None], body: dict[str, Any]) -> None:
        ack(options=dispatcher.training.suggest(str(body.get("value", ""))))

    @app.view(forms.VIEW)
    def on_people_view(ack: Callable[[], None], body: dict[str, Any]) -> None:
        ack()
        dispatcher.training.submit(body)

    @app.view(notices.CLEAR_VIEW)
    def on_clear_view(ack: Callable[[], None], body: dict[str, Any]) -> None:
        ack()
        dispatcher.interactions.clear_view(body)

    @app.view(notices.DETAILS_VIEW)
    def on_details_view(ack: Callable[..., None], body: dict[str, Any]) -> None:
        if errors := details.mistakes(body["view"]):
            ack(response_action="errors", errors=errors)
            return
        ack()
        dispatcher.interactions.details_view(body)

    @app.error
    def on_error(error: Exception, body: dict[str, Any]) -> None:
        """Whatever the listeners here let through: said to whoever asked."""
        log.error("a Slack command failed", exc_info=error)
        dispatcher.replies.apologize(body)

    own = {
        "details": dispatcher.interactions.details_button,
        "whose": dispatcher.training.press,
        "authorize": dispatcher.training.press,
    }
    for command, (_, action) in notices.LABELS.items():
        _register_button(app, action, own.get(command) or partial(dispatcher.interactions.button, command))
    for action in (notices.ALL_ACTION, notices.CANCEL_ACTION):
        _register_button(app, action, dispatcher.bulk.press)


def _register_button(app: App, action: str, press: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    @app.action(action)
    def on_press(ack: Callable[[], None], body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        press(body, action)
