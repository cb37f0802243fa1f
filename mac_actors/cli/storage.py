"""The commands that look after the state directory: backup, restore, verify."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mac_actors.cli.common import read_settings
from mac_actors.core.text import count, local_time

if TYPE_CHECKING:
    from mac_actors.storage.upkeep.verify import OnProgress

_FILE = click.Path(path_type=Path)


@click.command(short_help="Copy the database, while the server runs or not.")
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def backup(file: Path, force: bool) -> None:
    """Copy the database to FILE, while the server runs or not.

    The copy is checked, and FILE is there only when it is whole. MACHINE_STATE_DIR says where the database is.
    """
    from mac_actors.storage.upkeep.backup import backup as run

    directory = read_settings().state_dir
    with _progress("copying") as progress:
        size = run(directory, file, force=force, progress=progress)
    click.echo(f"{file} is a whole copy of the database in {directory} ({size / 1e6:.1f} MB).")


@click.command(short_help="Put a backup in the place of the database.")
@click.argument("file", type=_FILE)
def restore(file: Path) -> None:
    """Put the backup FILE in the place of the database. Stop the server first.

    FILE is checked before anything is changed, and the present database is kept beside it. No machine starts by
    this: sessions of the backup are over, and a card in a reader must be taken out and put in again.
    """
    from mac_actors.storage.upkeep.backup import restore as run

    os.umask(0o077)  # as the server's: for its user alone
    directory = read_settings().state_dir
    with _progress("copying") as progress:
        done = run(directory, file, progress)
    last = done.last_event and local_time(datetime.fromisoformat(done.last_event), seconds=True)
    events = f"{count(done.events, 'event')}, the last of {last}" if last else "no events"
    click.echo(f"The database in {directory} is now the backup {file}: {count(done.machines, 'machine')}, {events}.")
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
    click.echo("Start the server now.")


@click.command(short_help="Check the database, and change nothing.")
def verify() -> None:
    """Check the state directory, while the server runs or not; nothing is changed.

    Looks at every page of the database, every machine's state and every event, and whether the states are what the
    events say. Exit status 0: all is well; 1: it is not, and a line says each thing that is wrong.
    """
    from mac_actors.storage.upkeep.verify import verify as run

    directory = read_settings().state_dir
    with _progress("checking") as progress:
        checked = run(directory, lambda finding: click.secho(finding, fg="red"), progress)
    seen = f"{directory}: {count(checked.machines, 'machine')}, {count(checked.events, 'event')}"
    if checked.findings:
        click.echo(f"{seen}; {count(checked.findings, 'thing')} wrong (docs/backup.rst says what to do).")
        sys.exit(1)
    click.echo(f"{seen}; all is well.")


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
