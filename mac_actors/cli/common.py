"""What the commands have in common."""

from __future__ import annotations

import getpass
import json
import logging
import resource
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mac_actors.client.http import Client
from mac_actors.errors import MacError
from mac_actors.settings import Settings, from_environment

if TYPE_CHECKING:
    from mac_actors.storage.store import Store


def read_settings(host: str | None = None, port: int | None = None) -> Settings:
    """Read the environment; an option that was given comes before its variable."""
    settings = from_environment()
    return replace(
        settings,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
    )


def in_or_at(place: Path | str) -> str:
    """Say where a database is, without the password that an address may hold: ``in DIRECTORY``, ``NAME at HOST``."""
    if isinstance(place, Path):
        return f"in {place}"
    from mac_actors.storage.store import needing_psycopg  # few commands need it

    with needing_psycopg():
        from mac_actors.storage.postgres.address import Address
    return Address.parse(place).where


def own(place: Path | str, settings: Settings) -> Store:
    """Open a database that nothing else uses, to write to it. Raises what :func:`open_as_owner` does."""
    from mac_actors.cluster.owning import open_as_owner  # few commands need it

    say_nothing_of_the_lease()
    return open_as_owner(place, settings.cell.lease_seconds)


def say_nothing_of_the_lease() -> None:
    """Leave out of a command's output what a server's log says."""
    logging.getLogger("mac_actors.cluster").setLevel(logging.ERROR)


def raise_file_limit() -> None:
    """Allow as many open files as the system grants: each connection is one, and the usual 1,024 are few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def use_one_arena() -> None:
    """Have all threads allocate from one arena; to be called before they start.

    glibc gives each its own, where what one reload in it took stays: megabytes in each of sixteen. Arenas are there for
    threads that run at the same time, which Python's do not.
    """
    import ctypes

    with suppress(AttributeError):  # no glibc
        ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX


def agree(question: str, yes: bool) -> None:
    """Ask on the terminal, unless it was agreed to by ``--yes``; raises :class:`MacError` if it is not agreed to."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise MacError(f"nothing was changed: there is no terminal to ask at: {question} --yes agrees beforehand")
    if not click.confirm(question):
        raise MacError("nothing was changed")


def url_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--url`` to a command."""
    return click.option(
        "--url", metavar="URL", help="Where the server is (MAC_URL).  [default: http://127.0.0.1:MAC_PORT]"
    )(command)


def connect(url: str | None) -> Client:
    """Return a client of the server at ``url``, or where the environment says it is."""
    return Client.at(url, "--url")


def _login_name() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


by_option = click.option(
    "--by", default=_login_name, show_default="your login name", help="Who does it; shown to admins."
)

json_option = click.option("--json", "as_json", is_flag=True, help="The API's JSON, for programs.")


def show_json(body: Any, indent: int | None = 2) -> None:
    """Print an answer of the API."""
    click.echo(json.dumps(body, indent=indent, ensure_ascii=False))


def show_notes(lines: Iterable[str]) -> None:
    """Say what works and is most likely not meant, apart from what was asked for."""
    for line in lines:
        click.secho(f"Note: {line}", fg="yellow", err=True)


def installed_command() -> str:
    """How this installation is called, whatever the directory and the PATH."""
    script = Path(sysconfig.get_path("scripts")) / "mac-actors"
    return str(script) if script.exists() else f"{sys.executable} -m mac_actors"


def typed(command: str) -> str:
    """How this ``command`` is called in this shell: by its name alone where the PATH leads to it."""
    found = shutil.which("mac-actors")
    return "mac-actors" if found and Path(found).samefile(command.partition(" ")[0]) else command
