"""Commands that talk to a running server: status, oops and its like, events."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click

from mac_actors.cli.common import connect, url_option
from mac_actors.cli.tables import out, plain, table
from mac_actors.client.follow import News
from mac_actors.core.changed import Changed
from mac_actors.core.text import duration
from mac_actors.errors import ServerError

FOLLOW_SECONDS = 1.0
"""How often ``events --follow`` looks for new events."""


@click.command(short_help="Show all machines, or one, as they are now.")
@click.argument("name", required=False)
@url_option
def status(name: str | None, url: str | None) -> None:
    """Show all machines (or the one called NAME) as they are now."""
    client = connect(url)
    machines = client.machines() if name is None else [client.machine(name)]
    rows = table("Machine", "State", "Since", "Who, why", "Reader")
    now = datetime.now(UTC)
    for machine in machines:
        rows.add_row(*_row(machine, now))
    out.print(rows)


_STYLES = {
    "idle": "idle",
    "in_use": "[green]in use[/]",
    "oopsed": "[red]OOPSED[/]",
    "locked_out": "[yellow]LOCKED OUT[/]",
    "oopsed_locked_out": "[red]OOPSED, LOCKED OUT[/]",
}


def _row(machine: dict[str, Any], now: datetime) -> tuple[str, ...]:
    flags = [flag for flag in (machine["oops"], machine["lock"]) if flag]
    session = machine["session"]
    why = "; ".join(
        " ".join(filter(None, (flag["reason"], f"({flag['by']})" if flag["by"] else f"({flag['source']})")))
        for flag in flags
    )
    who = (session["user"] or "a member") + f" ({session['kind']})" if session else ""
    seen = machine["last_checkin"]
    reader = "online" if machine["online"] else f"silent for {_ago(seen, now)}" if seen else "never seen"
    return (
        plain(machine["display_name"]),
        _STYLES.get(machine["status"], machine["status"]) + (", power on" if machine["relay"] and not session else ""),
        _ago(machine["status_since"], now),
        plain("; ".join(filter(None, (who, why)))),
        reader,
    )


def _ago(when: str, now: datetime) -> str:
    return duration(max(0.0, (now - datetime.fromisoformat(when)).total_seconds()))


_HELP = {
    "oops": "Mark the machine NAME (or alias) as broken: its power goes off at once.",
    "lock": "Lock the machine NAME (or alias) out for maintenance: its power goes off at once.",
    "clear": "Lift oops and lock-out of the machine NAME (or alias).",
    "unoops": "Lift the oops of the machine NAME (or alias) alone.",
    "unlock": "Lift the lock-out of the machine NAME (or alias) alone.",
}

_DONE = {
    "oops": "is oopsed",
    "lock": "is locked out",
    "clear": "is cleared",
    "unoops": "is not oopsed",
    "unlock": "is not locked out",
}


def _command(command: str) -> click.Command:
    @click.command(command, help=_HELP[command], short_help=_HELP[command].replace(" (or alias)", ""))
    @click.argument("name")
    @click.option("--reason", help="Why; shown to everybody.")
    @click.option("--by", default=_login_name, show_default="your login name", help="Who does it; shown to admins.")
    @url_option
    def run(name: str, reason: str | None, by: str | None, url: str | None) -> None:
        answer, already = connect(url).command(command, name, reason, by)
        late = "" if answer.get("durable", True) else " (not on disk yet: the server's disk is slow)"
        said = _DONE[command]
        if len(already) == (2 if command == "clear" else 1):  # all that it was to change was so already
            said = ("is neither oopsed nor locked out" if command == "clear" else said) + "; nothing was changed"
        click.echo(f"{name} {said}{late}.")

    return run


def _login_name() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


@click.command(short_help="Show what happened.")
@click.argument("name", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on, and show new events as they happen.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to begin with.")
@url_option
def events(name: str | None, follow: bool, limit: int, url: str | None) -> None:
    """Show what happened, of all machines or of the one called NAME, oldest first."""
    client = connect(url)
    with suppress(KeyboardInterrupt):
        newest = client.events(name, limit)["events"]
        _print_events(reversed(newest))
        if follow:
            _follow(News(client, newest[0]["id"] if newest else 0, name))


def _follow(news: News) -> None:
    """Print what is new, until Ctrl-C; a server that is away is waited for."""
    lost = Changed()
    while True:
        time.sleep(FOLLOW_SECONDS)
        try:
            _print_events(news.look())
        except ServerError as error:
            if lost(True):
                click.echo(f"{error}; trying again", err=True)
        else:
            lost(False)


def _print_events(events: Iterable[dict[str, Any]]) -> None:
    for event in events:
        at = datetime.fromisoformat(event["at"]).astimezone()
        click.echo(f"{at:%Y-%m-%d %H:%M:%S}  {event['text']}")


oops, lock, clear, unoops, unlock = map(_command, _HELP)
