"""What all tests have in common: nothing may go wrong unnoticed in an actor, nothing may be left running."""

from __future__ import annotations

import dataclasses
import functools
import gc
import json
import logging
import os
import pkgutil
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

import mac_actors
from mac_actors.actors.notifier import Chat
from mac_actors.cli import main
from mac_actors.service.service import Service
from mac_actors.settings import Settings
from tests.e2e.processes import environment
from tests.fakes import PATIENT_BUDGET, sample_machines, sample_users, wait_until
from tests.places import Place
from tests.postgres import Cluster, needs_postgres
from tests.web.client import Running

if TYPE_CHECKING:
    from _typeshed import TraceFunction

MakeServer = Callable[..., Running]
Here = Callable[..., CompletedProcess[str]]

# On a busy machine one example may take any time: what hangs is ended by the timeout of the test. The quick examples
# are the same in each run, so that a change is never refused for what it did not touch: "nightly" looks for new ones.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=50, stateful_step_count=40, derandomize=True)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=2000, stateful_step_count=100)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def _trace_patiently() -> None:
    """Have a thread that starts while another one does wait for its turn to be traced, where coverage is measured.

    Python 3.11 lets no two threads install a trace function at once, and ends the second one.
    """
    settrace = sys.settrace

    def patient(function: Any) -> None:
        while True:
            try:
                return settrace(function)
            except RuntimeError:
                time.sleep(0)

    sys.settrace = patient


def _import_the_package() -> None:
    """Have the tracer see the lines that run on import: while tests are collected, it looks at nothing."""
    for module in pkgutil.walk_packages(mac_actors.__path__, "mac_actors."):
        if not module.name.endswith("__main__"):
            __import__(module.name)


@contextmanager
def _tracing(tracer: TraceFunction | None, threads: TraceFunction | None) -> Iterator[None]:
    before = sys.gettrace(), threading.gettrace()
    sys.settrace(tracer)
    threading.settrace(threads)
    try:
        yield
    finally:
        sys.settrace(before[0])
        threading.settrace(before[1])


def _untraced() -> AbstractContextManager[None]:
    """Measure no coverage, in this thread and those that it starts: code takes up to three times as long otherwise."""
    return _tracing(None, None)


@contextmanager
def _traced_inside(handle: Any) -> Iterator[None]:
    """Measure what a test of Hypothesis does, but not how Hypothesis finds the examples."""
    inner, tracers = handle.inner_test, (sys.gettrace(), threading.gettrace())

    @functools.wraps(inner)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with _tracing(*tracers):
            return inner(*args, **kwargs)

    handle.inner_test = traced
    try:
        with _untraced():
            yield
    finally:
        handle.inner_test = inner


def _measures_core_alone(config: pytest.Config) -> bool:
    """Whether it is only asked whether the tests of the core cover it: all others are a third quicker then."""
    return bool(config.getoption("cov_source", None) == ["mac_actors/core"])


def pytest_configure(config: pytest.Config) -> None:
    if sys.version_info < (3, 12):
        _trace_patiently()
    if sys.gettrace() is not None:
        _import_the_package()
    # Started in the background of a script, Ctrl-C is ignored, and the commands under test would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "actor_dies: an actor dies in this test, and pykka may say so in the log")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without looking for garbage: what is collected stays, and looking takes a quarter of the time."""
    if _measures_core_alone(session.config):
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)  # by which other processes of Python measure themselves
    gc.disable()
    try:
        with _untraced():
            return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    elsewhere = _measures_core_alone(item.config) and not item.nodeid.startswith("tests/core/")
    with _untraced() if elsewhere or item.get_closest_marker("untraced") else nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    measured = sys.gettrace() is not None and getattr(pyfuncitem.obj, "is_hypothesis_test", False)
    with _traced_inside(pyfuncitem.obj.hypothesis) if measured else nullcontext():
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names of tests that differ from process to process: tests are divided among several by their names.

    Those that may take long come first: no process is to begin one when the others are done.
    """
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    for item in items:
        assert "frozenset(" not in item.nodeid, f"{item.nodeid}: give its parameters ids that hold no set"
        assert not re.search(r" at 0x[0-9a-f]{6}", item.nodeid), f"{item.nodeid}: give its parameters ids"


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


@pytest.fixture(autouse=True)
def no_actor_fails_unnoticed(request: pytest.FixtureRequest) -> Iterator[None]:
    errors = _Errors()
    logging.getLogger("pykka").addHandler(errors)
    try:
        yield
    finally:
        logging.getLogger("pykka").removeHandler(errors)
    if request.node.get_closest_marker("actor_dies") is None:
        assert not errors.messages, "an actor died: " + "\n".join(errors.messages)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [t.name for t in threading.enumerate() if t not in before and not t.daemon and t.is_alive()]
    assert not left, f"threads that keep the process alive: {left}"


def write_sample(directory: Path) -> Settings:
    """Write the sample shop's files unless they are there, and return the settings for a server on them."""
    machines, users = directory / "machines.json", directory / "users.json"
    if not machines.exists():
        machines.write_text(json.dumps(sample_machines()), encoding="utf-8")
        users.write_text(json.dumps(sample_users()), encoding="utf-8")
    state = directory / "state"
    return Settings(machines, users, state, host="127.0.0.1", port=0, commit_budget=PATIENT_BUDGET)


