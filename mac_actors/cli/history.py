"""The commands about the past: usage and forget."""

from __future__ import annotations

from datetime import date
from typing import Any

import click
from rich.table import Table

from mac_actors.cli.common import agree, connect, show_json, url_option
from mac_actors.cli.days import Day
from mac_actors.cli.tables import out, plain, table
from mac_actors.core.text import count
from mac_actors.core.usage_csv import usage_csv

ADMINS_ALONE = "Users are shown with the admins' token alone: set MAC_ADMIN_TOKEN, for the server and here."


@click.command(short_help="Show sessions, hours and refusals, by machine and by user.")
@click.option("--from", "first", type=Day(), metavar="DAY", help="The first day.  [default: 30 days up to --to]")
@click.option("--to", "last", type=Day(), metavar="DAY", help="The last day; it counts too.  [default: today]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="For people, for a spreadsheet, for programs.",
)
@click.option("--by-month", is_flag=True, help="Each user's sessions at each machine, month by month.")
@click.option("--excel", is_flag=True, help="With --format csv: as a German or French Excel opens it.")
@url_option
def usage(first: date | None, last: date | None, form: str, by_month: bool, excel: bool, url: str | None) -> None:
    """Show how much each machine was used, and by whom: sessions, hours, refused fobs.

    DAY is like 2026-11-24, 24.11.2026 or yesterday, in the server's local time. Users are shown with the admins' token
    alone.
    """
    if first and last and first > last:
        raise click.BadParameter(f"it is after --to ({last})", param_hint="'--from'")
    if excel and form != "csv":
        raise click.UsageError("--excel is for --format csv.")
    found = connect(url).usage(first, last, by_month=by_month)
    if form == "json":
        show_json(found)
    elif form == "csv":
        parts = ("months",) if by_month else ("machines", "members")
        click.echo(usage_csv(found, *parts, excel=excel), nl=False)
    elif by_month:
        _print_months(found)
    else:
        _print_tables(found)


def _print_tables(found: dict[str, Any]) -> None:
    click.echo(f"From {found['from']} to {found['to']}:\n")
    out.print(_table("Machine", [(one["display_name"], one) for one in found["machines"]]))
    click.echo()
    if found["users"] is None:
        click.echo(ADMINS_ALONE)
    elif found["users"]:
        out.print(_table("User", [(one["name"], one) for one in found["users"]]))
    else:
        click.echo("No user put in a fob.")


def _print_months(found: dict[str, Any]) -> None:
    click.echo(f"From {found['from']} to {found['to']}:\n")
    if found.get("months") is None:
        click.echo(ADMINS_ALONE)
        return
    lines = table("Month")
    for title in ("User", "Machine"):
        lines.add_column(title)
    for title in ("Sessions", "Hours"):
        lines.add_column(title, justify="right")
    for one in found["months"]:
        labels = (one["month"], plain(one["name"]), plain(one["display_name"]))
        lines.add_row(*labels, str(one["sessions"]), f"{one['seconds'] / 3600:.1f}")
    out.print(lines)


def _table(what: str, rows: list[tuple[str, dict[str, Any]]]) -> Table:
    lines = table(what)
    for title in ("Sessions", "Hours", "Refusals"):
        lines.add_column(title, justify="right")
    for name, one in rows:
        hours = f"{one['seconds'] / 3600:.1f}"
        lines.add_row(plain(name), str(one["sessions"]), hours, str(one["refusals"]))
    return lines


@click.command(short_help="Remove a person's name and fobs from all events.")
@click.argument("user", required=False)
@click.option("--old", is_flag=True, help="Say that the server's clock, which it doubts, is right.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@url_option
def forget(user: str | None, old: bool, yes: bool, url: str | None) -> None:
    """Remove the name and the fobs of USER from all events: account id, e-mail address or full name.

    The events stay, and count, as somebody's. It can't be undone. With --old instead of USER the server goes on
    removing names after MAC_RETENTION_DAYS, which it does not while its clock may be wrong.
    """
    if (user is None) is not old:
        raise click.UsageError("Say who is to be forgotten, or --old.")
    client = connect(url)
    if user is None:
        agree("Is the server's clock right? Names in events that are old by it are removed; this can't be undone.", yes)
        client.confirm_clock()
        click.echo("The server removes names from old events now.")
        return
    who = client.forget(user, only_look=True)
    person = f"{who['name']} ({who['account_id'] or 'who only gave commands'})"
    agree(f"Forget {person}? This can't be undone.", yes)
    done = client.forget(who["account_id"] or who["name"])
    click.echo(f"{person} is forgotten: {count(done['events'], 'event')} changed.")
    if done["notices"]:
        waiting = "a notice that waits" if done["notices"] == 1 else f"{done['notices']} notices that wait"
        click.echo(f"The name was removed from {waiting} for Slack.")
    if done["current_events"]:
        number = count(len(done["current_events"]), "event")
        click.echo(
            f"Not done: {number} of what is so now (a session that runs, an oops or a lock that is set). "
            "Run this again when that is over."
        )
    if not done["emptied"]:
        click.echo("Not done: a copy may be left in mac.sqlite3-wal, because others were reading. Run this again.")
    if done["configured"]:
        click.echo("Still to do: take the user out of users.json and reload it, or the next fob brings the name back.")
    click.echo("What this can't reach: backups, the server's log, posts in Slack.")
