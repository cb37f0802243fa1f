"""The commands for personal logins of admins, and for the sessions of the board."""

from __future__ import annotations

from datetime import datetime

import click

from mac_actors.cli.common import by_option, connect, json_option, show_json, url_option
from mac_actors.cli.tables import out, plain, table
from mac_actors.core.text import local_time


@click.group(short_help="Admins: a personal token for each, and who is logged in on the board.")
def admins() -> None:
    """Look after personal logins of admins, and the sessions of the board."""


@admins.command(short_help="Make a personal token for an admin.")
@click.argument("name")
@by_option
@url_option
def add(name: str, by: str | None, url: str | None) -> None:
    """Make a personal token for the admin NAME, and print it. It is shown this once.

    What is done with it has that name in the journal and in notices.
    """
    made = connect(url).add_admin(name, by)
    click.echo(f"The token of {made['name']}, shown this once. It takes the place of MAC_ADMIN_TOKEN:", err=True)
    click.echo(made["token"])


@admins.command("list", short_help="Show who has a personal token.")
@json_option
@url_option
def list_(as_json: bool, url: str | None) -> None:
    """Show who has a personal token, since when, and who made it."""
    found = connect(url).admins()
    if as_json:
        show_json({"admins": found})
        return
    rows = table("Name", "Since", "Made by")
    for one in found:
        rows.add_row(plain(one["name"]), _time(one["at"]), plain(one["by"] or ""))
    out.print(rows) if found else click.echo("Nobody has a personal token: mac-actors admins add NAME makes one.")


@admins.command(short_help="Have a personal token count no more.")
@click.argument("name")
@by_option
@url_option
def revoke(name: str, by: str | None, url: str | None) -> None:
    """Have the personal token of the admin NAME count no more, and end the sessions that were begun with it."""
    done = connect(url).revoke_admin(name, by)
    late = "" if done.get("durable", True) else " It is not on disk yet: the server's disk is slow."
    click.echo(f"{name} has no personal token any more.{late}")


@admins.command(short_help="Show who is logged in on the board.")
@json_option
@url_option
def sessions(as_json: bool, url: str | None) -> None:
    """Show who is logged in on the board: as what, since when, and when it was last used."""
    found = connect(url).sessions()
    if as_json:
        show_json({"sessions": found})
        return
    rows = table("Id", "As", "Name", "Since", "Last used")
    for one in found:
        role = {"token": "MAC_ADMIN_TOKEN"}.get(one["role"], one["role"])
        rows.add_row(one["id"], role, plain(one["name"] or ""), _time(one["at"]), _time(one["used_at"]))
    out.print(rows) if found else click.echo("Nobody is logged in on the board.")


@admins.command(short_help="End a session of the board.")
@click.argument("session")
@url_option
def end(session: str, url: str | None) -> None:
    """End the session of the board with the id SESSION: `mac-actors admins sessions` lists them."""
    connect(url).end_session(session)
    click.echo(f"The session {session} is over.")


def _time(at: str) -> str:
    return local_time(datetime.fromisoformat(at))
