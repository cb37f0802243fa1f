"""``health``: a module of its own, so that a container's check, twice a minute, loads next to nothing."""

from __future__ import annotations

import sys

import click

from mac_actors.cli.common import connect, url_option


@click.command(short_help="Say whether the server is well.")
@click.option("--alive", is_flag=True, help="Ask only whether it answers, not whether it can serve.")
@url_option
def health(alive: bool, url: str | None) -> None:
    """Say whether the server is well: exit status 0, or 1 with a line for each thing that is wrong.

    What is wrong with Slack is said too, but is no failure: machines work without it.
    """
    client = connect(url)
    well, wrong = (client.healthy(), {}) if alive else client.ready()
    for what, text in wrong.items():
        click.echo(f"{what}: {text}")
    if not well:
        sys.exit(1)
    click.echo("The server answers." if alive else "The server is well.")
