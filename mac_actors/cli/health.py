"""``health``: a module of its own, so that a container's check, twice a minute, loads next to nothing."""

from __future__ import annotations

import sys
from typing import Any

import click

from mac_actors.cli.common import connect, json_option, show_json, url_option


@click.command(short_help="Say whether the server is well.")
@click.option("--alive", is_flag=True, help="Ask only whether it answers, not whether it can serve.")
@json_option
@url_option
def health(alive: bool, as_json: bool, url: str | None) -> None:
    """Say whether the server is well: exit status 0, or 1 with a line for each thing that is wrong.

    What is wrong with Slack is said too, but is no failure: machines work without it.
    """
    client = connect(url)
    body: dict[str, Any] = {"ready": client.healthy()} if alive else client.ready()
    if as_json:
        show_json({"status": "ok"} if alive else body)
    else:
        for kind, colour in (("problems", "red"), ("notes", "yellow")):
            for what, text in body.get(kind, {}).items():
                click.secho(f"{what}: {text}", fg=colour)
    if not body["ready"]:
        sys.exit(1)
    if not as_json:
        click.echo("The server answers." if alive else "The server is well.")
