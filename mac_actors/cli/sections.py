"""All commands: the module of each, and ``mac-actors --help`` in the order in which one needs them."""

from __future__ import annotations

import os
import sys
from collections import UserDict
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from mac_actors.errors import ConfigError, MacError

SECTIONS = {
    "Begin": {"demo": "server", "init": "init", "check": "server", "serve": "server"},
    "Look, at a running server": {"status": "remote", "events": "remote", "usage": "history", "health": "health"},
    "Change something, at a running server": dict.fromkeys(
        ("oops", "lock", "clear", "unoops", "unlock", "done", "reload"), "remote"
    )
    | {"readers": "readers"},
    "Users": {"users": "users", "forget": "history", "admins": "admins"},
    "Look after the server's own computer": {
        "backup": "storage",
        "restore": "storage",
        "verify": "storage",
        "copy": "storage",
        "migrate": "storage",
        "slack": "slack",
        "webhooks": "webhooks",
        "cluster": "cluster",
        "import-dm-mac": "migration",
    },
    "Develop": {"shell": "shell", "simulate": "simulate"},
}
"""What is under which heading, and the module of ``mac_actors.cli`` that has it, under the same name.

A command that is in none comes last, under ``More``.
"""


def _open_streams() -> None:
    """Put /dev/null in the place of standard streams that the caller has closed (``2>&-``).

    Otherwise the next file to be opened, the database perhaps, has their number, and gets what is said to people.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


class LazyCommands(UserDict[str, click.Command]):
    """Commands by name; one is imported when it is asked for, so that no command waits for what others need."""

    def __init__(self) -> None:
        super().__init__()
        self._modules = {name: module for section in SECTIONS.values() for name, module in section.items()}
        self.data: dict[str, Any] = dict.fromkeys(self._modules)

    def __getitem__(self, name: str) -> click.Command:
        """Return a command, imported."""
        command: click.Command | None = self.data[name]
        if command is None:
            module = import_module(f"mac_actors.cli.{self._modules[name]}")
            command = self.data[name] = getattr(module, name.replace("-", "_"))
        return command


class MainCommands(click.Group):
    """The group of all commands: its help has headings, and a failure is one plain line, not a trace."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(commands=LazyCommands(), **attributes)

    def main(self, *arguments: Any, **settings: Any) -> Any:
        """Begin, with all standard streams open."""
        _open_streams()
        return super().main(*arguments, **settings)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Take ``help COMMAND`` for ``COMMAND --help``; with NO_COLOR nothing is coloured, and never into a pipe."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        if os.environ.get("NO_COLOR"):
            extra["color"] = False
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; 2 for a wrong configuration, 1 for anything else that went wrong."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.secho(problem, fg="red", err=True)
            ctx.exit(2)
        except MacError as error:
            click.secho(f"Error: {error}", fg="red", err=True)
            ctx.exit(1)
        except PermissionError as error:
            what = f"{error.filename}: permission denied: become root with sudo, or the user to whom it belongs"
            click.secho(f"Error: {what}", fg="red", err=True)
            ctx.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help; ``Did you mean`` and completion have them too."""
        return list(self.commands)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands without their help, for which all of them would have to be loaded."""
        commands = [CompletionItem(name) for name in self.commands if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with its one line in full."""
        width = max(map(len, self.commands))
        placed = {name for section in SECTIONS.values() for name in section}
        more = [name for name in self.commands if name not in placed]
        for heading, section in {**SECTIONS, "More": more}.items():
            rows = [(name.ljust(width), self.commands[name].get_short_help_str(limit=200)) for name in section]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
