"""The command line. Exit status 0, 1 (the operation failed), 2 (bad use or configuration)."""

from __future__ import annotations

import asyncio
import getpass
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mac_actors import logs
from mac_actors import settings as settings_module
from mac_actors.client import Client, default_url
from mac_actors.core.config import Configuration
from mac_actors.core.wording import duration
from mac_actors.errors import ConfigError, MacError, ServerError
from mac_actors.settings import Settings
from mac_actors.simulate import Plan, Tally
from mac_actors.version import VERSION

FOLLOW_SECONDS = 1.0
"""How often ``events --follow`` looks for new events."""

out = Console(highlight=False)


class Commands(click.Group):
    """A group whose commands end with one plain line, not a trace, when they fail."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; 2 for a wrong configuration, 1 for anything else that went wrong."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(problem, err=True)
            ctx.exit(2)
        except MacError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="mac-actors")
def main() -> None:
    """Decide who may run which machine in a makerspace.

    serve, check and demo work on this computer; the other commands talk to a running server.
    """


# --- the server --------------------------------------------------------------------------------------


def _log_options(command: Callable[..., None]) -> Callable[..., None]:
    level = click.Choice(["debug", "info", "warning", "error"])
    command = click.option("--log-level", type=level, default="info", show_default=True)(command)
    style = click.Choice(["text", "json"])
    return click.option("--log-format", type=style, default="text", show_default=True)(command)


@main.command()
@click.option("--host", help="Address to listen on (MAC_HOST).  [default: 0.0.0.0]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (MAC_PORT).  [default: 5000]")
@_log_options
def serve(host: str | None, port: int | None, log_level: str, log_format: str) -> None:
    """Run the server, until SIGTERM or Ctrl-C.

    The environment says where the configuration is and what the server may do (docs/configuration.rst).
    """
    from mac_actors.bootstrap import Service

    settings = _settings(host, port)
    logs.set_up(log_level, log_format)
    stop = _stop_on_signals()
    _raise_file_limit()
    service = Service(settings)
    service.fleet.subscribe(logs.log_outcome)
    service.start()
    logs.log.info("mac-actors %s at %s: %s", VERSION, service.server.url, _summary(service.configuration))
    stop.wait()
    logs.log.info("stopping: requests under way are answered, everything is written")
    service.stop()
    logs.log.info("stopped")


@main.command()
def check() -> None:
    """Check the environment and both configuration files, without starting anything.

    Lists every mistake with its file, its place and what is expected. Exit status 0: all is well; 2: it is not.
    """
    settings = _settings(None, None)
    configuration = settings_module.load(settings)
    click.echo(f"{settings.machines_config} and {settings.users_config} are fine: {_summary(configuration)}.")


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (MAC_PORT).  [default: 5000]")
def demo(port: int | None) -> None:
    """Show the main job: a server on a sample configuration, with simulated readers and no Slack.

    Members come and go, somebody presses Oops, an admin clears it; what Slack would be told is printed.
    """
    from mac_actors import demo as demo_module

    settings = _settings(None, port)
    if not os.environ.get("MAC_HOST"):
        settings = replace(settings, host="127.0.0.1")
    logs.set_up("error")
    stop = _stop_on_signals()
    with tempfile.TemporaryDirectory(prefix="mac-actors-demo-") as directory:
        demo_settings = demo_module.settings_for(Path(directory), settings)
        demo_module.run(demo_settings, stop, click.echo)
    click.echo("The demo has ended.")


def _settings(host: str | None, port: int | None) -> Settings:
    settings = settings_module.from_environment()
    return replace(
        settings,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
    )


def _summary(configuration: Configuration) -> str:
    users = configuration.directory.users
    fobs = sum(len(user.fob_codes) for user in users)
    text = f"{_count(len(configuration.machines), 'machine')}, {_count(len(users), 'user')} with {_count(fobs, 'fob')}"
    now = datetime.now(UTC)
    expired = sum(user.expires_at is not None and user.expires_at <= now for user in users)
    if not expired:
        return text
    if configuration.directory.enforce_expiration:
        return f"{text}; {_count(expired, 'user')} expired and refused"
    return f"{text}; {_count(expired, 'user')} expired but let in (MAC_ENFORCE_EXPIRATION=1 refuses them)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set; a second Ctrl-C ends at once."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        stop.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def _raise_file_limit() -> None:
    """Allow as many open files as the system grants: each connection is one, and the usual 1,024 are few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@main.group()
def slack() -> None:
    """Look after the Slack side."""


@slack.command("check")
def slack_check() -> None:
    """Check tokens, scopes, both channels and Socket Mode, with what to do where something is wrong."""
    from mac_actors.slack.checks import check_all

    settings = _settings(None, None)
    if settings.slack is None:
        raise ConfigError(["SLACK_APP_TOKEN is not set, so Slack is off: docs/slack.rst says how to set it up"])
    results = list(check_all(settings.slack))
    for result in results:
        click.echo(f"{'ok     ' if result.ok else 'WRONG  '} {result.what}: {result.text}")
    if not all(result.ok for result in results):
        sys.exit(1)


# --- talking to a server -----------------------------------------------------------------------------


