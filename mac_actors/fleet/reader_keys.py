"""The readers' keys and nonces: who signed a report, and whether it is new; keys given, rotated and revoked."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from mac_actors import clock
from mac_actors.actors.journal import Journal
from mac_actors.core.config import MachineConfig
from mac_actors.core.signing import HEADER, KEY_BYTES, Key, ReaderKeys
from mac_actors.storage.records import Record, Unreadable, record_keys

log = logging.getLogger(__name__)

WRITE_SECONDS = 10.0
"""How long the disk may take: a key is shown only once it is there."""

NONCE_SECONDS = 60.0
"""How long a nonce is good: a report that somebody holds back on its way must not count hours later."""


class KeyRefused(Exception):  # noqa: N818 - it is an answer, not a failure
    """No signature, a wrong one, or a key that is there already, or is not; says what to do."""


@dataclass(frozen=True, slots=True)
class _Nonce:
    text: str
    made: float


class ReaderKeyring:
    """The keys of all readers. Any thread may call; a report never waits here.

    Nonces are in memory alone: after a restart of the server each reader is given a new one.
    """

    def __init__(self, journal: Journal, notify: Callable[[str], None]) -> None:
        self._journal = journal
        self._notify = notify
        self._nonces: dict[str, _Nonce] = {}
        self._lock = threading.Lock()
        self._changing = threading.Lock()
        """Held by an admin's call, which waits for the disk."""
        self._keys: dict[str, ReaderKeys] = {}
        for machine, stored in journal.store.reader_keys().items():
            if isinstance(stored, Unreadable):
                log.error("the key of %s can't be read (%s): its reader is refused. Rotate it", machine, stored.why)
                self._keys[machine] = ReaderKeys(_new_key())  # that nobody has
            else:
                self._keys[machine] = stored

    def __contains__(self, machine: object) -> bool:
        """Whether a machine's reader has a key."""
        return machine in self._keys

    def __bool__(self) -> bool:
        """Whether any reader has a key."""
        return bool(self._keys)

    def get(self, machine: str) -> ReaderKeys | None:
        """Return the keys of a machine's reader; ``None``: it has none, and reports unsigned."""
        return self._keys.get(machine)

    def machines(self) -> list[str]:
        """Return the machines whose readers have keys, also those that are configured no longer."""
        with self._lock:
            return list(self._keys)

    # for reports

    def signer(self, machine: str, signature: str | None, *parts: str | bytes) -> Key | None:
        """Return the key with which the reader has signed these parts; ``None``: it has no key, and did not sign.

        Raises :class:`KeyRefused`.
        """
        key = signer(self._keys.get(machine), machine, signature, *parts)
        if key is not None and key.used_since is None:
            self._note_use(machine, key)
        return key

    def spend(self, machine: str, nonce: str | None) -> tuple[bool, str]:
        """Whether a report with this nonce is new, and so counts; and the nonce for its reply.

        A nonce counts once. One that was not spent is given again: who repeats old reports disturbs nobody.
        """
        now = clock.seconds()
        with self._lock:
            given = self._nonces.get(machine)
            if given is not None and now - given.made > NONCE_SECONDS:
                given = None
            is_new = given is not None and given.text == nonce
            if given is None or is_new:
                given = self._nonces[machine] = _Nonce(secrets.token_hex(16), now)
            return is_new, given.text

    # for admins: they wait for the disk

    def add(self, machine: MachineConfig, origin: str) -> str:
        """Give the machine's reader a key, and return it as text.

        ``origin`` is who did it, as :func:`mac_actors.core.wording.origin` has it. As the following, raises
        :class:`KeyRefused`, and :class:`~mac_actors.errors.StorageError` when the disk does not take it: then nothing
        has changed.
        """
        with self._changing:
            if machine.name in self._keys:
                raise KeyRefused(f"the reader of {machine.name} has a key already: rotate it, or revoke it first")
            key = _new_key()
            self._change(machine.name, ReaderKeys(key))
        self._notify(
            f"{machine.display_name}: its reader has a key{origin}. Reports without it are refused from now on."
        )
        return key.secret.hex()

    def rotate(self, machine: MachineConfig, origin: str) -> str:
        """Give the machine's reader a new key, and return it as text; the one before is good until it is used."""
        with self._changing:
            key = _new_key()
            self._change(machine.name, self._present(machine).rotated(key))
        self._notify(
            f"{machine.display_name}: its reader gets a new key{origin}. The present one is good until that is used."
        )
        return key.secret.hex()

    def revoke(self, machine: MachineConfig, origin: str) -> None:
        """Take the machine's reader its keys: it reports unsigned from now on."""
        with self._changing:
            self._present(machine)
            self._change(machine.name, None)
        self._notify(
            f"{machine.display_name}: its reader has no key any more{origin}. Reports are taken unsigned again."
        )

    def _present(self, machine: MachineConfig) -> ReaderKeys:
        keys = self._keys.get(machine.name)
        if keys is None:
            raise KeyRefused(f"the reader of {machine.name} has no key: add one")
        return keys

    def _change(self, machine: str, keys: ReaderKeys | None) -> None:
        before = self._keys.get(machine)
        self._adopt(machine, keys)
        try:
            self._journal.write(Record(keys=(record_keys(machine, keys),)), WRITE_SECONDS)
        except BaseException:
            self._adopt(machine, before)
            self._journal.record(Record(keys=(record_keys(machine, before),)))  # the other may get there yet
            raise

    def _note_use(self, machine: str, key: Key) -> None:
        with self._lock:
            keys = self._keys.get(machine)
            if keys is None or key not in keys:
                return
            used = self._keys[machine] = keys.used(key, datetime.now(UTC))
            self._journal.record(Record(keys=(record_keys(machine, used),)))
        if keys.new == key:
            log.info("the reader of %s uses its new key: the one before is no longer good", machine)

    def _adopt(self, machine: str, keys: ReaderKeys | None) -> None:
        with self._lock:
            if keys is None:
                self._keys.pop(machine, None)
            else:
                self._keys[machine] = keys


def signer(keys: ReaderKeys | None, machine: str, signature: str | None, *parts: str | bytes) -> Key | None:
    """Return which of a reader's keys it has signed with; ``None``: it has none. Raises :class:`KeyRefused`."""
    if keys is None:
        if signature is None:
            return None
        raise KeyRefused(f"signed, but the server has no key of {machine}: 'mac-actors readers add' makes one")
    if signature is None:
        raise KeyRefused(f"not signed ({HEADER}): the reader of {machine} has a key, and no token replaces it")
    key = keys.signer(signature, *parts)
    if key is None:
        raise KeyRefused(f"not signed ({HEADER}) with the key of {machine}, or changed on its way")
    return key


def _new_key() -> Key:
    return Key(secrets.token_bytes(KEY_BYTES), datetime.now(UTC))
