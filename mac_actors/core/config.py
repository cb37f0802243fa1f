"""Machines and users as the decisions see them: frozen, and already validated at the edge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from unicodedata import category, normalize

from mac_actors.core.routing import AT_ONCE, Routing
from mac_actors.core.text import DASHES, INVISIBLE, character, one_line

REPORT_SECONDS = 10.0
"""How often readers report, unless it is configured."""

FOB_LENGTH = 10
"""Characters of a fob code; the readers' firmware strips leading zeroes, we put them back."""

_ENDS = "".join(c for c in map(chr, range(0x3001)) if c.isspace() or category(c) == "Cc")
"""White space and control characters: readers and people leave them around a code."""


def normalize_fob(code: str | None) -> str | None:
    """Return a fob code in its normal form: the same for ``36912``, ``000000036912``; ``0A:1B:2C`` and ``a1b2c``.

    Without what is at its ends, separators, case and leading zeroes; then padded to ten characters. ``None``: there is
    no fob.
    """
    code = _join((code or "").strip(_ENDS).upper())
    code = _join(code.lstrip("0" + _ENDS))
    return code.rjust(FOB_LENGTH, "0") if code else None


def read_fob(code: str | None) -> str | None:
    """Normalize a code that comes from outside. Raises ``ValueError`` for one with control characters in it."""
    fob = normalize_fob(code)
    if fob and (unseen := next((c for c in fob if not c.isprintable()), "")):
        raise ValueError(f"a fob code without control characters{character(unseen)}")
    return fob


_DAY_OR_TIME = re.compile(r"\d\d(:\d\d){1,2}|\d{4}-\d\d-\d\d|\d{1,2}-\d{1,2}-(\d\d|\d{4})")
"""What a spreadsheet makes of a fob, or somebody has put in its place; a UID has four bytes or more."""


def whole_fob(code: str) -> str:
    """Normalize the code of a fob that somebody wrote. Raises ``ValueError`` with what is expected.

    A number with a decimal mark, an exponent or groups, a day or a time, ``#N/A``: what spreadsheets make of a fob is
    none.
    """
    fob = normalize_fob(code)
    if fob is None:
        raise ValueError("the number of a fob, not empty, and not zeroes alone")
    text = "the whole number of a fob as its reader sends it: digits, or letters, and nothing between"
    if odd := re.search("[^0-9A-Z:_-]", fob):
        raise ValueError(text + character(odd[0]))
    if _DAY_OR_TIME.fullmatch(code.strip(_ENDS)):
        raise ValueError(f"{text}; not a day or a time")
    return fob


def _join(code: str) -> str:
    """Return a code without the separators between its groups: hexadecimal digits, as many in each."""
    if code.isalnum():
        return code
    groups = re.split("[-: ]", code)
    joined = "".join(groups)
    alike = len({len(group) for group in groups}) == 1 and re.fullmatch("[0-9A-F]+", joined)
    return joined if alike else code


_FOLDED = str.maketrans(
    dict.fromkeys(INVISIBLE, "")
    | dict.fromkeys("‘’‛ʼ′", "'")
    | dict.fromkeys("“”„‟″", '"')
    | dict.fromkeys(DASHES, "-")
)


def fold_name(name: str) -> str:
    """Return a name or alias as it is compared: without regard to case, to how much white space is where, to what has
    no width, and to which of the forms of a letter, a digit, an apostrophe, a quotation mark or a dash it has.
    """
    return one_line(normalize("NFKC", name.translate(_FOLDED))).casefold()


@dataclass(frozen=True, slots=True)
class SecondRelay:
    """A second output of a machine's reader, e.g. the laser tube beside the laser's ventilation."""

    authorizations_or: frozenset[str]
    unauthorized_warn_only: bool = False
    always_enabled: bool = False
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Offline:
    """What a machine's reader does once nobody has answered it for ``after_seconds``.

    ``list``: the fobs of a list that it keeps may start the machine; ``on_loss``: what becomes of one that runs by
    then.
    """

    after_seconds: float = 60.0
    list: bool = False
    on_loss: Literal["keep", "off"] = "keep"

    def text(self, starts: str) -> str:
        """Say it: ``after 60 s: it is switched off``; empty: as ever.

        ``starts``: who may start the machine then, where the reader is to have a list.
        """
        words = [starts] * self.list + ["it is switched off"] * (self.on_loss == "off")
        return f"after {self.after_seconds:g} s: {', '.join(words)}" if words else ""

    def told(self, list_revision: int | None) -> str:
        """Say it of a reader, which has told that it has this list."""
        return self.text(f"list {list_revision} may start it" if list_revision else "it has no list yet")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session may be, in seconds, and for how long nothing may run in it: while less than ``amps`` flow.

    ``None``: as long as it likes. A session ends by them with ``cut`` alone.
    """

    session_seconds: float | None = None
    idle_seconds: float | None = None
    amps: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What is to be done after so many seconds with power; ``lock``: when it is due the machine is locked once free."""

    what: str
    seconds: float
    lock: bool = False


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """One machine as machines.json describes it."""

    name: str
    authorizations_or: frozenset[str] = frozenset()
    unauthorized_warn_only: bool = False
    always_enabled: bool = False
    alias: str | None = None
    second_relay: SecondRelay | None = None
    offline: Offline = Offline()
    limits: Limits | None = None
    maintenance: tuple[Maintenance, ...] = ()
    area: str | None = None
    description: str | None = None
    link: str | None = None
    """Of its manual: an address that begins with http:// or https://."""
    trainers_or: frozenset[str] = frozenset()
    """Who holds one of them may train others for it: give them :attr:`teachable` authorizations."""
    report_seconds: float = REPORT_SECONDS
    """How often its reader reports; 0: it may be silent for as long as it likes (:func:`.reports.was_silent`)."""
    slack_channel: str | None = None
    """The id of an oops channel of its own."""

    @property
    def display_name(self) -> str:
        """What people see: the alias where there is one, else the name."""
        return self.alias or self.name

    @property
    def teachable(self) -> frozenset[str]:
        """The authorizations that it asks for, its second relay's too."""
        return self.authorizations_or | (self.second_relay.authorizations_or if self.second_relay else frozenset())


