"""The exceptions of the package. A refusal (no authorization, already oopsed) is a value, never one of these.

::

    MacError
    ├── ConfigError          a file, a variable or an option is wrong: what, where, what is expected
    ├── UnknownMachine       no machine of this name or alias (also a LookupError)
    ├── UnknownPerson        nobody, or more than one, is called so (also a LookupError)
    ├── UnknownUser          no user has this account id, e-mail address or name (also a LookupError)
    ├── UnknownAuthorization no machine asks for it (also a LookupError)
    ├── NotAllowed           a trainer may not do this
    ├── UserRefused          a change of a user that can't be: the fob is somebody else's
    ├── MachineUnavailable   a machine's actor did not answer; try again
    │   └── FleetClosed      the fleet was closed: open it anew
    ├── ReloadRefused        a reload that would do harm; ``force`` does it all the same
    ├── StorageError         the state directory can't be used
    │   └── DirectoryInUse   by another process
    ├── ServerError          the server that a command talks to refused or could not be reached
    │   └── NoServer         it could not be reached
    └── ChatError            the chat refused a post, or a receiver of webhooks an event
        └── EventRefused     this event alone
"""

from __future__ import annotations

from collections.abc import Sequence


class MacError(Exception):
    """Base of all errors of this package. Its text says what to do next."""


class ConfigError(MacError):
    """A configuration file or variable is wrong; ``problems`` has one line for each mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def _short(name: str) -> str:
    return name if len(name) <= 80 else name[:80] + "…"


class UnknownMachine(MacError, LookupError):  # noqa: N818 - the contract's name
    """No machine has this name or alias; ``suggestions`` are the nearest ones."""

    def __init__(self, name: str, suggestions: Sequence[str] = ()) -> None:
        hint = f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
        super().__init__(f"No such machine: {_short(name)}" + (f".{hint}" if hint else ""))
        self.name = name
        self.suggestions = tuple(suggestions)


class UnknownPerson(MacError, LookupError):  # noqa: N818 - like its neighbour
    """Nobody is called so, or ``several`` are; ``candidates`` are those who may be meant, as ``ID (NAME)``."""

    def __init__(self, name: str, candidates: Sequence[str] = (), *, several: bool = False) -> None:
        listed = ", ".join(candidates)
        if several:
            text = f"{_short(name)} may be any of {listed}: say which by account id. Nothing was changed"
        else:
            text = f"nobody is called {_short(name)} in users.json or in the journal: give the account id, the e-mail "
            text += "address or the full name"
            text += f". Did you mean {listed}?" if listed else ""
        super().__init__(text)
        self.candidates = tuple(candidates)
        self.several = several


class UnknownUser(MacError, LookupError):  # noqa: N818 - like its neighbour
    """No user is called so; ``candidates`` are those of whom several are."""

    def __init__(self, name: str, candidates: Sequence[str] = ()) -> None:
        hint = f". It may be {' or '.join(candidates)}: say which by account id" if candidates else ""
        super().__init__(f"No such user: {_short(name)}{hint}")
        self.name = name
        self.candidates = tuple(candidates)


class UnknownAuthorization(MacError, LookupError):  # noqa: N818 - like its neighbour
    """No machine asks for this authorization; ``nearest`` is what may be meant."""

    def __init__(self, name: str, nearest: str | None = None) -> None:
        hint = f": did you mean {nearest!r}?" if nearest else ", and none that one asks for is like it"
        super().__init__(f"no machine asks for the authorization {_short(name)!r}{hint}")
        self.name = name
        self.nearest = nearest


class NotAllowed(MacError):  # noqa: N818 - a state of affairs
    """What a trainer may not do: says whom to ask."""


class UserRefused(MacError):  # noqa: N818 - a state of affairs
    """A change of a user that can't be made, and changed nothing: says why."""


class MachineUnavailable(MacError):  # noqa: N818 - the contract's name
    """A machine's actor did not answer in time, or is being restarted. Trying again is safe."""


class FleetClosed(MachineUnavailable):
    """The fleet was closed, and its actors with it; open it anew."""


class ReloadRefused(MacError):  # noqa: N818 - a state of affairs, like its neighbours
    """A reload would do harm (many users gone, a machine in use gone); the running configuration stays."""


class StorageError(MacError):
    """The state directory can't be used: in use by another process, not writable, or damaged."""


class DirectoryInUse(StorageError):  # noqa: N818 - a state of affairs
    """Another process has the state directory; ``pid`` is its number, as text."""

    def __init__(self, message: str, pid: str) -> None:
        super().__init__(message)
        self.pid = pid


class ServerError(MacError):
    """The server could not be reached, or refused; ``status`` is then the HTTP status of its answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NoServer(ServerError):  # noqa: N818 - a state of affairs
    """Nobody answers where the server should be."""


class ChatError(MacError):
    """The chat refused a post. ``retry_after`` is in seconds; ``None`` means that trying again does not help.

    ``lasting``: it refuses this post, or this channel, until somebody mends something; else it may take it any time.
    """

    def __init__(self, message: str, retry_after: float | None = None, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.lasting = lasting


class EventRefused(ChatError):  # noqa: N818 - a state of affairs
    """A receiver of webhooks can be reached, and refused this event: it may take others."""
