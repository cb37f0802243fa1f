"""What works and should be otherwise: open to the network, easy to guess, to be written by all, misspelt, too few."""

from __future__ import annotations

import ipaddress
import os
import resource
import stat
from collections.abc import Collection, Container, Iterator
from difflib import get_close_matches
from pathlib import Path

from mac_actors.core.text import count
from mac_actors.settings import Settings
from mac_actors.settings.environment import MAC_ADMIN_TOKEN, MAC_READER_TOKEN, VARIABLES
from mac_actors.storage.sqlite.engine import DATABASE

SHORTEST, FEWEST = 16, 6
"""Characters of a token, and different ones among them, from which on nobody guesses it by trying."""

FILES = 1024
"""Files and connections that may be open at once in a usual installation; each reader and browser is one."""


def exposures(settings: Settings, machines: Collection[str], keyed: Container[str]) -> Iterator[str]:
    """Say each in one line, with what to do; ``keyed``: the machines whose readers have keys."""
    unkeyed = [name for name in machines if name not in keyed]
    all_have_keys = machines and not unkeyed
    if settings.tokens.reader is None and not all_have_keys and not _only_this_computer(settings.host):
        which = "any machine"
        if len(unkeyed) < len(machines):
            which = f"the {count(len(unkeyed), 'machine')} of {len(machines)} whose readers have no key"
        yield (
            f"MAC_READER_TOKEN is not set: whoever reaches {settings.host} port {settings.port} can report for "
            f"{which}. Set it on the server and in the readers (docs/security.rst)"
        )
    tokens = {MAC_ADMIN_TOKEN.name: settings.tokens.admin, MAC_READER_TOKEN.name: settings.tokens.reader}
    for name, token in tokens.items():
        if token and (len(token) < SHORTEST or len(set(token)) < FEWEST):
            yield (
                f"{name} is easy to guess ({count(len(token), 'character')}, {len(set(token))} different): take at "
                f"least {SHORTEST}, for example from 'openssl rand -hex 32'"
            )
    if settings.tokens.admin and settings.tokens.admin == settings.tokens.reader:
        yield "MAC_ADMIN_TOKEN is MAC_READER_TOKEN: whoever opens a reader has the admins' secret. Take another one"
    for path in _writable_by_all(settings):
        yield f"everybody on this computer can write {path}, and so decide who may use what: chmod o-w {path}"
    known = [variable.name for variable in VARIABLES]
    for name in os.environ.keys() - known:
        if nearest := get_close_matches(name.upper(), known, 1, 0.88):
            yield f"the environment has {name!r}, which is no variable of this server: is {nearest[0]} meant?"
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if open_files != resource.RLIM_INFINITY and open_files < FILES:
        yield (
            f"only {open_files} files and connections may be open at once: with many readers and browsers some are "
            f"turned away. Allow {FILES} or more (ulimit -n, LimitNOFILE=)"
        )


def _only_this_computer(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _writable_by_all(settings: Settings) -> Iterator[Path]:
    """Yield files that decide, and directories in which anybody could put another file in their place."""
    database = settings.state_dir / DATABASE
    files = [settings.machines_config, settings.users_config, database, settings.tls_cert, settings.tls_key]
    files.append(settings.reader_api_keys)
    known = [path for path in files if path is not None]
    for path in dict.fromkeys([*known, *(path.absolute().parent for path in known)]):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # there is none yet, or it is said elsewhere
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            yield path
