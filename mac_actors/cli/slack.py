"""The commands that look after the connection to Slack."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress

import click

from mac_actors.cli.common import read_settings
from mac_actors.errors import ConfigError
from mac_actors.settings.files import load


@click.group(short_help="slack check: are tokens, scopes and channels right?")
def slack() -> None:
    """Look after the connection to Slack."""


@slack.command("check", short_help="Check tokens, scopes, channels and Socket Mode.")
def slack_check() -> None:
    """Check tokens, scopes, both channels and Socket Mode, with what to do where something is wrong."""
    from mac_actors.slack.checks import check_all

    settings = read_settings()
    if settings.slack is None:
        raise ConfigError(["SLACK_APP_TOKEN is not set, so Slack is off: docs/slack.rst says how to set it up"])
    own: Mapping[str, list[str]] = {}
    with suppress(ConfigError):  # 'check' says what is wrong with the files
        own = load(settings).slack_channels
    results = list(check_all(settings.slack, own))
    for result in results:
        click.secho(f"{result.grade:7} {result.what}: {result.text}", fg=None if result.ok else "red")
    if not all(result.ok for result in results):
        sys.exit(1)
