"""The commands that look after readers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from mac_actors.cli.common import by_option, connect, json_option, show_json, url_option
from mac_actors.cli.completion import name_argument
from mac_actors.cli.tables import out, plain, table
from mac_actors.core.text import duration, local_time, seconds_text
from mac_actors.errors import MacError


@click.group(short_help="Readers: their keys, and whether one obeys at once.")
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
    took = seconds_text(answer["seconds"])
    click.echo(
        f"{machine['display_name']}: the native API answered after {took}; an oops or a lock-out restarts the reader."
        if answer["native_api"]
        else f"{machine['display_name']}: its reader reported after {took}."
    )


@readers.command("list", short_help="Show all readers: which have keys.")
@json_option
@url_option
def list_(as_json: bool, url: str | None) -> None:
    """Show all readers: whether they have a key, since when and when last used, their firmware, their last report."""
    found = connect(url).readers()
    if as_json:
        show_json({"readers": found})
        return
    rows, now = table("Machine", "Key", "Firmware", "Last report"), datetime.now(UTC)
    for reader in found:
        last = _ago(reader["last_checkin"], now) if reader["last_checkin"] else "never"
        if reader.get("gone"):
            last = "[yellow]not in machines.json[/]"
        rows.add_row(plain(reader["machine"]), _key(reader["key"], now), plain(reader["firmware"] or ""), last)
    out.print(rows)


def _key(key: dict[str, Any] | None, now: datetime) -> str:
    if key is None:
        return "none"
    used = f"last used {_ago(key['last_used'], now)}" if key["last_used"] else "[yellow]never used[/]"
    since = local_time(datetime.fromisoformat(key["since"]))
    rotating = f"; [yellow]a new one waits since {_ago(key['rotating_since'], now)}[/]" if key["rotating_since"] else ""
    return f"since {since}, {used}{rotating}"


def _ago(when: str, now: datetime) -> str:
    return f"{duration(max(0.0, (now - datetime.fromisoformat(when)).total_seconds()))} ago"


def _giving(name: str, method: str, short_help: str, note: str) -> click.Command:
    @readers.command(name, short_help=short_help, help=f"{short_help[:-1]}, and print it. It is shown this once.")
    @name_argument(required=True)
    @by_option
    @url_option
    def give(name: str, by: str | None, url: str | None) -> None:
        given = connect(url).reader_key(method, name, by)
        click.echo(f"The new key of the reader of {given['machine']}, shown this once:", err=True)
        click.echo(given["key"])
        click.echo(f"Put it into the reader (reader_key), and flash it. {note}", err=True)

    return give


add = _giving(
    "add", "POST", "Give the reader of the machine NAME (or alias) a key.", "Until then its reports are refused."
)
rotate = _giving(
    "rotate",
    "PUT",
    "Give the reader of the machine NAME (or alias) a new key.",
    "The key that it has is good until the new one is used.",
)


@readers.command(short_help="Take the reader of the machine NAME (or alias) its key.")
@name_argument(required=True)
@by_option
@url_option
def revoke(name: str, by: str | None, url: str | None) -> None:
    """Take the reader of the machine NAME (or alias) its key: it reports unsigned, as one that never had any."""
    connect(url).revoke_key(name, by)
    click.echo(
        f"The reader of {name} has no key any more: reports are taken unsigned, and those that "
        "are signed with the old key are refused."
    )
