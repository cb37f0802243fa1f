"""Trainers: users who hold one of a machine's ``trainers_or``. What they may do follows from what they hold now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mac_actors.core.config import Directory, MachineConfig, User


def trained_by(
    user: User | None, directory: Directory, machines: Iterable[MachineConfig], at: datetime
) -> list[MachineConfig]:
    """Return the machines for which this user may train others at this moment: none, if they are no trainer."""
    if user is None or directory.expired(user, at):
        return []
    held = user.held(at)
    return [machine for machine in machines if held & machine.trainers_or]


def teachable(machines: Iterable[MachineConfig]) -> frozenset[str]:
    """Return the authorizations that these machines ask for, of those who run them."""
    return frozenset().union(*(machine.teachable for machine in machines))


def asked_for(machines: Iterable[MachineConfig]) -> frozenset[str]:
    """Return all authorizations that mean something at these machines, to trainers too."""
    return frozenset().union(*(machine.teachable | machine.trainers_or for machine in machines))
