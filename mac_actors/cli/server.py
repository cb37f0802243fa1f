"""The commands that work on this computer: serve, check, demo."""

from __future__ import annotations

import faulthandler
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from mac_actors.cli.common import installed_command, raise_file_limit, read_settings, show_notes, typed, use_one_arena
from mac_actors.core.config import Configuration
from mac_actors.core.people.additions import Addition
from mac_actors.core.people.people import settle
from mac_actors.core.text import count
from mac_actors.errors import ConfigError, FleetClosed, MacError, ReloadRefused, StorageError
from mac_actors.service import logs
from mac_actors.service.exposure import exposures
from mac_actors.service.service import Service
from mac_actors.service.shop import check_mqtt
from mac_actors.service.signals import Signals
from mac_actors.service.systemd import Systemd
from mac_actors.service.watchdog import Watchdog
from mac_actors.settings import Settings
from mac_actors.settings.api_keys import load_api_keys
from mac_actors.settings.environment import MAC_HOST, MAC_PORT
from mac_actors.settings.files import load, slack_files
from mac_actors.settings.warnings import offline_summary, warnings_of
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.version import VERSION
from mac_actors.web.server.tls import Tls

STOP_SECONDS = 8.0
"""How long a stop may take, before the log's last lines. What was answered as durable is on the disk by then."""

_PORT_HELP = f"Port to listen on (MAC_PORT).  [default: {MAC_PORT.default}]"


def _log_options(command: Callable[..., None]) -> Callable[..., None]:
    level = click.Choice(["debug", "info", "warning", "error"])
    command = click.option(
        "--log-level", type=level, default="info", show_default=True, help="From what on is logged."
    )(command)
    style = click.Choice(["text", "json"])
    return click.option("--log-format", type=style, default="text", show_default=True, help="Readable lines, or JSON.")(
        command
    )


@click.command()
@click.option("--host", help=f"Address to listen on (MAC_HOST).  [default: {MAC_HOST.default}]")
@click.option("--port", type=click.IntRange(0, 65535), help=_PORT_HELP)
@click.option("--shell", is_flag=True, help="Give a Python prompt on the running server; leaving it stops the server.")
@_log_options
def serve(host: str | None, port: int | None, shell: bool, log_level: str, log_format: str) -> None:
    """Run the server, until SIGTERM or Ctrl-C.

    The environment says where the configuration is and what the server may do (docs/configuration.rst). SIGHUP has
    machines and users read again, and the log says what came of it.
    """
    settings = read_settings(host, port)
    signals = Signals()
    with _wholly():
        logs.set_up(log_level, log_format)
        faulthandler.enable()  # the watchdog ends a server that hangs with SIGABRT: the log then says where it hung
        raise_file_limit()
        use_one_arena()
        os.umask(0o077)  # names and fobs are in the state directory: for the server's user alone
        service = Service(settings, subscribers=[logs.log_outcome])
        service.server.on_failure = _end
        if shell:
            from mac_actors.cli import shell as shell_command  # a server without it need not have all this in memory

            log_file = shell_command.log_file(settings.state_dir)
            if log_file:
                logs.set_up(log_level, log_format, log_file)
        service.start()
        logs.log.info("mac-actors %s at %s: %s", VERSION, _address(service), _summary(service.configuration))
        for line in _warnings(service):
            logs.log.warning("%s", line)
        watchdog = Watchdog(service, Systemd())
        watchdog.start()
    try:
        if shell:
            shell_command.run_with(service, log_file)
        else:
            _wait(service, signals, watchdog)
    finally:
        watchdog.stop()
        _stop(service)
    if service.server.failure:
        sys.exit(1)


def _warnings(service: Service) -> Iterator[str]:
    """Say what works, and is most likely not meant."""
    configuration = service.configuration
    yield from warnings_of(configuration)
    with suppress(FleetClosed):  # another server owns the machines, and says the rest
        fleet = service.fleet
        yield from map(str, fleet.users.people.conflicts())
        yield from exposures(service.settings, configuration.machines, fleet.reader_keys)


