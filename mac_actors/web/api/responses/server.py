"""The server itself, and what a reload of its files changed, as JSON."""

from __future__ import annotations

from mac_actors.web.api.request_models import Body


class ServiceBody(Body):
    """Which service this is."""

    name: str
    version: str


class HealthBody(Body):
    """The process is alive."""

    status: str


class ReadyBody(Body):
    """Whether the server can serve; ``problems`` say why not, ``notes`` what is wrong beside that."""

    ready: bool
    problems: dict[str, str]
    notes: dict[str, str]


class UsersChangeBody(Body):
    """How many users a reload removed, updated, added."""

    removed: int
    updated: int
    added: int


class MachinesChangeBody(Body):
    """Names of the machines that a reload added, changed, removed."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class ReloadBody(Body):
    """What a reload changed; ``powered_on`` names machines whose power came on by it.

    ``warnings`` are there with ``?details=1`` alone: what is most likely not meant, as a training that nobody has.
    """

    users: UsersChangeBody
    machines: MachinesChangeBody
    powered_on: list[str]
    warnings: list[str] | None = None
