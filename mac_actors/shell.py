"""A Python shell with the fleet open in it: IPython where it is installed, else Python's own with completion."""

from __future__ import annotations

import code
import contextlib
import difflib
import keyword
import logging
import re
import sys
import termios
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import mac_actors
from mac_actors.core.snapshot import tally
from mac_actors.errors import MacError
from mac_actors.fleet.protocol import AnyFleet, Machine
from mac_actors.version import VERSION


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return each name under a name of Python's own: ``metal-mill`` under ``metal_mill``; no two are equal."""
    found: dict[str, str] = {}
    for name in names:
        word = re.sub(r"\W", "_", name).lstrip("_") or "machine"
        if not word.isidentifier() or keyword.iskeyword(word):
            word = f"m_{word}"
        number, unique = 1, word
        while unique in found:
            number += 1
            unique = f"{word}_{number}"
        found[unique] = name
    return found


class NoSuchName(MacError, AttributeError):  # noqa: N818 - like the package's other errors
    """No machine has this name in the shell."""


class Machines:
    """Each machine as an attribute that completion shows: ``m.metal_mill`` is ``fleet["metal-mill"]``."""

    def __init__(self, fleet: AnyFleet) -> None:
        self._fleet = fleet

    def __getattr__(self, word: str) -> Machine:
        """Return the machine; its alias, written so, is understood too."""
        if word.startswith("__"):
            raise AttributeError(word)
        machines = self._fleet.snapshots()
        named = identifiers(machine.name for machine in machines)
        aliased = identifiers(machine.alias.casefold() for machine in machines if machine.alias)
        name = named.get(word) or aliased.get(word)
        if name is None:
            near = difflib.get_close_matches(word, named | aliased, 2)
            hint = f"did you mean m.{' or m.'.join(near)}?" if near else "m lists all"
            raise NoSuchName(f"no machine is called m.{word}: {hint}")
        return self._fleet[name]

    def __dir__(self) -> list[str]:
        """Return a name for each machine."""
        return list(identifiers(self._fleet))

    def __repr__(self) -> str:
        """List all machines and what they do."""
        machines = self._fleet.snapshots()
        words = identifiers(machine.name for machine in machines)
        width = max(map(len, words), default=0)
        lines = (f"m.{word:{width}}  {machine.status}" for word, machine in zip(words, machines, strict=True))
        return "\n".join(lines)


def namespace(fleet: AnyFleet) -> dict[str, Any]:
    """Return what is there from the start: ``fleet``, ``m``, and the package's public names."""
    public = {name: getattr(mac_actors, name) for name in mac_actors.__all__}
    return {**public, "fleet": fleet, "m": Machines(fleet), "__name__": "__main__", "__doc__": None}


def banner(fleet: AnyFleet, where: str) -> str:
    """Return the first lines: what is there, ``where`` it acts, three examples."""
    machines = fleet.snapshots()
    word = next(iter(identifiers(machine.name for machine in machines)), "some_machine")
    return f"""mac-actors {VERSION}, {tally(machines)}. {where}
fleet is all machines; m has each by its name: m.{word} (Tab completes). For example:
    m.{word}.lock(by="me", reason="belt").get()
    [s.name for s in fleet.snapshots() if s.status == "in_use"]
    fleet.subscribe(print)    # every outcome, as it happens
Ctrl-D leaves."""


def run_script(text: str, name: str, names: dict[str, Any]) -> bool:
    """Run a script; returns whether it went well. A mistake in it is shown; errors of the package are raised."""
    try:
        exec(compile(text, name, "exec"), names)  # noqa: S102 - what the user asked for
    except MacError:
        raise
    except Exception as error:
        traceback.print_exception(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))
        return False
    return True


def run(names: dict[str, Any], greeting: str) -> None:
    """Give the user a prompt, until Ctrl-D or ``exit()``. The terminal is left as it was."""
    with _log_at_prompt() as log, _terminal_restored(), contextlib.suppress(SystemExit):
        ipython = _ipython()
        if ipython is None:
            _run_plain(names, greeting, log)
        else:
            _run_ipython(ipython, names, greeting, log)


def _ipython() -> Any:
    """Return IPython's application class, ``None`` where it is not installed."""
    try:
        from IPython.terminal.ipapp import TerminalIPythonApp
    except ImportError:
        return None
    return TerminalIPythonApp


class PromptLog(logging.Handler):
    """Keeps warnings until the next prompt, so that they don't get in between what is being typed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("[%(asctime)s %(levelname)s] %(message)s", "%H:%M:%S"))
        self._lines: deque[str] = deque(maxlen=100)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line; of many the last hundred. A trace is not for here."""
        record.exc_info, record.exc_text = None, None
        self._lines.append(self.format(record))

    def show(self, *_: object) -> None:
        """Write what was kept."""
        while self._lines:
            sys.stderr.write(self._lines.popleft() + "\n")


@contextlib.contextmanager
def _log_at_prompt() -> Iterator[PromptLog]:
    log = PromptLog()
    logging.getLogger().addHandler(log)
    try:
        yield log
    finally:
        logging.getLogger().removeHandler(log)
        log.show()


_terminal: list[Any] | None = None


@contextlib.contextmanager
def _terminal_restored() -> Iterator[None]:
    global _terminal
    with contextlib.suppress(termios.error):
        _terminal = termios.tcgetattr(0)
    try:
        yield
    finally:
        restore_terminal()


def restore_terminal() -> None:
    """Make the terminal what it was before :func:`run`; may be called from any thread, when the prompt is cut off."""
    with contextlib.suppress(termios.error):  # it is gone
        if _terminal is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, _terminal)


class _Console(code.InteractiveConsole):
    def __init__(self, names: dict[str, Any], log: PromptLog) -> None:
        super().__init__(names)
        self._log = log

    def raw_input(self, prompt: str = "") -> str:
        self._log.show()
        return super().raw_input(prompt)

    def showtraceback(self) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, MacError):
            self.write(_plain(error))
        else:
            super().showtraceback()


def _plain(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}\n"


def _run_plain(names: dict[str, Any], greeting: str, log: PromptLog) -> None:
    with contextlib.suppress(ImportError):
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    _Console(names, log).interact(greeting, exitmsg="")


def _run_ipython(app_class: Any, names: dict[str, Any], greeting: str, log: PromptLog) -> None:
    from traitlets.config import Config

    config = Config()
    config.TerminalInteractiveShell.banner1 = greeting + "\n"
    config.TerminalInteractiveShell.banner2 = ""
    config.TerminalInteractiveShell.enable_tip = False
    config.TerminalInteractiveShell.confirm_exit = False
    config.Completer.use_jedi = False  # it reads code; our names are found by asking the objects
    app = app_class.instance(config=config, user_ns=names)
    app.initialize([])

    def show(_shell: object, _kind: object, error: BaseException, _trace: object, tb_offset: object = None) -> None:
        sys.stderr.write(_plain(error))

    app.shell.set_custom_exc((MacError,), show)
    app.shell.events.register("post_run_cell", log.show)
    app.start()
