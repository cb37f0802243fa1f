"""``mac-actors init``: the files of a new makerspace, and what to do next."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from importlib.resources import files
from pathlib import Path

import click

from mac_actors.cli.common import installed_command, typed
from mac_actors.errors import MacError
from mac_actors.settings.environment import MAC_PORT

FILES = {
    "machines.json": 0o644,
    "users.json": 0o600,
    "README.txt": 0o644,
    "mac-actors.env": 0o600,
    "mac-actors.service": 0o644,
    "mac-actors-backup.service": 0o644,
    "mac-actors-backup.timer": 0o644,
}
"""What is written, with its mode: what has names or secrets in it is for the owner alone."""

NOT_FOR_A_SERVICE = ("/home/", "/root/", "/tmp/", "/var/tmp/", "/run/")  # noqa: S108 - compared, not used
"""Where a service of systemd's with our unit can't look."""


@click.command(short_help="Write the files of a new makerspace, and say what comes next.")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--missing", is_flag=True, help="Write the files that are not there, and leave the others as they are.")
def init(directory: Path, missing: bool) -> None:
    """Write the files of a new makerspace into DIRECTORY, and say what to do next.

    A small configuration to begin with, all settings with a new random MAC_ADMIN_TOKEN, and units for systemd. A file
    that is there is never changed.
    """
    directory = directory.absolute()
    command = installed_command()
    for path, what in ((directory, "DIRECTORY"), (Path(command.partition(" ")[0]), "the command")):
        if not re.fullmatch(r"[\w./+@,=-]+", str(path)):
            raise MacError(
                f"{what} is {str(path)!r}: a service file can't name a path with a space or a special character in it. "
                "Choose letters, digits, . _ - and +."
            )
    for name in _write(directory, command, missing=missing):
        click.echo(f"wrote {directory / name}")
    click.echo()
    click.echo(_next_steps(directory, command))


def _write(directory: Path, command: str, *, missing: bool) -> list[str]:
    """Write the files; returns the names of those written. Nothing is written if one may not be."""
    there = [name for name in FILES if os.path.lexists(directory / name)]
    if there and not missing:
        raise MacError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} in {directory} already: nothing was written. "
            "Choose another directory, or write the files that are missing with --missing."
        )
    wanted = [name for name in FILES if name not in there]
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name in wanted:
            _write_file(directory / name, _content(name, directory, command))
    except OSError as error:
        raise MacError(
            f"cannot write {error.filename or directory}: {error.strerror}. Choose a directory that is yours, "
            "with room on its disk, or become root with sudo."
        ) from error
    return wanted


def _write_file(path: Path, text: str) -> None:
    """Write a new file, or leave none."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILES[path.name]), "w") as file:  # noqa: PTH123
        try:
            file.write(text)
            file.flush()
        except OSError:  # half a file would be taken for a whole one
            path.unlink()
            raise


def _content(name: str, directory: Path, command: str) -> str:
    text = (files("mac_actors") / "samples" / "start" / name).read_text(encoding="utf-8")
    if name == "mac-actors.env":
        if os.geteuid() == 0 and not _hidden(
            directory, command
        ):  # then shells that load it mean the service's database
            text = text.replace("#MACHINE_STATE_DIR=machine_state\n", "MACHINE_STATE_DIR=/var/lib/mac-actors\n")
        return text.replace("#MAC_ADMIN_TOKEN=\n", f"MAC_ADMIN_TOKEN={secrets.token_hex(32)}\n")
    if name.endswith(".service"):
        return text.replace("/opt/mac-actors/bin/mac-actors", command).replace("/etc/mac-actors", str(directory))
    return text


def _hidden(directory: Path, command: str) -> list[str]:
    """Return which of the two a service can't look into."""
    return [path for path in (str(directory), command.partition(" ")[0]) if path.startswith(NOT_FOR_A_SERVICE)]


def _next_steps(directory: Path, command: str) -> str:
    """Return numbered steps, to be typed as they are printed."""
    called = typed(command)
    place = shlex.quote(str(directory))
    hidden = _hidden(directory, command)
    root = os.geteuid() == 0
    steps = [_PEOPLE, _check(place, called, root)]
    if hidden or not root:
        steps += [_TRY.format(called=called), _report(called, "In another terminal, do step 2 again, then be a reader")]
    if hidden:
        steps.append(_ELSEWHERE.format(path=hidden[0]))
    else:
        kept = "" if root else _KEPT.format(directory=directory)
        steps.append(_SERVICE.format(place=place) + kept)
        if root:
            steps.append(_report(called, "Be a reader"))
    steps.append(_SLACK)
    return "What next:\n\n" + "\n\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


_PEOPLE = """Put your machines and people into machines.json and users.json; README.txt there explains them. Or leave
   them as they are for a first try."""

_TRY = """Start the server, to try it. Ctrl-C ends it:

       {called} serve"""

_ELSEWHERE = """For good, as a service, it must be elsewhere: a service can't look into {path}.
   Install into /opt/mac-actors and write the files to /etc/mac-actors: docs/operations.rst has the commands."""

_SERVICE = """For good, as a service of systemd that starts with the computer, with a backup every night:

       sudo useradd --system --home-dir /var/lib/mac-actors --shell /usr/sbin/nologin mac-actors
       sudo chgrp mac-actors {place} {place}/machines.json {place}/users.json
       sudo chmod 640 {place}/machines.json {place}/users.json
       sudo cp {place}/mac-actors*.service {place}/mac-actors*.timer /etc/systemd/system/
       sudo systemctl daemon-reload
       sudo systemctl enable --now mac-actors.service mac-actors-backup.timer
       systemctl status mac-actors.service"""

_KEPT = """

   Its database is in /var/lib/mac-actors; what you tried in step 3 stays in {directory}/machine_state."""

_SLACK = """Slack: docs/slack.rst. Put what it says into mac-actors.env, and start the server again."""


def _check(place: str, called: str, root: bool) -> str:
    who = "Become root, as whom alone you can read the settings; have" if root else "Have"
    become = "       sudo -i\n" if root else ""
    return f"""{who} this shell know the settings, and check everything:

{become}       cd {place}
       set -a; . ./mac-actors.env; set +a
       {called} check"""


def _report(called: str, who: str) -> str:
    body = '{"machine_name": "table-saw", "oops": false, "rfid_value": "1000001", "uptime": 10}'
    return f"""{who}. The answer has "relay":true, and Ada's saw runs:

       curl -s localhost:{MAC_PORT.default}/api/machine/update -d '{body}'
       {called} status

   In a browser on any computer of your network: http://ADDRESS-OF-THIS-COMPUTER:{MAC_PORT.default}/"""
