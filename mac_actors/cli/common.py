"""What the commands have in common."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from dataclasses import replace

import click

from mac_actors.client.http import Client
from mac_actors.errors import MacError
from mac_actors.settings import Settings, from_environment


def read_settings(host: str | None = None, port: int | None = None) -> Settings:
    """Read the environment; an option that was given comes before its variable."""
    settings = from_environment()
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
    """Return a client of the server at ``url``, or where the environment says it is."""
    return Client.at(url, "--url")
