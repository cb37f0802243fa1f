"""The command line. Exit status 0, 1 (the operation failed), 2 (bad use or configuration)."""

from __future__ import annotations

import click

from mac_actors.cli import history, init, migration, remote, server, shell, simulate, slack, storage, users
from mac_actors.cli.sections import MainCommands
from mac_actors.version import VERSION


@click.group(cls=MainCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="mac-actors")
def main() -> None:
    """Decide who may run which machine in a makerspace.

    "mac-actors COMMAND --help" explains a command. Those that ask a running server look for it on this computer, unless
    --url or MAC_URL says where it is.
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
