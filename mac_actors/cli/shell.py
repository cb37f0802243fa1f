"""``shell``: a Python prompt with the fleet open; and the same inside ``serve --shell``."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import click

from mac_actors import shell as shell_module
from mac_actors.bootstrap import Fleet
from mac_actors.cli.common import in_or_at, read_settings, say_nothing_of_the_lease, url_option
from mac_actors.client.remote import RemoteFleet
from mac_actors.errors import ConfigError, DirectoryInUse, MacError, ServerError, StorageError
from mac_actors.fleet.protocol import AnyFleet
from mac_actors.service import logs
from mac_actors.service.service import Service
from mac_actors.settings import Settings
from mac_actors.settings.environment import MAC_URL

_ELSEWHERE = "To attach to a running server, whatever is here: mac-actors shell --url http://ADDRESS:PORT"


@click.command(short_help="Open a Python prompt with all machines.")
@click.option("-c", "code", help="Run this Python code instead, and end.")
@click.option("--scratch", is_flag=True, help="Work on a copy of the machines' states, in memory: nothing is written.")
@url_option
def shell(code: str | None, scratch: bool, url: str | None) -> None:
    """Open a Python prompt with all machines: fleet, and m with each machine by its name.

    Opens the state directory. If a server has it already, or with --url, it attaches to that server. What comes on
    standard input, if that is no terminal, is run as a script.
    """
    if url and scratch:
        raise click.UsageError("--url and --scratch exclude each other: a copy is made of the state directory here")
    interactive = code is None and sys.stdin.isatty()
    logging.getLogger("pykka").setLevel(logging.ERROR)
    say_nothing_of_the_lease()
    if not interactive:
        logs.set_up("warning")
    os.umask(0o077)  # as serve: names and fobs are in the state directory
    fleet, where = _open(url, scratch)
    with fleet:
        if interactive:
            shell_module.run(shell_module.namespace(fleet), shell_module.banner(fleet, where))
        else:
            _run_script(fleet, code)
    if not interactive and isinstance(fleet, RemoteFleet) and fleet.failed:
        raise SystemExit(1)  # the log says what was not carried out


def _open(url: str | None, scratch: bool) -> tuple[AnyFleet, str]:
    """Return the fleet, and a sentence on where its calls go."""
    settings = read_settings()
    # Where there is no shop at all, MAC_URL alone can be meant.
    elsewhere = MAC_URL.given() and not scratch and not settings.machines_config.exists()
    if url or elsewhere:
        remote = RemoteFleet(url)
        return remote, f"Attached to the server at {remote.url}."
    if scratch:
        copy = Fleet.open(scratch=True)
        return copy, f"On a copy of the states {in_or_at(settings.place)}, in memory: no real machine is switched."
    try:
        where = in_or_at(settings.place).removeprefix("in ")
        return Fleet.open(), f"On {where}: no server can run there until you leave."
    except DirectoryInUse as in_use:
        return _attach(settings, in_use)
    except ConfigError as error:
        raise ConfigError([*error.problems, _ELSEWHERE]) from error
    except StorageError as error:
        raise StorageError(f"{error} {_ELSEWHERE}") from error


def _attach(settings: Settings, in_use: DirectoryInUse) -> tuple[AnyFleet, str]:
    directory = settings.state_dir
    try:
        remote = RemoteFleet()
    except ServerError as error:
        if settings.cell.database:
            raise MacError(f"{in_use} ({error}; --url says where it is, --scratch looks at a copy)") from error
        raise MacError(
            f"the state directory {directory} is in use by process {in_use.pid}, and {error}. If that process is "
            "another shell, leave it first; --scratch looks at a copy"
        ) from error
    held = "The database has an owner" if settings.cell.database else f"{directory} is in use by process {in_use.pid}"
    return remote, f"{held}: attached to the server at {remote.url}."


def _run_script(fleet: AnyFleet, code: str | None) -> None:
    text, name = (sys.stdin.read(), "<stdin>") if code is None else (code, "<command>")
    if not shell_module.run_script(text, name, shell_module.namespace(fleet)):
        raise SystemExit(1)


def log_file(settings_dir: Path) -> Path | None:
    """Return where ``serve --shell`` writes its log: a file, unless standard error is one already."""
    return settings_dir / "server.log" if sys.stderr.isatty() else None


def run_with(service: Service, log: Path | None) -> None:
    """Give a prompt on the actors of a server that runs in this process, until it is left or SIGTERM comes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Ctrl-C ends what runs at the prompt, not the server
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=_end, args=(service,), name="stop").start())
    if not sys.stdin.isatty():
        _run_script(service.fleet, None)
        return
    where = f"The server runs at {service.server.url}; leaving this shell stops it."
    where += f" Its log is {log}." if log else ""
    fleet = service.fleet
    shell_module.run(shell_module.namespace(fleet), shell_module.banner(fleet, where))


def _end(service: Service) -> None:
    """Stop the server whatever the prompt is doing, and leave the terminal usable."""
    logs.log.info("stopping: everything is written")
    with contextlib.suppress(Exception):
        service.stop()
        logs.log.info("stopped")
    shell_module.restore_terminal()
    logs.write_out()
    os._exit(0)
