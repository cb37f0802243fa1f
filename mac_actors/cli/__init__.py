"""The command line. Exit status 0, 1 (the operation failed), 2 (bad use or configuration)."""

from __future__ import annotations

import click

from mac_actors.cli import history, init, migration, remote, server, shell, simulate, slack, storage, users
from mac_actors.cli.common import Commands
from mac_actors.version import VERSION


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="mac-actors")
def main() -> None:
    """Decide who may run which machine in a makerspace.

    init, serve, check, demo, slack, shell, backup, restore, verify, users and import-dm-mac work on this computer; the
    others talk to a running server.
    """


COMMANDS: tuple[click.Command, ...] = (
    init.init,
    server.serve,
    server.check,
    server.demo,
    slack.slack,
    shell.shell,
    *storage.COMMANDS,
    users.users,
    migration.import_dm_mac,
    *remote.COMMANDS,
    *history.COMMANDS,
    simulate.simulate,
)

for command in COMMANDS:
    main.add_command(command)
