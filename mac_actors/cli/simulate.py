"""The command that plays a shop full of readers."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import click
from rich.live import Live
from rich.table import Table

from mac_actors.cli.common import connect, raise_file_limit, url_option
from mac_actors.cli.tables import out
from mac_actors.client.http import default_url
from mac_actors.core.text import count
from mac_actors.errors import ServerError
from mac_actors.settings.environment import MAC_READER_TOKEN, USERS_CONFIG
from mac_actors.settings.files import reader_keys_of, users_of
from mac_actors.simulation.readers import ReaderPlan, Tally
from mac_actors.simulation.readers import simulate as run


@click.command(short_help="Play a shop full of readers, against a server of your own.")
@click.option("--readers", type=click.IntRange(1, 5000), default=20, show_default=True, help="How many readers.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=30, show_default=True, help="For how long.")
@click.option("--fast", is_flag=True, help="Heartbeats as fast as the server answers, instead of one every 10 s.")
@click.option("--oops", is_flag=True, help="Let somebody press Oops now and then (it stays set).")
@click.option("--keys", type=click.Path(path_type=Path), help="A file with the readers' own keys, by machine.")
@click.option("--seed", type=int, help="The same people and chances again.")
@url_option
def simulate(
    readers: int, seconds: float, fast: bool, oops: bool, keys: Path | None, seed: int | None, url: str | None
) -> None:
    """Report to a running server as a shop full of readers does, and sum up how it answered.

    The readers take the server's machines in turn; with more readers than machines several share one. The
    cards are those of the users file (USERS_CONFIG), if there is one. Not for a server that real machines use.
    """
    if fast and oops:
        raise click.UsageError("--fast sends heartbeats alone: leave --oops out, or --fast")
    machines = [machine["name"] for machine in connect(url).machines()]
    url = url or default_url()
    if not machines:
        raise ServerError("the server has no machines that readers could report for: look at its machines.json")
    raise_file_limit()
    own = reader_keys_of(keys) if keys else {}
    plan = ReaderPlan(fobs=_fobs(), token=MAC_READER_TOKEN.read(), keys=own, fast=fast, oops=oops, seed=seed)
    with Live(console=out, transient=True, refresh_per_second=4) as live:
        tally = asyncio.run(
            run(url, machines, readers, plan, seconds=seconds, progress=lambda t: live.update(_progress(t, seconds)))
        )
    click.echo(f"{count(readers, 'reader')} on {count(min(readers, len(machines)), 'machine')}, {seconds:g} s:")
    out.print(_sums(tally))
    if tally.errors or not tally.reports:
        sys.exit(1)


def _fobs() -> list[str]:
    path = USERS_CONFIG.read()
    return [code for user in users_of(path) for code in user.fob_codes] if path.exists() else []


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
    for error, times in tally.errors.items():
        table.add_row(f"  {error}", str(times))
    return table