@dataclass(frozen=True, slots=True)
class Limit:
    """From when, until when (not included) an authorization counts; ``None``: since ever, for ever."""

    authorization: str
    begins: datetime | None = None
    ends: datetime | None = None

    def includes(self, at: datetime) -> bool:
        """Whether it counts at this moment."""
        return (self.begins is None or at >= self.begins) and (self.ends is None or at < self.ends)


@dataclass(frozen=True, slots=True)
class User:
    """One person of users.json, or one who was added at the server.

    ``lcd_name`` is the preferred name in characters that the readers' display can draw (the edge
    transliterates it); ``expires_at`` is the first moment at which the membership is over. ``limits`` are of those
    ``authorizations`` that do not count at all times.
    """

    account_id: str
    full_name: str
    preferred_name: str
    lcd_name: str
    fob_codes: tuple[str, ...] = field(default=(), repr=False)
    authorizations: frozenset[str] = frozenset()
    oops_override: bool = False
    expires_at: datetime | None = None
    first_name: str = field(default="", repr=False)
    last_name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    limits: tuple[Limit, ...] = ()

    def held(self, at: datetime) -> frozenset[str]:
        """Return the authorizations that count at this moment."""
        if not self.limits:
            return self.authorizations
        return self.authorizations - {limit.authorization for limit in self.limits if not limit.includes(at)}


@dataclass(frozen=True, slots=True)
class Directory:
    """All users, found by fob or by account. Build one with :meth:`of`."""

    users: tuple[User, ...] = ()
    by_fob: Mapping[str, User] = field(default_factory=dict, repr=False)
    enforce_expiration: bool = False
    by_account: Mapping[str, User] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, users: Iterable[User], *, enforce_expiration: bool = False) -> Directory:
        """Index ``users`` by their (already padded and unique) fob codes."""
        everyone = tuple(users)
        by_fob = {code: user for user in everyone for code in user.fob_codes}
        return cls(everyone, by_fob, enforce_expiration, {user.account_id: user for user in everyone})

    def find(self, fob: str) -> User | None:
        """Return the user who carries this fob, or ``None``."""
        return self.by_fob.get(fob)

    def expired(self, user: User, at: datetime) -> bool:
        """Whether ``user`` is to be refused as expired at this moment (never, while expiry is not enforced)."""
        return self.enforce_expiration and user.expires_at is not None and at >= user.expires_at


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Where outcomes of some ``kinds`` are sent, with or without names. The URL may be a secret too."""

    name: str
    url: str = field(repr=False)
    kinds: frozenset[str]
    secret: str = field(repr=False)
    names: bool = False

    @property
    def channel(self) -> str:
        """By this the outbox knows what waits for it."""
        return f"{WEBHOOK_CHANNEL}{self.name}"


WEBHOOK_CHANNEL = "webhook "


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration files, valid, as one value: they are swapped together.

    ``users_mtime`` is when the users file was last written, ``loaded_at`` when they were read.
    """

    machines: Mapping[str, MachineConfig]
    directory: Directory
    loaded_at: datetime
    users_mtime: datetime | None = None
    webhooks: Mapping[str, WebhookConfig] = field(default_factory=dict)
    routing: Routing = AT_ONCE

    @property
    def slack_channels(self) -> dict[str, list[str]]:
        """The oops channels that machines have of their own, with the machines that people see there."""
        found: dict[str, list[str]] = {}
        for machine in self.machines.values():
            if machine.slack_channel:
                found.setdefault(machine.slack_channel, []).append(machine.display_name)
        return found


SHRINK_FROM = 20
"""A users file of this many that loses more than half of them is taken for a broken export."""


def has_shrunk(users_before: int, removed: int) -> bool:
    """Whether so many users are gone that the file is taken for a broken export."""
    return users_before >= SHRINK_FROM and removed > users_before / 2
