"""The command line. Exit status 0, 1 (the operation failed), 2 (bad use or configuration)."""

from __future__ import annotations

import click

from mac_actors.cli.sections import MainCommands


@click.group(cls=MainCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mac-actors", prog_name="mac-actors")
def main() -> None:
    """Decide who may run which machine in a makerspace.

    "mac-actors COMMAND --help" explains a command. Those that ask a running server look for it on this computer, unless
    --url or MAC_URL says where it is.
    """
    from mac_actors.settings.environment import use_time_zone

    use_time_zone()
