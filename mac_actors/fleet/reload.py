"""What a reload changes, and when it is refused because it would do harm."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mac_actors.core.config import Configuration, Directory, has_shrunk
from mac_actors.core.inputs import Removed
from mac_actors.errors import MachineUnavailable, ReloadRefused
from mac_actors.fleet.names import Names
from mac_actors.fleet.people.users import Users
from mac_actors.fleet.supervisor import Supervisor
from mac_actors.settings.warnings import warnings_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UsersChange:
    """What a reload changed in the users: how many were removed, updated, added."""

    removed: int
    updated: int
    added: int


@dataclass(frozen=True, slots=True)
class ReloadSummary:
    """What a reload changed: users, machines by name, and the machines whose power came on by it; and what is most
    likely not meant (:mod:`mac_actors.settings.warnings`).
    """

    users: UsersChange
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    powered_on: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in one line."""
        users = f"{self.users.added} added, {self.users.updated} changed, {self.users.removed} removed"
        machines = [
            f"{what} {', '.join(names)}"
            for what, names in (("added", self.added), ("changed", self.changed), ("removed", self.removed))
            if names
        ]
        powered = f"; power came on at {', '.join(self.powered_on)}" if self.powered_on else ""
        return f"users: {users}; machines: {', '.join(machines) or 'as before'}{powered}"


def _compare_users(old: Directory, new: Directory) -> UsersChange:
    """Count the users that were removed, updated and added, by account."""
    before = {user.account_id: user for user in old.users}
    after = {user.account_id: user for user in new.users}
    return UsersChange(
        removed=len(before.keys() - after.keys()),
        updated=sum(before[i] != after[i] for i in before.keys() & after.keys()),
        added=len(after.keys() - before.keys()),
    )


def reload(supervisor: Supervisor, users: Users, new: Configuration, *, machines: bool, force: bool) -> ReloadSummary:
    """Swap machines and users (``machines=False``: the users alone) for those of ``new``.

    Raises :class:`ReloadRefused`, having changed nothing, where it would do harm, unless ``force``.
    """
    with supervisor.lock:
        old = supervisor.configuration
        new = new if machines else replace(new, machines=old.machines, webhooks=old.webhooks, routing=old.routing)
        summary = ReloadSummary(
            _compare_users(users.people.file, new.directory),
            added=tuple(name for name in new.machines if name not in old.machines),
            changed=tuple(n for n, m in new.machines.items() if n in old.machines and m != old.machines[n]),
            removed=tuple(name for name in old.machines if name not in new.machines),
        )
        if not force:
            in_use = [name for name in summary.removed if supervisor.published[name][1].session]
            _refuse_harm(users.people.file, new.directory, summary.users.removed, in_use)
        stored = {name: supervisor.journal.store.load_state(name) for name in summary.added}
        conflicts = users.adopt(users.settle(new.directory))
        supervisor.configuration = new = replace(new, directory=users.people.directory)
        if machines:
            supervisor.machines_loaded_at = new.loaded_at
        for name in summary.added:
            supervisor.start(new.machines[name], stored[name])
        supervisor.names = Names(new.machines.values())  # whoever finds a machine by its name finds its actor too
        for name in summary.removed:
            with contextlib.suppress(MachineUnavailable):
                supervisor.ask(name, Removed(datetime.now(UTC)))
            supervisor.stop(name)
        summary = replace(summary, powered_on=supervisor.configure(), warnings=(*conflicts, *warnings_of(new)))
    for line in summary.warnings:
        log.warning("%s", line)
    return summary


def _refuse_harm(before: Directory, after: Directory, removed: int, in_use: list[str]) -> None:
    """Raise :class:`ReloadRefused` when more than half of 20 or more users, or all fobs of theirs, or a machine in use
    would go.
    """
    problems = []
    now = ((user, after.by_account.get(user.account_id)) for user in before.users)
    fobless = sum(bool(user.fob_codes and one and not one.fob_codes) for user, one in now)
    if has_shrunk(len(before.users), removed + fobless):
        fobs = f", and all fobs of {fobless}" if fobless else ""
        problems.append(
            f"the users file has lost {removed} of {len(before.users)} users{fobs}: "
            "is the export whole? ?force=1 takes it all the same"
        )
    if in_use:
        problems.append(
            f"a session runs on {', '.join(in_use)}, which the machines file no longer has: wait for its end, "
            "or ?force=1 removes the machine now (its reader keeps its relay as it is)"
        )
    if problems:
        raise ReloadRefused("; ".join(problems))
