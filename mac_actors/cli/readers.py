"""The commands that look after readers."""

from __future__ import annotations

import click

from mac_actors.cli.common import connect, url_option
from mac_actors.cli.completion import name_argument
from mac_actors.errors import MacError


@click.group(short_help="readers poke NAME: does a reader obey at once?")
def readers() -> None:
    """Look after the readers."""


@readers.command(short_help="Have a reader report now, and say how long that took.")
@name_argument(required=True)
@url_option
def poke(name: str, url: str | None) -> None:
    """Have the reader of the machine NAME (or alias) report now, and say how long that took.

    Where its firmware takes no pokes and the server has a key for its native API, that is looked at. Nothing is
    restarted.
    """
    client = connect(url)
    machine = client.machine(name)
    answer = client.poke(name)
    if answer["seconds"] is None:
        raise MacError(
            f"the reader of {machine['display_name']} has not reported within 2 s, poked four times: "
            "does the network let UDP through, from the server to the reader?"
        )
    took = f"{answer['seconds'] * 1000:.0f} ms"
    click.echo(
        f"{machine['display_name']}: the native API answered after {took}; an oops or a lock-out restarts the reader."
        if answer["native_api"]
        else f"{machine['display_name']}: its reader reported after {took}."
    )
