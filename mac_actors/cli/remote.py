"""Commands that talk to a running server: status, oops and its like, events, reload."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mac_actors.cli.common import by_option, connect, json_option, show_json, show_notes, url_option
from mac_actors.cli.completion import name_argument
from mac_actors.cli.tables import out, plain, table
from mac_actors.core.changed import Changed
from mac_actors.core.config import Offline
from mac_actors.core.text import duration, local_time, reader_text
from mac_actors.errors import ConfigError, ServerError

if TYPE_CHECKING:
    from mac_actors.client.follow import News

FOLLOW_SECONDS = 1.0
"""How often ``events --follow`` looks for new events."""


@click.command(short_help="Show all machines, or one, as they are now.")
@name_argument(required=False)
@json_option
@url_option
def status(name: str | None, as_json: bool, url: str | None) -> None:
    """Show all machines (or the one called NAME) as they are now."""
    client = connect(url)
    machines = client.machines() if name is None else [client.machine(name)]
    if as_json:
        show_json({"machines": machines} if name is None else machines[0])
        return
    rows = table("Machine", "State", "Since", "Who, why", "Reader")
    now = datetime.now(UTC)
    for machine in machines:
        rows.add_row(*_row(machine, now))
    out.print(rows)
    if name is not None:
        told = machines[0]["telemetry"]
        reader = reader_text(
            told.get("firmware"),
            told.get("poke"),
            machines[0].get("obeyed_after"),
            keyed=machines[0].get("keyed", False),
            alone=Offline(**machines[0].get("offline", {})).told(told.get("list_revision")),
        )
        if reader:
            out.print(f"Reader: {plain(reader)}")
        for item in machines[0].get("maintenance", ()):
            hours = f"{item['hours']:.1f} of {item['every_hours']:g} h"
            out.print(f"Maintenance: {plain(item['what'])}, {hours}{', [yellow]DUE[/]' if item['due'] else ''}")


_STYLES = {
    "idle": "idle",
    "in_use": "[green]in use[/]",
    "oopsed": "[red]OOPSED[/]",
    "locked_out": "[yellow]LOCKED OUT[/]",
    "oopsed_locked_out": "[red]OOPSED, LOCKED OUT[/]",
}


def _row(machine: dict[str, Any], now: datetime) -> tuple[str, ...]:
    pending = machine.get("lock_pending")
    flags = [flag for flag in (machine["oops"], machine["lock"], pending, machine.get("details")) if flag]
    session = machine["session"]
    due = [f"due: {what}" for what in machine.get("maintenance_due", ())]
    why = "; ".join(
        " ".join(filter(None, (flag.get("severity"), flag["reason"], f"({flag['by'] or flag['source']})")))
        for flag in flags
    )
    who = (session["user"] or "a member") + f" ({session['kind']})" if session else ""
    seen = machine["last_checkin"]
    reader = "online" if machine["online"] else f"[yellow]silent for {_ago(seen, now)}[/]" if seen else "never seen"
    if refused := machine.get("refused"):
        reader = f"[red]REPORTS REFUSED: can't be stopped from here[/] ({plain(refused)})"
    return (
        plain(machine["display_name"]),
        _STYLES.get(machine["status"], machine["status"])
        + (", power on" if machine["relay"] and not session else "")
        + (", [yellow]then locked out[/]" if pending else ""),
        _ago(machine["status_since"], now),
        plain("; ".join(filter(None, (who, why, *due)))),
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
    "done": "Say that maintenance of the machine NAME (or alias) was done; --reason is what, as status has it.",
}

_DONE = {
    "oops": "is oopsed",
    "lock": "is locked out",
    "clear": "is cleared",
    "unoops": "is not oopsed",
    "unlock": "is not locked out",
    "done": "is maintained",
}


def _command(command: str) -> click.Command:
    @click.command(command, help=_HELP[command], short_help=_HELP[command].replace(" (or alias)", ""))
    @name_argument(required=True)
    @click.option("--reason", help="Why; shown to everybody.")
    @by_option
    @url_option
    def run(name: str, reason: str | None, by: str | None, url: str | None, when_free: bool = False) -> None:
        client = connect(url)
        answer, already = client.command(command, name, reason, by, when_free=when_free)
        pending = "lock_pending" in already
        with suppress(ServerError):  # it is done, whatever it is called
            machine = client.machine(name)
            name = machine["display_name"]
            pending = pending or (when_free and bool(machine.get("lock_pending")))
        late = "" if answer.get("durable", True) else " (not on disk yet: the server's disk is slow)"
        said = "will be locked out when its session ends" if pending else _DONE[command]
        if "no_such_maintenance" in already:
            raise ServerError(f"{name} has no such maintenance; --reason is what was done, as status has it")
        if len(already) == (2 if command == "clear" else 1):  # all that it was to change was so already
            said = ("is neither oopsed nor locked out" if command == "clear" else said) + "; nothing was changed"
        click.echo(f"{name} {said}{late}.")

    if command == "lock":
        when_free = "Let a running session go on, and lock the machine out when it ends."
        run.params.insert(1, click.Option(["--when-free"], is_flag=True, help=when_free))
    return run


@click.command(short_help="Show what happened.")
@name_argument(required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on, and show new events as they happen.")
@click.option(
    "--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to begin with."
)
@json_option
@url_option
def events(name: str | None, follow: bool, limit: int, as_json: bool, url: str | None) -> None:
    """Show what happened, of all machines or of the one called NAME, oldest first.

    With --json it is a page of the API, newest first; with --follow too, an event a line, oldest first.
    """
    client = connect(url)
    with suppress(KeyboardInterrupt):
        page = client.events(name, limit)
        newest = page["events"]
        if as_json and not follow:
            show_json(page)
            return
        show = (lambda event: show_json(event, None)) if as_json else _print_event
        for event in reversed(newest):
            show(event)
        if follow:
            from mac_actors.client.follow import News  # it loads what no other command here needs

            _follow(News(client, newest[0]["id"] if newest else 0, name), show)


def _follow(news: News, show: Callable[[dict[str, Any]], None]) -> None:
    """Print what is new, until Ctrl-C; a server that is away is waited for."""
    lost = Changed()
    while True:
        time.sleep(FOLLOW_SECONDS)
        try:
            for event in news.look():
                show(event)
        except ServerError as error:
            if lost(True):
                click.echo(f"{error}; trying again", err=True)
        else:
            lost(False)


def _print_event(event: dict[str, Any]) -> None:
    click.echo(f"{local_time(datetime.fromisoformat(event['at']), seconds=True)}  {event['text']}")


@click.command(short_help="Have machines.json and users.json read again.")
@click.option("--force", is_flag=True, help="Also if many users would go, or a machine on which somebody works.")
@url_option
def reload(force: bool, url: str | None) -> None:
    """Have the server read machines.json and users.json again. A file with a mistake changes nothing.

    Nothing that runs is cut off. Exit status 2: there are mistakes in the files, one a line; 1: it is refused.
    """
    from mac_actors.fleet.reload import ReloadSummary, UsersChange

    try:
        answer = connect(url).reload(force=force)
    except ServerError as error:
        if error.status == 422:
            raise ConfigError(str(error).splitlines()) from error
        raise ServerError(str(error).replace("?force=1", "--force"), error.status) from error
    users, powered_on = UsersChange(**answer["users"]), answer["powered_on"]
    click.echo(f"The server has read both files: {ReloadSummary(users, **answer['machines'], powered_on=powered_on)}.")
    show_notes(answer.get("warnings", ()))


oops, lock, clear, unoops, unlock, done = map(_command, _HELP)
