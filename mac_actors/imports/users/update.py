"""The users file: what an import changes in it, and how it is written so that it is always whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mac_actors.core.config import has_shrunk
from mac_actors.errors import MacError
from mac_actors.imports.users.people import masked
from mac_actors.settings.files import users_of
from mac_actors.settings.user_entries import UserEntry
from mac_actors.storage.sqlite.files import hand_over, sync

PREVIOUS = ".previous"
"""What is added to the name of the users file for the one before."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an import does to one user: ``added``, ``removed`` or ``changed``, and what of them."""

    what: str
    user: UserEntry
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """A users file as it is to be; ``before`` is the text that is there now (``None``: no file)."""

    path: Path
    before: bytes | None
    old: tuple[UserEntry, ...]
    new: tuple[UserEntry, ...]
    changes: tuple[Change, ...]

    def count(self, what: str) -> int:
        """Return how many users are added, removed or changed."""
        return sum(change.what == what for change in self.changes)

    def refuse_loss(self) -> None:
        """Raise :class:`MacError` when so many users would go that the source is probably not whole; or all."""
        removed = self.count("removed")
        if has_shrunk(len(self.old), removed) or (self.old and not self.new):
            raise MacError(
                f"nothing was changed: {removed} of {len(self.old)} users would go. "
                "Is the source whole? --force takes it all the same"
            )


def present_users(path: Path, *, force: bool = False) -> tuple[bytes | None, tuple[UserEntry, ...]]:
    """Read the users file that is there: its bytes, and its users; no file is no users.

    Raises :class:`~mac_actors.errors.ConfigError` when it is not right; with ``force`` it counts as empty.
    """
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        return None, ()
    except OSError as error:
        raise MacError(f"cannot read {path}: {error.strerror}. Run this as a user that may.") from error
    try:
        return before, tuple(users_of(path))
    except MacError:
        if force:
            return before, ()
        raise


def compare(path: Path, before: bytes | None, old: Sequence[UserEntry], new: Sequence[UserEntry]) -> Update:
    """Say what changes, user by user, by account; the order of users, fobs and authorizations does not count."""
    was = {user.account_id: user for user in old}
    becomes = {user.account_id: user for user in new}
    changes = [Change("removed", user, _details(user, None)) for i, user in was.items() if i not in becomes]
    changes += [Change("added", user, _details(None, user)) for i, user in becomes.items() if i not in was]
    changes += [
        Change("changed", user, details)
        for i, user in becomes.items()
        if i in was and (details := _details(was[i], user))
    ]
    return Update(path, before, tuple(old), tuple(new), tuple(changes))


def _details(old: UserEntry | None, new: UserEntry | None) -> tuple[str, ...]:
    """Say which fields differ; fobs by their last characters, authorizations by name."""
    lists = (("fob", "fob_codes"), ("authorization", "authorizations"))
    details: list[str] = []
    for word, name in lists:
        was, becomes = (set(getattr(user, name)) if user else set() for user in (old, new))
        show = masked if name == "fob_codes" else str
        details += [f"−{word} {show(value)}" for value in sorted(was - becomes)]
        details += [f"+{word} {show(value)}" for value in sorted(becomes - was)]
    if old and new:
        for name in UserEntry.model_fields:
            was, becomes = getattr(old, name), getattr(new, name)
            if name not in dict(lists).values() and was != becomes:
                details.append("email" if name == "email" else f"{name}: {was or 'nothing'} → {becomes or 'nothing'}")
    elif new and new.oops_override:
        details.append("oops_override")
    return tuple(details)


def write(update: Update) -> Path | None:
    """Put the new file in the place of the old one, in one step; the old one is kept, and its path returned.

    Whatever fails, the old file stays. Raises :class:`MacError`: no room, no right to write, or somebody else has
    changed the file meanwhile.
    """
    path = update.path.resolve()  # a symlink stays one
    text = json.dumps([user.model_dump() for user in update.new], ensure_ascii=False, indent=2) + "\n"
    kept = path.with_name(path.name + PREVIOUS) if update.before is not None else None
    try:
        with _beside(path, text.encode()) as made:
            users_of(made)  # what would not be taken by the server is never put in place
            if (path.read_bytes() if path.exists() else None) != update.before:
                raise MacError(f"nothing was changed: {path} was changed by somebody else meanwhile. Try again.")
            if kept and update.before is not None:
                with _beside(path, update.before) as copy:
                    copy.replace(kept)
            made.replace(path)
            sync(path.parent)
    except OSError as error:
        raise MacError(
            f"cannot write {path}: {error.strerror}. Is there room on the disk, and may this user write there? "
            "The users file is as it was."
        ) from error
    return kept


@contextmanager
def _beside(path: Path, content: bytes) -> Iterator[Path]:
    """Write a file beside ``path`` that may take its place: on disk, with its mode and owner. What is left goes."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    made = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            made.chmod(0o640)
            hand_over(made, path if path.exists() else path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield made
    finally:
        made.unlink(missing_ok=True)
