"""What the page of a user shows to an admin or a trainer, and what they may do there."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from mac_actors.core.config import Directory, MachineConfig, User, fold_name
from mac_actors.core.outcomes import Outcome
from mac_actors.core.people.additions import Addition, Author, Kind
from mac_actors.core.people.trainers import asked_for, teachable
from mac_actors.core.people.view import Item, UserView
from mac_actors.core.phrases import Phrase, joined, phrase
from mac_actors.core.state import Source
from mac_actors.core.wording import named, origin
from mac_actors.errors import NotAllowed, UserRefused
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.people.permissions import allow_authorization, allow_fob, allow_take, for_trainers
from mac_actors.fleet.people.unknown_fobs import JUST_SEEN, UnknownFob
from mac_actors.fleet.people.users import Users
from mac_actors.storage.history.sessions import last_of
from mac_actors.web.access import Caller
from mac_actors.web.pages.html import fill

ALL_SEEN = 5
"""Unknown fobs that are shown: the newest."""

CHANGES = 30
"""Changes that are shown: the newest."""

SESSIONS, SESSIONS_AGE = 5, timedelta(days=90)
"""The last so many of so long."""

_KEY = secrets.token_bytes(32)


def ref_of(code: str, machine: str = "") -> str:
    """Return by what a page names a fob, seen at a machine: its number can't be found from that. A restart ends it."""
    return hmac.new(_KEY, f"{machine}\n{code}".encode(), "sha256").hexdigest()[:20]


def held_lately(users: Users, ref: str) -> UnknownFob | None:
    """Return the fob of this :func:`ref_of` that was held to a reader within ten minutes, and that was unknown then."""
    now = datetime.now(UTC)
    seen = users.unknown_fobs.of(Directory(), now)
    return next((one for one in seen if ref_of(one.code, one.machine) == ref and now - one.at <= JUST_SEEN), None)


def fobs_html(users: Users) -> str:
    """Return the unknown fobs that were just seen, to be shown on top of a page of somebody who may give them."""
    return fill("fobs.tpl", seen=users.just_seen()[:ALL_SEEN], ref_of=ref_of).strip()


def undoing(fleet: MachineFleet, user: User, number: str) -> tuple[str, str, date | None]:
    """Return action, value and last day that undo an addition. Raises :class:`UserRefused` for one that is in force no
    more, or whose undoing would give more than there was.
    """
    found = next((one for one in _in_force(fleet.users, user.account_id) if str(one.id) == number), None)
    action = _OPPOSITE.get((found.kind, found.given)) if found else None
    if found is None or action is None:
        raise UserRefused(phrase("this was changed again since: there is nothing to undo"))
    until = None
    if action == "authorize":
        had, until = _had(fleet, found)
        if not had:
            raise UserRefused(phrase("this was changed again since: there is nothing to undo"))
    return action, found.value, until


def _had(fleet: MachineFleet, withdrawal: Addition) -> tuple[bool, date | None]:
    """Return whether somebody would have by now what was withdrawn from them, and until which day."""
    for one in reversed(fleet.store.load_additions(withdrawal.account_id)):
        if one.id >= withdrawal.id or (one.kind, one.value) != (withdrawal.kind, withdrawal.value):
            continue
        ends = one.ends()
        if ends is None or ends > withdrawal.author.at:
            return one.given and (ends is None or ends > datetime.now(UTC)), one.until
    file = fleet.users.people.file.by_account.get(withdrawal.account_id)
    return file is not None and withdrawal.value in file.authorizations, None


_OPPOSITE = {
    (Kind.FOB, True): "take",
    (Kind.FOB, False): "give",
    (Kind.AUTHORIZATION, True): "withdraw",
    (Kind.AUTHORIZATION, False): "authorize",
}