def _url_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--url", help="Where the server is (MAC_URL).  [default: http://127.0.0.1:MAC_PORT]")(command)


def _client(url: str | None) -> Client:
    return Client(url or default_url(), os.environ.get("MAC_ADMIN_TOKEN", "").strip() or None)


@main.command()
@click.argument("name", required=False)
@_url_option
def status(name: str | None, url: str | None) -> None:
    """Show all machines (or the one called NAME) as they are now."""
    machines = _client(url).machines()
    if name is not None:
        wanted = name.casefold()
        machines = [m for m in machines if wanted in {m["name"].casefold(), (m["alias"] or "").casefold()}]
        if not machines:
            raise ServerError(f"No such machine: {name}. 'mac-actors status' lists all of them.")
    table = Table("Machine", "State", "Since", "Who, why", "Reader", box=None, pad_edge=False, header_style="bold")
    now = datetime.now(UTC)
    for machine in machines:
        table.add_row(*_row(machine, now))
    out.print(table)


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
        _plain(machine["display_name"]),
        _STYLES.get(machine["status"], machine["status"]) + (", power on" if machine["relay"] and not session else ""),
        _ago(machine["status_since"], now),
        _plain("; ".join(filter(None, (who, why)))),
        reader,
    )


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


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


def _add_command(command: str) -> None:
    @main.command(command, help=_HELP[command])
    @click.argument("name")
    @click.option("--reason", help="Why; shown to everybody.")
    @click.option("--by", default=_login_name, show_default="your login name", help="Who does it; shown to admins.")
    @_url_option
    def run(name: str, reason: str | None, by: str | None, url: str | None) -> None:
        answer = _client(url).command(command, name, reason, by)
        late = "" if answer.get("durable", True) else " (not on disk yet: the server's disk is slow)"
        click.echo(f"{name} {_DONE[command]}{late}.")


def _login_name() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


for _command in _HELP:
    _add_command(_command)


@main.command()
@click.argument("name", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on, and show new events as they happen.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to begin with.")
@_url_option
def events(name: str | None, follow: bool, limit: int, url: str | None) -> None:
    """Show what happened, of all machines or of the one called NAME, oldest first."""
    client = _client(url)
    shown = client.events(name, limit)["events"]
    _print_events(shown)
    last = shown[0]["id"] if shown else 0
    lost = False
    while follow:
        try:
            time.sleep(FOLLOW_SECONDS)
            new = _newer_than(client, name, last)
        except KeyboardInterrupt:
            return
        except ServerError as error:
            if not lost:
                click.echo(f"{error}; trying again", err=True)
            lost = True
            continue
        lost = False
        _print_events(new)
        last = new[0]["id"] if new else last


def _newer_than(client: Client, name: str | None, last: int) -> list[dict[str, Any]]:
    new: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.events(name, 100, cursor)
        fresh = [event for event in page["events"] if event["id"] > last]
        new += fresh
        cursor = page["next"]
        if cursor is None or len(fresh) < len(page["events"]):
            return new


def _print_events(newest_first: list[dict[str, Any]]) -> None:
    for event in reversed(newest_first):
        at = datetime.fromisoformat(event["at"]).astimezone()
        click.echo(f"{at:%Y-%m-%d %H:%M:%S}  {event['text']}")


# --- simulated readers -------------------------------------------------------------------------------


@main.command()
@click.option("--readers", type=click.IntRange(1, 5000), default=20, show_default=True, help="How many readers.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=30, show_default=True, help="For how long.")
@click.option("--fast", is_flag=True, help="Heartbeats as fast as the server answers, instead of one every 10 s.")
@click.option("--oops", is_flag=True, help="Let somebody press Oops now and then (it stays set).")
@click.option("--seed", type=int, help="The same people and chances again.")
@_url_option
def simulate(readers: int, seconds: float, fast: bool, oops: bool, seed: int | None, url: str | None) -> None:
    """Report to a running server as a shop full of readers does, and sum up how it answered.

    The readers take the server's machines in turn; with more readers than machines several share one. The
    cards are those of the users file (USERS_CONFIG), if there is one. Not for a server that real machines use.
    """
    from mac_actors.simulate import simulate as run

    url = url or default_url()
    machines = [machine["name"] for machine in _client(url).machines()]
    if not machines:
        raise ServerError("the server has no machines that readers could report for: look at its machines.json")
    _raise_file_limit()
    token = os.environ.get("MAC_READER_TOKEN", "").strip() or None
    plan = Plan(fobs=_fobs(), token=token, fast=fast, oops=oops, seed=seed)
    with Live(console=out, transient=True, refresh_per_second=4) as live:
        tally = asyncio.run(
            run(url, machines, readers, plan, seconds=seconds, progress=lambda t: live.update(_progress(t, seconds)))
        )
    click.echo(f"{_count(readers, 'reader')} on {_count(min(readers, len(machines)), 'machine')}, {seconds:g} s:")
    out.print(_sums(tally))
    if tally.errors or not tally.reports:
        sys.exit(1)


def _fobs() -> list[str]:
    path = Path(os.environ.get("USERS_CONFIG", "").strip() or "users.json")
    if not path.exists():
        return []
    configuration = settings_module.parse({}, path)
    return [code for user in configuration.directory.users for code in user.fob_codes]


def _progress(tally: Tally, seconds: float) -> str:
    gone = time.monotonic() - tally.started
    errors = sum(tally.errors.values())
    return f"{gone:3.0f} of {seconds:g} s: {tally.reports} reports answered, {tally.rate:.0f} a second, {errors} errors"


def _sums(tally: Tally) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row("reports answered", str(tally.reports))
    table.add_row("a second", f"{tally.rate:.1f}")
    for name, milliseconds in tally.percentiles().items():
        table.add_row(f"latency {name}", f"{milliseconds:.1f} ms")
    table.add_row("errors", str(sum(tally.errors.values())))
    for error, count in tally.errors.items():
        table.add_row(f"  {error}", str(count))
    return table
