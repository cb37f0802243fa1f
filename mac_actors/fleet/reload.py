"""What a reload changes, and when it is refused because it would do harm."""

from __future__ import annotations

from dataclasses import dataclass

from mac_actors.core.config import Directory, has_shrunk
from mac_actors.errors import ReloadRefused


@dataclass(frozen=True, slots=True)
class UsersChange:
    """What a reload changed in the users: how many were removed, updated, added."""

    removed: int
    updated: int
    added: int


@dataclass(frozen=True, slots=True)
class ReloadSummary:
    """What a reload changed: users, machines by name, and the machines whose power came on by it."""

    users: UsersChange
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    powered_on: tuple[str, ...] = ()

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


def compare_users(old: Directory, new: Directory) -> UsersChange:
    """Count the users that were removed, updated and added, by account."""
    before = {user.account_id: user for user in old.users}
    after = {user.account_id: user for user in new.users}
    return UsersChange(
        removed=len(before.keys() - after.keys()),
        updated=sum(before[i] != after[i] for i in before.keys() & after.keys()),
        added=len(after.keys() - before.keys()),
    )


def refuse_harm(users_before: int, users: UsersChange, in_use: list[str]) -> None:
    """Raise :class:`ReloadRefused` when more than half of 20 or more users or a machine in use would go."""
    problems = []
    if has_shrunk(users_before, users.removed):
        problems.append(
            f"the users file has lost {users.removed} of {users_before} users: "
            "is the export whole? ?force=1 takes it all the same"
        )
    if in_use:
        problems.append(
            f"a session runs on {', '.join(in_use)}, which the machines file no longer has: wait for its end, "
            "or ?force=1 removes the machine now (its reader keeps its relay as it is)"
        )
    if problems:
        raise ReloadRefused("; ".join(problems))
