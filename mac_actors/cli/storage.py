"""The commands that look after the database: backup, restore, verify, copy, migrate."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mac_actors.cli.common import in_or_at, own, read_settings
from mac_actors.core.text import count, local_time
from mac_actors.settings import Settings
from mac_actors.settings.cell import MAC_DATABASE

if TYPE_CHECKING:
    from mac_actors.storage.upkeep.verify import OnProgress

_FILE = click.Path(path_type=Path)


@click.command(short_help="Copy the database, while the server runs or not.")
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def backup(file: Path, force: bool) -> None:
    """Copy the database to FILE, while the server runs or not.

    The copy is checked, and FILE is there only when it is whole. MACHINE_STATE_DIR, or MAC_DATABASE, says where the
    database is. FILE is a SQLite database for either.
    """
    place = read_settings().place
    with _progress("copying") as progress:
        if isinstance(place, str):
            from mac_actors.storage.upkeep.elsewhere import backup as export

            size = export(place, file, force=force, progress=progress)
        else:
            from mac_actors.storage.upkeep.backup import backup as run

            size = run(place, file, force=force, progress=progress)
    click.echo(f"{file} is a whole copy of the database {in_or_at(place)} ({size / 1e6:.1f} MB).")


@click.command(short_help="Put a backup in the place of the database.")
@click.argument("file", type=_FILE)
def restore(file: Path) -> None:
    """Put the backup FILE in the place of the database. Stop the server first.

    FILE is checked before anything is changed, and the present database is kept beside it. No machine starts by
    this: sessions of the backup are over, and a card in a reader must be taken out and put in again. A login that was
    revoked since stays so, if the present database can be read. On PostgreSQL (MAC_DATABASE) the database must be
    empty.
    """
    os.umask(0o077)  # as the server's: for its user alone
    settings = read_settings()
    place = settings.place
    with _progress("copying") as progress:
        if isinstance(place, str):
            from mac_actors.storage.upkeep.elsewhere import restore as fill

            with closing(own(place, settings)):
                done = fill(place, file, progress)
        else:
            from mac_actors.storage.upkeep.backup import restore as run

            done = run(place, file, progress)
    last = done.last_event and local_time(datetime.fromisoformat(done.last_event), seconds=True)
    events = f"{count(done.events, 'event')}, the last of {last}" if last else "no events"
    click.echo(f"The database {in_or_at(place)} is now the backup {file}: {count(done.machines, 'machine')}, {events}.")
    if done.kept:
        click.echo(f"The former database is kept as {done.kept}.")
    if done.ended:
        click.echo(f"Sessions that ran in the backup are over: {', '.join(done.ended)}.")
    if done.lifted is None:
        click.echo("The former database can't be read. Oops and lock again by hand what should be.")
    elif done.lifted:
        click.echo(f"No longer as in the former database: {', '.join(done.lifted)}. Oops or lock again what should be.")
    if done.old_keys:
        click.echo(
            f"The keys of {count(done.old_keys, 'reader')} are those of the backup. A reader that was given another "
            "since is refused: rotate its key, and flash it."
        )
    if done.revoked:
        click.echo(
            f"Personal logins of the backup that the former database no longer had stay revoked: "
            f"{', '.join(done.revoked)}. mac-actors admins add gives a new one to who should have it."
        )
    if done.old_logins:
        click.echo(
            f"Personal logins are those of the backup, also ones that were revoked since: "
            f"{', '.join(done.old_logins)}. Revoke once more (mac-actors admins revoke) whose should not count."
        )
    click.echo("Start the server now.")


@click.command(short_help="Check the database, and change nothing.")
def verify() -> None:
    """Check the database, while the server runs or not; nothing is changed.

    Looks at every page of the database, every machine's state and every event, and whether the states are what the
    events say. Exit status 0: all is well; 1: it is not, and a line says each thing that is wrong.
    """
    place = read_settings().place
    with _progress("checking") as progress:

        def found(finding: str) -> None:
            click.secho(finding, fg="red")

        if isinstance(place, str):
            from mac_actors.storage.store import needing_psycopg

            with needing_psycopg():
                from mac_actors.storage.upkeep.elsewhere import verify_copy
            checked = verify_copy(place, found, progress)
        else:
            from mac_actors.storage.upkeep.verify import verify as run

            checked = run(place, found, progress)
    where = place if isinstance(place, Path) else in_or_at(place)
    seen = f"{where}: {count(checked.machines, 'machine')}, {count(checked.events, 'event')}"
    if checked.findings:
        click.echo(f"{seen}; {count(checked.findings, 'thing')} wrong (docs/backup.rst says what to do).")
        sys.exit(1)
    click.echo(f"{seen}; all is well.")


_database_option = partial(click.option, metavar="[DATABASE]", is_flag=False, flag_value="")
_ADDRESS = "The address of the database, postgresql://…; without one, that in MAC_DATABASE."


@click.command(short_help="Move a shop between SQLite and PostgreSQL.")
@click.option("--to", "target", metavar="[DATABASE]", is_flag=False, flag_value="", help=f"Copy it there. {_ADDRESS}")
@click.option(
    "--from", "source", metavar="[DATABASE]", is_flag=False, flag_value="", help=f"Copy it from there. {_ADDRESS}"
)
def copy(target: str | None, source: str | None) -> None:
    """Copy all that a shop has (states, events, notices that wait, users' changes, keys, logins) from the database in
    MACHINE_STATE_DIR to one on PostgreSQL (--to), or from there to MACHINE_STATE_DIR (--from).

    Stop the servers first. What is copied stays as it is. Where something is already, nothing is changed.
    """
    if (target is None) == (source is None):
        raise click.UsageError("say --to or --from")
    os.umask(0o077)  # as the server's: for its user alone
    settings = read_settings()
    url = _address(target if source is None else source, settings)
    with closing(own(url, settings)), _progress("copying") as progress:
        from mac_actors.storage.upkeep.elsewhere import copy_from, copy_to

        (copy_to if source is None else copy_from)(url, settings.state_dir, progress)
    if source is None:
        click.echo(
            f"All that is in {settings.state_dir} is now in the database {in_or_at(url)}, too. "
            "Set MAC_DATABASE for the server, and start it."
        )
    else:
        click.echo(
            f"All that is in the database {in_or_at(url)} is now in {settings.state_dir}, too. "
            "Take MAC_DATABASE out of the server's settings, and start it."
        )


def _address(given: str | None, settings: Settings) -> str:
    if given:
        MAC_DATABASE.read({MAC_DATABASE.name: given})  # raises what is wrong with it
        if urlsplit(given).password:
            click.echo(
                "While this runs, others on this computer can see the password on its command line: next time put the "
                "address into MAC_DATABASE, and give none here.",
                err=True,
            )
        return given
    if settings.cell.database is None:
        raise click.UsageError("give the address of the database, or set MAC_DATABASE")
    return settings.cell.database


@click.command(short_help="Bring the tables of a PostgreSQL database up to date.")
def migrate() -> None:
    """Make the tables in the PostgreSQL database of MAC_DATABASE, or bring them up to date after an upgrade.

    Servers of the former version may run meanwhile, and go on. The database in MACHINE_STATE_DIR needs no such command:
    the server brings it up to date when it starts.
    """
    url = read_settings().cell.database
    if url is None:
        raise click.UsageError(
            "MAC_DATABASE is not set: in MACHINE_STATE_DIR the server itself does this when it starts"
        )
    from mac_actors.storage.store import needing_psycopg

    with needing_psycopg():
        from mac_actors.storage.postgres.database import migrate as run

    done = run(url)
    said = f"brought up to date: {', '.join(done)}" if done else "up to date already"
    click.echo(f"The database {in_or_at(url)} was {said}." if done else f"The database {in_or_at(url)} is {said}.")


@contextmanager
def _progress(what: str) -> Iterator[OnProgress]:
    """Show how far it has come, on a terminal alone."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    beside = sys.stdout.isatty()  # lines that are printed meanwhile go above the bar; into a pipe they go as ever
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal, redirect_stdout=beside
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