@contextmanager
def _wholly() -> Iterator[None]:
    """Start wholly or end: threads that run already must not keep alive what serves nobody and obeys no signal."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        why = str(error) or "out of memory"
        click.echo(
            f"Error: the server can't start ({why}): allow it more memory, or more threads (ulimit -v and -u; "
            "with systemd MemoryMax= and TasksMax=).",
            err=True,
        )
        if not why.startswith(("out of memory", "can't start new thread")):
            traceback.print_exception(error)
        logs.write_out()
        os._exit(1)


def _address(service: Service) -> str:
    """Say where it is for people on this computer, and what it listens on if that is more."""
    host, port = service.server.bind_addr
    url = service.server.url
    return url if host in url else f"{url}, listening on all addresses of this computer ({host} port {port})"


def _wait(service: Service, signals: Signals, watchdog: Watchdog) -> None:
    """Wait for the signal to stop; meanwhile reload when one asks for that."""
    while signals.wait_for_reload():
        watchdog.reloading()
        watchdog.reloaded(good=_reload(service))


def _end() -> None:
    """Stop as SIGTERM does; also where nobody waits for a signal."""
    _end_within(STOP_SECONDS * 2)
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(service: Service) -> None:
    logs.log.info("stopping: requests under way are answered, everything is written")
    guard = _end_within(STOP_SECONDS)
    service.stop()
    guard.cancel()
    logs.log.info("stopped")


def _end_within(seconds: float) -> threading.Timer:
    """End the process after so long, whatever hangs in it, unless that is cancelled."""

    def end() -> None:
        logs.log.critical("the server has not stopped within %.0f s: it ends now", seconds)
        logs.write_out()
        os._exit(1)

    guard = threading.Timer(seconds, end)
    guard.daemon = True
    with suppress(RuntimeError):  # no thread more may be started: it ends all the same, unless something hangs
        guard.start()
    return guard


def _reload(service: Service) -> bool:
    """Read the files anew; says in the log what came of it. A file that is wrong changes nothing and ends nothing."""
    try:
        logs.log.info("%s and %s were read again: %s", *_files(service), service.reload())
        return True
    except ConfigError as error:
        for problem in error.problems:
            logs.log.error("%s", problem)
        logs.log.error(
            "%s and %s were not taken over: nothing was changed. Mend them, then reload again", *_files(service)
        )
    except ReloadRefused as error:
        logs.log.error("the reload was refused, nothing was changed: %s (?force=1 is for POST /api/reload)", error)
    except MacError as error:
        logs.log.error("the reload failed: %s", error)
    except Exception:
        logs.log.exception("the reload failed")
    return False


def _files(service: Service) -> tuple[Path, Path]:
    return service.settings.machines_config, service.settings.users_config


@click.command(short_help="Check settings and both files, and start nothing.")
def check() -> None:
    """Check the environment and both configuration files, without starting anything.

    Lists every mistake with its file, its place and what is expected. Exit status 0: all is well; 2: it is not.
    """
    settings = read_settings()
    configuration = load(settings)
    check_mqtt(settings)
    load_api_keys(settings, configuration.machines)
    if settings.tls_cert and settings.tls_key:
        Tls(settings.tls_cert, settings.tls_key)
    files = [settings.machines_config, settings.users_config, *slack_files(settings)]
    click.echo(f"{' and '.join(map(str, files))} are fine: {_summary(configuration)}.")
    if offline := offline_summary(configuration):
        click.echo(f"While the server does not answer: {offline}.")
    keyed, counting = _stored(settings)
    conflicts = map(str, settle(configuration.directory, counting).people.conflicts())
    show_notes((*warnings_of(configuration), *conflicts))
    for exposure in exposures(settings, configuration.machines, keyed):
        click.secho(f"WARNING: {exposure}.", fg="yellow")


def _stored(settings: Settings) -> tuple[frozenset[str], list[Addition]]:
    """Return the machines whose readers have keys, and the changes of users that count; nothing without a database."""
    if settings.cell.database:
        with closing(Store.open(settings.cell.database)) as store:
            return frozenset(store.reader_keys()), store.load_additions()
    from mac_actors.storage.upkeep.verify import additions, reading

    keyed: frozenset[str] = frozenset()
    counting: list[Addition] = []
    with suppress(StorageError, sqlite3.Error), reading(settings.state_dir / DATABASE) as connection:
        counting = [one for one in additions(connection) if isinstance(one, Addition) and one.counts]
        keyed = frozenset(name for (name,) in connection.execute("SELECT machine FROM reader_key"))
    return keyed, counting


@click.command(short_help="Try it: a server with sample machines, readers and people.")
@click.option("--port", type=click.IntRange(0, 65535), help=_PORT_HELP)
def demo(port: int | None) -> None:
    """Try it: a server on a sample configuration, with simulated readers and no Slack.

    It needs no files and leaves none behind. Members come and go, somebody presses Oops, an admin clears it; what
    Slack would be told is printed.
    """
    from mac_actors.simulation import demo as demo_module

    settings = read_settings(port=port)
    if not MAC_HOST.given():
        settings = replace(settings, host="127.0.0.1")
    logs.set_up("error")
    stop = _stop_on_signals()
    with tempfile.TemporaryDirectory(prefix="mac-actors-demo-") as directory:
        demo_settings = demo_module.settings_for(Path(directory), settings)
        demo_module.run(demo_settings, stop, click.echo, typed(installed_command()))
    click.echo("The demo has ended.")


def _summary(configuration: Configuration) -> str:
    users = configuration.directory.users
    fobs = sum(len(user.fob_codes) for user in users)
    text = f"{count(len(configuration.machines), 'machine')}, {count(len(users), 'user')} with {count(fobs, 'fob')}"
    now = datetime.now(UTC)
    expired = sum(user.expires_at is not None and user.expires_at <= now for user in users)
    if not expired:
        return text
    if configuration.directory.enforce_expiration:
        return f"{text}; {count(expired, 'user')} expired and refused"
    return f"{text}; {count(expired, 'user')} expired but let in (MAC_ENFORCE_EXPIRATION=1 refuses them)"


def _stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set; a second Ctrl-C ends at once."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        stop.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop
