"""``mac-actors --help``: the commands in the order in which one needs them, not in that of the alphabet."""

from __future__ import annotations

import click

from mac_actors.cli.common import Commands

SECTIONS = {
    "Begin": ("demo", "init", "check", "serve"),
    "Look, at a running server": ("status", "events", "usage", "health"),
    "Change a machine, at a running server": ("oops", "lock", "clear", "unoops", "unlock"),
    "Users": ("users", "forget"),
    "Look after the server's own computer": ("backup", "restore", "verify", "slack", "import-dm-mac"),
    "Develop": ("shell", "simulate"),
}
"""What is under which heading. A command that is in none comes last, under ``More``."""


class MainCommands(Commands):
    """The group of all commands, whose help has headings."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help; ``Did you mean`` and completion have them too."""
        placed = [name for names in SECTIONS.values() for name in names if name in self.commands]
        return placed + [name for name in super().list_commands(ctx) if name not in placed]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with its one line in full."""
        names = self.list_commands(ctx)
        width = max(map(len, names))
        placed = {name for section in SECTIONS.values() for name in section}
        more = tuple(name for name in names if name not in placed)
        for heading, section in {**SECTIONS, "More": more}.items():
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(limit=200))
                for name in section
                if name in self.commands
            ]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
