"""The commands about several servers on one database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from mac_actors.cli.common import agree, json_option, read_settings, show_json
from mac_actors.cli.tables import out, plain, table
from mac_actors.errors import ConfigError
from mac_actors.settings import Settings

if TYPE_CHECKING:
    from mac_actors.cluster.rows import Rows


@click.group(short_help="cluster status, cluster release: several servers on one database.")
def cluster() -> None:
    """Look at the servers that share a database (docs/cell.rst), and have one hand over.

    These commands ask the database: MAC_DATABASE says where it is.
    """


@cluster.command("status", short_help="Who owns the machines, and which servers are there.")
@json_option
def cluster_status(as_json: bool) -> None:
    """Show the owner of the machines, its lease, all servers and the database's standbys."""
    settings = read_settings()
    from mac_actors.cluster import commands

    with _rows(settings) as rows:
        now = commands.status(rows)
    if as_json:
        show_json(now.as_json())
        return
    owner = "nobody" if now.owner is None else now.owner or "a server without MAC_NODE_URL"
    beat = f"last beat {now.beat_ago:.1f} s ago, lease good for {now.lease_left:.1f} s"
    click.echo(f"Owner: {owner} (epoch {now.epoch}, {beat}). Configuration: {now.revision or 'the files'}.")
    if now.nodes:
        rows_ = table("SERVER", "IS", "SEEN", "VERSION", "CONFIGURATION", "CLOCK")
        for one in now.nodes:
            what = "owner" if one.url == now.owner else "standby" if one.ago < commands.ALIVE_SECONDS else "silent"
            seen, clock = f"{one.ago:.0f} s ago", f"{one.skew:+.3f} s"
            rows_.add_row(plain(one.url), what, seen, one.version, str(one.revision or ""), clock)
        out.print(rows_)
    for standby in now.standbys:
        click.echo(f"Database standby {standby.name}: {standby.state}, {standby.sync}, {standby.behind} bytes behind.")


@cluster.command("release", short_help="Have the owner hand the machines over to another server.")
@click.option("--gone", is_flag=True, help="The owner's computer is off, and was the only one: another may take over.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def cluster_release(gone: bool, yes: bool) -> None:
    """Have the owner write everything and hand over; another server takes over at once."""
    settings = read_settings()
    from mac_actors.cluster import commands

    with _rows(settings) as rows:
        if gone:
            agree("Is the owner's computer off, or its server stopped? Else two servers may switch machines on.", yes)
            was = commands.release_gone(rows)
            click.echo(f"{was or 'The owner'} owns the machines no more: the next server takes over.")
            return
        owner, seconds = commands.release(rows)
    click.echo(f"{owner or 'A server without MAC_NODE_URL'} owns the machines now, after {seconds:.1f} s.")


@contextmanager
def _rows(settings: Settings) -> Iterator[Rows]:
    if not settings.cell.database:
        raise ConfigError(["MAC_DATABASE is not set: a server on SQLite is the only one (docs/cell.rst)"])
    from mac_actors.cluster.rows import Rows

    with closing(Rows(settings.cell.database, 5.0, "mac-actors cluster")) as rows:
        yield rows
