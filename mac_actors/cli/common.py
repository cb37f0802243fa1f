"""What the commands have in common."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mac_actors import settings as settings_module
from mac_actors.client.http import Client
from mac_actors.errors import ConfigError, MacError
from mac_actors.settings import Settings

out = Console(highlight=False, width=None if sys.stdout.isatty() else 1000)
"""Where tables go; a machine is one line where the output is read by a program."""


def table(*titles: str) -> Table:
    """Return an empty table as all commands show them."""
    return Table(*titles, box=None, pad_edge=False, header_style="bold")


def plain(text: str) -> str:
    """Return text for a cell in which no bracket is a style."""
    return text.replace("[", r"\[")


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


def read_settings(host: str | None = None, port: int | None = None) -> Settings:
    """Read the environment; an option that was given comes before its variable."""
    settings = settings_module.from_environment()
    return replace(
        settings,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
    )


def raise_file_limit() -> None:
    """Allow as many open files as the system grants: each connection is one, and the usual 1,024 are few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
    return click.option("--url", help="Where the server is (MAC_URL).  [default: http://127.0.0.1:MAC_PORT]")(command)


def connect(url: str | None) -> Client:
    """Return a client of the server at ``url``, or where the environment says it is; the command's end closes it."""
    client = Client.at(url, "--url")
    click.get_current_context().call_on_close(client.close)
    return client
