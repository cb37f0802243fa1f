"""A real PostgreSQL of the tests' own, and a fresh database in it for each test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from mac_actors.storage.postgres.database import migrate
from tests.e2e.processes import free_port
from tests.fakes import PATIENCE, wait_until
from tests.faults.disk import Knobs, library

USER, PASSWORD = "mac", "a-secret-of-the-database"


def _programs() -> Path | None:
    """Return where the newest server's programs are; ``None``: there are none of version 15 or later."""
    found = [
        (int(path.parent.parent.name), path.parent) for path in Path("/usr/lib/postgresql").glob("[1-9]*/bin/initdb")
    ]
    if (version := max(found, default=(0, None)))[0] >= 15:
        return version[1]
    path = shutil.which("initdb")
    return Path(path).parent if path else None


PROGRAMS = _programs()

needs_postgres = pytest.mark.skipif(
    PROGRAMS is None and "CI" not in os.environ,
    reason="PostgreSQL 15 or later is not on this computer (Debian: apt install postgresql)",
)

_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


class Cluster:
    """A PostgreSQL server on a port of its own; by its socket nobody needs a password. ``durable``: as in real life.

    ``options`` are more of its settings, each as ``name=value``. :meth:`standby` makes another one that follows it.
    """

    def __init__(self, *options: str, durable: bool = False) -> None:
        self._prepare()
        (password := self.directory / "password").write_text(PASSWORD)
        password.chmod(0o644)
        methods = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}")
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", *methods)
        self._write("shared_buffers=16MB", "max_connections=200", *(() if durable else _QUICK), *options)
        self.start()
        with self.admin() as connection:
            connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")

    def _prepare(self) -> None:
        assert PROGRAMS, "PostgreSQL is missing: .ci/run installs it"
        self.user: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": ()} if os.geteuid() == 0 else {}
        )
        self.directory = Path(tempfile.mkdtemp(prefix="mac-postgres-"))
        if self.user:
            shutil.chown(self.directory, "postgres", "postgres")
        self.data = self.directory / "data"
        self.port = free_port()
        self.environment: dict[str, str] = {}
        """Variables that it is started with beside those of this process."""
        self._command = [str(PROGRAMS / "postgres"), "-D", str(self.data)]
        self._databases = 0

    def _write(self, *settings: str) -> None:
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            for setting in (f"unix_socket_directories={self.directory}", "listen_addresses=127.0.0.1", *settings):
                name, _, value = setting.partition("=")
                file.write(f"{name} = '{value}'\n")
            file.write(f"port = {self.port}\n")

    def standby(self) -> Cluster:
        """Make a standby, and have commits wait for it from now on; to be removed before this one."""
        standby = Cluster.__new__(Cluster)
        standby._prepare()
        self.run("pg_basebackup", "-D", str(standby.data), "-d", self.url("", "postgres"), "-R", "-c", "fast", "-N")
        standby._write()
        standby.start()
        with closing(self.admin()) as connection:
            following = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
            wait_until(lambda: connection.execute(following).fetchone() == (1,))
            for setting in ("synchronous_standby_names = '*'", "synchronous_commit = on"):
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
            wait_until(lambda: connection.execute("SHOW synchronous_commit").fetchone() == ("on",))
        return standby

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs as its user, and return what it prints."""
        assert PROGRAMS
        command = [str(PROGRAMS / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", **self.user)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        with (self.directory / "log").open("ab") as log:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd="/", env={**os.environ, **self.environment}, **self.user
            )
        wait_until(self.answers)

    def answers(self) -> bool:
        """Whether it takes connections."""
        with suppress(psycopg.OperationalError):
            self.admin().close()
            return True
        assert self.process.poll() is None, (self.directory / "log").read_text()
        return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: fast; with ``SIGQUIT`` as in a crash. It can be started again."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(how)
        self.process.wait(PATIENCE)

    def remove(self) -> None:
        """Stop it for good, and remove all that it has."""
        if self.process.poll() is None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory)

    def admin(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser; each statement is a transaction of its own."""
        return psycopg.connect(self.url(database, "postgres"), autocommit=True)

    def url(self, database: str, user: str = USER) -> str:
        """Return the address of a database by the socket, where no password is asked for."""
        return f"postgresql://{user}@/{database}?host={self.directory}&port={self.port}"

    def tcp_url(self, database: str, password: str = PASSWORD) -> str:
        """Return the address of a database by TCP, with the password that is asked for there."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0", name: str | None = None) -> str:
        """Make a database that belongs to :data:`USER`, and return its name."""
        self._databases += 1
        name = name or f"mac_{self._databases}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        with closing(self.admin()) as connection:
            connection.execute(statement.format(*map(sql.Identifier, (name, template, USER))))
        return name

    def create_with_tables(self) -> str:
        """Make one with the tables of mac-actors, and return its name."""
        name = self.create()
        migrate(self.url(name))
        return name

    def break_disk(self) -> Knobs:
        """Start it anew on a disk that can be, where the tables are, what the knobs say."""
        knobs = Knobs(self.directory, self.data / "base")
        (self.directory / "knobs").chmod(0o666)
        shim = shutil.copy(library(), self.directory / "shim.so")
        self.environment = {"LD_PRELOAD": str(shim), **knobs.environment()}
        self.stop()
        self.start()
        return knobs

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        with closing(self.admin()) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def clean(self, name: str) -> None:
        """Have the tables of a database as they are when they are new, whoever owned it."""
        with closing(self.admin(name)) as connection:
            for (table,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall():
                if table not in {"migration", "part", "beat"}:
                    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            connection.execute("UPDATE part SET epoch = 0, incarnation = '', batch = 0, owner = ''")
            connection.execute("UPDATE beat SET epoch = 0, beat = 0, released = true, alone = false, seconds = 0")
