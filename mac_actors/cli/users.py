"""The commands that look after the users file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mac_actors.cli import people
from mac_actors.cli.common import agree, connect, read_settings, show_notes, url_option
from mac_actors.cli.tables import out, plain, table
from mac_actors.core.text import count
from mac_actors.errors import ConfigError, NoServer
from mac_actors.imports.users.people import gather
from mac_actors.imports.users.source import UserSource, checked, read_toml
from mac_actors.imports.users.update import Change, Update, compare, present_users, write
from mac_actors.settings import Settings
from mac_actors.settings.files import parse, users_of
from mac_actors.settings.problems import printed
from mac_actors.settings.user_entries import UserEntry
from mac_actors.settings.warnings import warnings_of

SHOWN = 50
"""Users in the table, and names of those left out, at the most; of the rest it is said how many."""

_FILE = click.Path(path_type=Path)


@click.group(short_help="Users: found and changed at a running server; users.json made of a spreadsheet or a CRM.")
def users() -> None:
    """Look after users: at a running server, and in their file."""


for _command in (people.find, people.show, people.add, people.fob, people.authorize, people.withdraw):
    users.add_command(_command)


@users.group("import", short_help="Make users.json from a spreadsheet or a CRM.")
def import_() -> None:
    """Make the users file from where the members are kept: a spreadsheet, or a CRM."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of every import."""

    extra: Path | None
    dry_run: bool
    yes: bool
    force: bool
    show_all: bool
    url: str | None


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every import has; they come as one value, ``options``."""

    def run(
        extra: Path | None, dry_run: bool, yes: bool, force: bool, show_all: bool, url: str | None, **own: Any
    ) -> None:
        command(options=Options(extra, dry_run, yes, force, show_all, url), **own)

    run.__doc__ = command.__doc__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    run = url_option(run)
    run = click.option("--force", is_flag=True, help="Take it though more than half of the users would go.")(run)
    run = click.option("--show-all", is_flag=True, help=f"Show all changes and all names, not {SHOWN} of each.")(run)
    run = click.option("--yes", is_flag=True, help="Do not ask.")(run)
    run = click.option("--dry-run", is_flag=True, help="Show what would change, and do nothing.")(run)
    return click.option("--extra", type=_FILE, help="Users that the source does not have: a file like users.json.")(run)


def _pairs(option: str, given: Iterable[str], *, alone: bool = False) -> list[tuple[str, str]]:
    """Take ``NAME=VALUE`` apart; ``alone``: a name by itself is its value too."""
    pairs = [(name, value if mark or not alone else name) for name, mark, value in (g.partition("=") for g in given)]
    wrong = [text for text in given if "=" not in text and not alone]
    if wrong:
        raise ConfigError([f"{option}: expected NAME=VALUE, not {text!r}" for text in wrong])
    return pairs


@import_.command("csv", short_help="From a CSV file, as spreadsheets save it.")
@click.argument("file", type=_FILE)
@click.option("--mapping", type=_FILE, help="A TOML file that says all of the following.")
@click.option("--column", multiple=True, metavar="FIELD=COLUMN", help="Which column is which field of users.json.")
@click.option(
    "--authorization-column",
    multiple=True,
    metavar="COLUMN[=NAME]",
    help="A column of yes and no; a yes gives the authorization NAME.",
)
@click.option("--yes-word", multiple=True, metavar="WORD", help="What means yes there too; * is whatever is not empty.")
@click.option("--no-word", multiple=True, metavar="WORD", help="What means no there too.")
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Who is taken: 'COLUMN = VALUE' or 'COLUMN != VALUE'; several values of a column are alternatives.",
)
@click.option("--default", multiple=True, metavar="FIELD=VALUE", help="The value of a field that the file lacks.")
@click.option(
    "--separators",
    help="What stands between fobs or authorizations in a cell.  [default: ; (authorizations: , too)]",
)
@click.option("--delimiter", help="What stands between cells.  [default: what the first line has most of]")
@click.option("--encoding", help="As utf-8, cp1252.  [default: UTF-8, and cp1252 where it is not]")
@click.option("--date-format", help="How days are written, as %d.%m.%Y.  [default: %Y-%m-%d]")
@_common
def import_csv(
    options: Options,
    file: Path,
    mapping: Path | None,
    column: tuple[str, ...],
    authorization_column: tuple[str, ...],
    yes_word: tuple[str, ...],
    no_word: tuple[str, ...],
    where: tuple[str, ...],
    default: tuple[str, ...],
    separators: str | None,
    delimiter: str | None,
    encoding: str | None,
    date_format: str | None,
) -> None:
    """Make the users file from a CSV file, as spreadsheets save it; - is standard input.

    A column that is called as a field of users.json (case does not count) need not be named.
    """
    from mac_actors.imports.users.csv_file import CsvSource
    from mac_actors.imports.users.mapping import Mapped

    data: dict[str, Any] = read_toml(mapping) if mapping else {}
    if mapping:
        checked(Mapped, data, str(mapping))
    named: dict[str, Any] = {}
    for name, value in _pairs("--column", column):
        named.setdefault(name, []).append(value)
    more = {
        "columns": named,
        "authorization_columns": dict(_pairs("--authorization-column", authorization_column, alone=True)),
        "defaults": dict(_pairs("--default", default)),
    }
    data |= {key: {**data.get(key, {}), **value} for key, value in more.items()}
    data |= {key: list(words) for key, words in (("yes", yes_word), ("no", no_word), ("where", where)) if words}
    single = {"separators": separators, "delimiter": delimiter, "encoding": encoding, "date_format": date_format}
    data |= {key: value for key, value in single.items() if value is not None}
    mapped = checked(Mapped, data, "options")
    if str(file) == "-":
        source = CsvSource.read("standard input", sys.stdin.buffer, mapped)
    else:
        source = CsvSource.open(file, mapped)
    _import(source, options, lambda: source.notes)


@import_.command("neon", short_help="From the accounts in the Neon CRM.")
@click.option(
    "--config", type=_FILE, default=Path("neon.toml"), show_default=True, help="Which of Neon's fields is which."
)
@_common
def import_neon(options: Options, config: Path) -> None:
    """Make the users file from the accounts in the Neon CRM.

    NEON_ORG_ID and NEON_API_KEY are the organization's id and API key.
    """
    from mac_actors.imports.users.neon import Neon
    from mac_actors.imports.users.neon_config import NeonAccess, NeonConfig

    settings = checked(NeonConfig, read_toml(config), str(config))
    report = (lambda text: click.echo(text, err=True)) if sys.stderr.isatty() else (lambda _: None)
    _import(Neon(settings, NeonAccess.from_environment(), report), options)


def _import(source: UserSource, options: Options, notes: Callable[[], Iterable[str]] = lambda: ()) -> None:
    """Read, compare, show, ask, write, have the server read it: the same for every source."""
    settings = read_settings()
    path = settings.users_config
    before, old = present_users(path, force=options.force)
    extra = users_of(options.extra) if options.extra else []
    people = gather(source, extra, old)
    update = compare(path, before, old, people.users)
    for note in (*notes(), *people.notes):
        click.echo(note, err=True)
    shown = None if options.show_all else SHOWN
    for reason, names in people.left_out.items():
        more = f", … and {len(names) - SHOWN} more" if shown and len(names) > shown else ""
        click.echo(printed(f"Left out, because {reason}: {len(names)} ({', '.join(names[:shown])}{more})."))
    if update.changes:
        _show(update, shown)
        _warn(settings, people.users)
        if not options.force:
            update.refuse_loss()
        if options.dry_run:
            click.echo("Nothing was changed (--dry-run).")
            return
        agree(f"Write this to {path}?", options.yes)
        kept = write(update)
        click.echo(f"{path} is written" + (f"; the one before is {kept}." if kept else "."))
    else:
        click.echo(f"{path} has these {count(len(old), 'user')} already; nothing was changed.")
        if options.dry_run:
            return
    _reload(options)


def _show(update: Update, shown: int | None) -> None:
    rows = table("", "Account", "Name", "What")
    for change in update.changes[:shown]:
        rows.add_row(*map(plain, _row(change)))
    out.print(rows)
    if shown and len(update.changes) > shown:
        click.echo(f"… and {len(update.changes) - shown} more (--show-all shows them).")
    numbers = ", ".join(f"{update.count(what)} {what}" for what in ("added", "removed", "changed"))
    click.echo(f"{count(len(update.old), 'user')} → {count(len(update.new), 'user')}: {numbers}.")


def _warn(settings: Settings, users: Sequence[UserEntry]) -> None:
    """Say which authorizations the machines don't know, where machines.json can be read."""
    with contextlib.suppress(ConfigError):
        show_notes(warnings_of(parse(settings.machines_config, users)))


def _row(change: Change) -> tuple[str, ...]:
    return change.what, change.user.account_id, change.user.full_name, ", ".join(change.details)


def _reload(options: Options) -> None:
    """Have a running server take the file; one that does not run reads it at its start."""
    try:
        answer = connect(options.url).reload_users(force=options.force)
    except NoServer as error:
        click.echo(f"No server was told ({error}). It reads the file when it starts.", err=True)
        return
    changed = ", ".join(f"{answer[what]} {what}" for what in ("added", "removed", "updated") if answer[what])
    if changed:
        click.echo(f"The server has taken it: {changed}.")
