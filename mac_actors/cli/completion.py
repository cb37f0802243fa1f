"""What Tab completes: names of machines. Never slow, and never a word where nothing can be found."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress

import click
from click.shell_completion import CompletionItem

from mac_actors.cli.common import connect
from mac_actors.settings.environment import MAC_URL, MACHINES_CONFIG

PATIENCE = 1.0
"""Seconds that a file or a server may take."""


def machine_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the machines whose names begin so: of the server that is meant, or of the machines file that is here."""
    found: dict[str, str | None] = {}
    # A thread: what hangs (a name server, a network drive) is left behind with the process.
    looking = threading.Thread(target=_look, args=(ctx.params.get("url"), found), daemon=True)
    looking.start()
    looking.join(PATIENCE)
    return [CompletionItem(name, help=alias) for name, alias in found.copy().items() if name.startswith(incomplete)]


def _look(url: str | None, found: dict[str, str | None]) -> None:
    with suppress(Exception):
        path = MACHINES_CONFIG.read()
        if url or MAC_URL.given() or not path.exists():
            found |= {machine["name"]: machine["alias"] for machine in connect(url).machines()}
        else:
            found |= {name: entry.get("alias") for name, entry in json.loads(path.read_bytes()).items()}


def name_argument(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add NAME to a command. One with spaces need not be quoted."""
    return click.argument(
        "name",
        metavar="NAME" if required else "[NAME]",
        nargs=-1,
        required=required,
        callback=lambda _ctx, _param, words: " ".join(words) or None,
        shell_complete=machine_names,
    )