_TEXTS = {
    "fob_given": phrase("Fob {value} given"),
    "fob_taken": phrase("Fob {value} taken away"),
    "authorization_granted": phrase("Authorized for {value}"),
    "authorization_withdrawn": phrase("{value} withdrawn"),
    "user_added": phrase("Added"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A fob or an authorization, and by what a form names it; empty: whoever looks may not take it away."""

    item: Item
    value: str


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed; ``undo`` is the addition that can be undone by whoever looks, if any."""

    text: str
    by: str
    at: datetime
    undo: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """All of it. ``offers`` are the authorizations that are wanting at the machine where a fob was just seen, ``at``;
    ``choices`` all that can be granted, each with what it is good for.
    """

    view: UserView
    fobs: list[Row]
    authorizations: list[Row]
    changes: list[Changed]
    sessions: list[Outcome]
    seen: list[tuple[str, UnknownFob]]
    at: MachineConfig | None
    offers: list[str]
    choices: list[tuple[str, str]]
    over: bool
    """Their membership is over, so that no machine starts for them."""
    conflicts: list[str]

    @classmethod
    def of(cls, fleet: MachineFleet, caller: Caller, view: UserView, at: str = "") -> Person:
        """Return what is shown of a user to ``caller``, who came from giving a fob that was seen ``at`` a machine."""
        users, may = fleet.users, _May(fleet, caller, view)
        shown = view if caller.admin else for_trainers(view)
        machines = fleet.configuration.machines
        config = machines.get(at)
        held = {item.value for item in view.authorizations}
        grantable = (asked_for(machines.values()) if caller.admin else teachable(caller.machines)) - held
        in_force = {one.id: one for one in _in_force(users, view.account_id)}
        everything = {one.id: one for one in fleet.store.load_additions(view.account_id)} | in_force
        readable = (one for one in everything.values() if one.kind is not Kind.UNREADABLE)
        newest = sorted(readable, key=lambda one: -one.id)[:CHANGES]
        return cls(
            view=shown,
            fobs=[
                Row(item, ref_of(real.value) if may.take(real.value) else "")
                for real, item in zip(view.fobs, shown.fobs, strict=True)
            ],
            authorizations=[Row(item, item.value if may.grant(item.value) else "") for item in view.authorizations],
            changes=[_changed(one, undo=one.id if one.id in in_force and may.undo(one) else None) for one in newest],
            sessions=_last_sessions(fleet, view.account_id) if caller.admin else [],
            seen=[(ref_of(one.code, one.machine), one) for one in users.just_seen()[:ALL_SEEN]],
            at=config,
            offers=[name for name in _wanting(config, held) if may.grant(name)] if config else [],
            choices=[(name, _good_for(name, machines.values())) for name in sorted(grantable, key=fold_name)],
            over=users.people.directory.expired(users.user(view.account_id), datetime.now(UTC)),
            conflicts=[
                *(str(one) for one in users.people.unreadable() if one.addition.account_id == view.account_id),
                *(
                    str(conflict)
                    for conflict in users.people.conflicts()
                    if view.account_id in {conflict.addition.account_id, conflict.owner.account_id}
                ),
            ],
        )


@dataclass(frozen=True, slots=True)
class _May:
    """What ``caller`` may do to a user."""

    fleet: MachineFleet
    caller: Caller
    view: UserView

    @property
    def users(self) -> Users:
        return self.fleet.users

    def take(self, code: str) -> bool:
        author = author_of(self.caller)
        return _allowed(lambda: allow_take(self.users, self.caller.account_id, author, self.view, code))

    def grant(self, name: str) -> bool:
        return _allowed(lambda: allow_authorization(self.users, self.caller.account_id, name))

    def undo(self, one: Addition) -> bool:
        match one.kind:
            case Kind.AUTHORIZATION:
                return self.grant(one.value) and (one.given or _had(self.fleet, one)[0])
            case Kind.FOB if one.given:
                return self.take(one.value)
            case Kind.FOB:
                return _allowed(lambda: allow_fob(self.users, self.caller.account_id, one.value))
            case _:
                return False


def _allowed(check: Callable[[], None]) -> bool:
    try:
        check()
    except NotAllowed:
        return False
    return True


def author_of(caller: Caller) -> Author:
    """Return who changes something on a page, now."""
    by = caller.name or caller.by
    return Author(datetime.now(UTC), Source.BOARD, by, confirmed=caller.name is not None)


def _last_sessions(fleet: MachineFleet, account_id: str) -> list[Outcome]:
    since = (datetime.now(UTC) - SESSIONS_AGE).timestamp()
    with fleet.store.reading("read a user's last sessions") as connection:
        return last_of(connection, account_id, since, SESSIONS)


def _in_force(users: Users, account_id: str) -> list[Addition]:
    """Return what counts of what was changed, without what is over."""
    now, additions = datetime.now(UTC), users.people.by_account.get(account_id, ())
    return [one for one in additions if (ends := one.ends()) is None or now < ends]


def _changed(one: Addition, undo: int | None) -> Changed:
    value = f"…{one.value[-4:]}" if one.kind is Kind.FOB else one.value
    until = phrase(", until {day}", day=one.until) if one.until else ""
    text = joined("", (Phrase(_TEXTS[one.word].template, value=value), until))
    by = origin(one.author.source, named(one.author.by, confirmed=one.author.confirmed))
    return Changed(text, by, one.author.at, undo)


def _wanting(machine: MachineConfig, held: Set[str]) -> list[str]:
    """Return what the machine and its second relay ask for, of each that asks in vain."""
    relay = machine.second_relay
    asking = (machine.authorizations_or, relay.authorizations_or if relay else frozenset())
    return sorted({name for names in asking if not names & held for name in names}, key=fold_name)


def _good_for(name: str, machines: Iterable[MachineConfig]) -> str:
    """Say at which machines an authorization counts, where that is not its name already."""
    titles = [machine.display_name for machine in machines if name in machine.teachable | machine.trainers_or]
    return "" if list(map(fold_name, titles)) == [fold_name(name)] else ", ".join(titles)
