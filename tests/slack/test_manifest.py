"""The app's manifest asks for what the server needs, and docs/slack.rst leaves out no variable and no command."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from mac_actors.settings import environment
from mac_actors.slack import listeners
from mac_actors.slack.checks import OPTIONAL_SCOPES, SCOPES
from mac_actors.slack.commands import Verb

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "slack.rst").read_text("utf-8")

SOURCE_DOCUMENT_SCOPES = (
    "app_mentions:read",
    "canvases:read",
    "canvases:write",
    "channels:read",
    "chat:write",
    "groups:read",
    "groups:write",
    "incoming-webhook",
    "users.profile:read",
    "users:read",
)

VARIABLES = sorted(set(re.findall(r"\bSLACK_[A-Z_]+\b", inspect.getsource(environment))))


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """The manifest as Slack reads it."""
    parsed = yaml.safe_load((ROOT / "etc" / "slack-manifest.yaml").read_text("utf-8"))
    assert isinstance(parsed, dict)
    return parsed


@pytest.mark.parametrize("scope", sorted({*SCOPES, *OPTIONAL_SCOPES, *SOURCE_DOCUMENT_SCOPES}))
def test_the_manifest_asks_for_every_scope(manifest: dict[str, Any], scope: str) -> None:
    assert scope in manifest["oauth_config"]["scopes"]["bot"]


def test_the_manifest_names_no_scope_twice(manifest: dict[str, Any]) -> None:
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert len(scopes) == len(set(scopes))


def test_the_manifest_subscribes_to_what_is_listened_to_and_nothing_else(manifest: dict[str, Any]) -> None:
    assert manifest["settings"]["event_subscriptions"] == {"bot_events": ["app_home_opened", "app_mention"]}
    listened_to = re.findall(r'@app\.event\("([^"]+)"\)', inspect.getsource(listeners.register))
    assert sorted(listened_to) == ["app_home_opened", "app_mention", "message"]  # the last one to leave it alone


def test_the_manifest_has_the_tabs_of_the_app(manifest: dict[str, Any]) -> None:
    tabs = ("home_tab_enabled", "messages_tab_enabled", "messages_tab_read_only_enabled")
    assert manifest["features"]["app_home"] == dict.fromkeys(tabs, True)


def test_the_manifest_has_every_slash_command_that_the_server_listens_to(manifest: dict[str, Any]) -> None:
    listened_to = re.findall(r'@app\.command\("([^"]+)"\)', inspect.getsource(listeners.register))
    commands = manifest["features"]["slash_commands"]
    assert listened_to == ["/oops-clear", "/mac"]
    assert [command["command"] for command in commands] == listened_to
    assert [command["usage_hint"] for command in commands] == ["[machine name]", "login | train [machine name]"]


def test_the_manifest_switches_socket_mode_and_interactivity_on_and_the_rest_off(manifest: dict[str, Any]) -> None:
    settings = manifest["settings"]
    assert settings["socket_mode_enabled"] is True
    assert settings["interactivity"] == {"is_enabled": True}
    assert settings["org_deploy_enabled"] is False
    assert settings["token_rotation_enabled"] is False


def test_the_manifest_has_a_bot_user_and_keeps_to_the_lengths_that_slack_allows(manifest: dict[str, Any]) -> None:
    shown = manifest["display_information"]
    assert 1 <= len(shown["name"]) <= 35
    assert 1 <= len(shown["description"]) <= 140
    assert re.fullmatch(r"#[0-9a-f]{6}", shown["background_color"])
    assert 1 <= len(manifest["features"]["bot_user"]["display_name"]) <= 80


def test_the_manifest_has_no_sections_beside_those_of_slacks_schema(manifest: dict[str, Any]) -> None:
    assert set(manifest) == {"display_information", "features", "oauth_config", "settings"}
    assert set(manifest["features"]) == {"app_home", "bot_user", "slash_commands"}


def test_the_variables_were_found_in_the_source() -> None:
    assert {known.name for known in environment.SLACK} == set(VARIABLES) - {environment.SLACK_CONFIG.name}


@pytest.mark.parametrize("variable", [known.name for known in environment.SLACK[:-1]])
def test_the_document_says_where_every_needed_variable_comes_from(variable: str) -> None:
    assert f"``{variable}``" in DOCUMENT


@pytest.mark.parametrize("verb", list(Verb))
def test_the_document_shows_every_command_with_a_question(verb: Verb) -> None:
    assert re.search(rf"^\s+@machine-access-control {verb.value}\b", DOCUMENT, re.MULTILINE)


def test_the_document_speaks_of_the_slash_commands_and_of_the_manifest() -> None:
    for command in ("/oops-clear", "/mac login", "/mac train"):
        assert command in DOCUMENT
    assert "etc/slack-manifest.yaml" in DOCUMENT