def start_server(directory: Path, chat: Chat | None = None, **settings: Any) -> Running:
    """Start a server on the files in ``directory`` (made if they are not there)."""
    base = write_sample(directory)
    service = Service(dataclasses.replace(base, **settings), chat)
    service.server.expiration_interval = 0.02  # how often it looks for late clients, and whether it is to stop
    service.start()
    return Running(service)


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Start servers with the given settings on one directory; they are stopped at the end."""
    before = set(threading.enumerate())
    started: list[Running] = []

    def make(chat: Chat | None = None, **settings: Any) -> Running:
        started.append(start_server(tmp_path, chat, **settings))
        return started[-1]

    yield make
    for running in started:
        running.stop()
    wait_until(lambda: not [t for t in threading.enumerate() if t not in before])


@pytest.fixture
def server(make_server: MakeServer) -> Running:
    """A server of the sample shop, as a fresh install has it: no tokens, names hidden."""
    return make_server()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests of a module, for those that leave no trace in it."""
    running = start_server(tmp_path_factory.mktemp("shared"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server, which all tests of this process share."""
    running = Cluster()
    yield running
    running.remove()


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[str]:
    """The address of a database on it with nothing in it."""
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture(scope="session")
def _shared_database(cluster: Cluster) -> str:
    return cluster.create_with_tables()


@pytest.fixture
def database(cluster: Cluster, _shared_database: str) -> Iterator[str]:
    """The address of a PostgreSQL database with tables, and nothing in them."""
    yield cluster.url(_shared_database)
    cluster.clean(_shared_database)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place for a database on one of the engines: each test is run with both."""
    return Place(tmp_path if request.param == "sqlite" else request.getfixturevalue("database"))


def _set_zone(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


@pytest.fixture
def local_zone() -> Iterator[Callable[[str], None]]:
    """Set the local time zone for one test."""
    before = os.environ.get("TZ")
    yield _set_zone
    _set_zone(before)


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Keep what a command sets for its whole process: the umask, the time zone, and how is logged."""
    umask = os.umask(0)
    os.umask(umask)
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {root: root.level}
    zone = os.environ.get("TZ")
    logging.getLogger("mac_actors.cluster")  # made by then, so that its level is among those that are put back
    levels |= {one: one.level for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger)}
    try:
        yield
    finally:
        os.umask(umask)
        _set_zone(zone)
        root.handlers[:] = handlers
        for logger, level in levels.items():
            logger.setLevel(level)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Run a command of mac-actors as :func:`tests.e2e.processes.run` does, in this process: as quick as a function."""

    def run(*arguments: str, cwd: Path, **variables: str) -> CompletedProcess[str]:
        with monkeypatch.context() as patch, _as_it_was():
            patch.chdir(cwd)
            for name in os.environ.keys() - environment().keys():
                patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(name, value)
            capfd.readouterr()
            try:
                main(arguments, prog_name="mac-actors")
            except SystemExit as end:
                status = end.code
        said = capfd.readouterr()
        return CompletedProcess(arguments, status if isinstance(status, int) else 1, said.out, said.err)

    return run
