"""A decision: the new state, what came of the input, and what was already so; and one in the making."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import Any

from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.outcomes import Ended, EndReason, LockSet, Outcome, Person, SessionEnded
from mac_actors.core.readable import Readable
from mac_actors.core.state import Flag, MachineState


class Already(StrEnum):
    """What an admin's command found to be so already."""

    OOPSED = "oopsed"
    LOCKED_OUT = "locked_out"
    NOT_OOPSED = "not_oopsed"
    NOT_LOCKED_OUT = "not_locked_out"
    NO_SUCH_MAINTENANCE = "no_such_maintenance"
    SET_SINCE = "set_since"
    """An oops or lock was set after the command that would lift it was given."""
    LOCK_PENDING = "lock_pending"
    OVER = "over"
    """The oops or lock that the details belong to is over."""
    FREE = "free"
    """Somebody who wanted to be told when the machine is free finds that it is."""
    WAITING = "waiting"
    """They wait for it already."""
    NOT_WAITING = "not_waiting"


@dataclass(frozen=True, slots=True, repr=False)
class Decision(Readable):
    """The new state, what came of the input, and what was already so.

    ``changed`` is whether there is an outcome, or anything but telemetry and the time of the last check-in
    moved: what must be on disk before it counts. ``offline`` are the ids of a report's offline sessions that need not
    be told again, ``refused`` says of which there is nothing in the journal, and why.
    """

    state: MachineState
    outcomes: tuple[Outcome, ...] = ()
    already: tuple[Already, ...] = ()
    changed: bool = False
    offline: tuple[int, ...] = ()
    refused: tuple[str, ...] = ()


class Draft:
    """A decision in the making; lives for one call of :func:`mac_actors.core.transitions.decide`.

    ``state`` is a copy that nobody else has: :meth:`change` writes in it. Copies were half of what a decision cost.
    """

    def __init__(
        self, config: MachineConfig, directory: Directory, state: MachineState, at: datetime, now: float
    ) -> None:
        self.config = config
        self.directory = directory
        self.state = state
        self.at = at
        self.now = now
        self.outcomes: list[Outcome] = []
        self.already: list[Already] = []
        self.offline: list[int] = []
        self.refused: list[str] = []
        self._common = {"machine": config.name, "display_name": config.display_name, "at": at}

    def decision(self, before: MachineState) -> Decision:
        """Stamp what follows from the change, and freeze it."""
        now = self.state
        updated, moved = now.what_people_did != before.what_people_did, now.status is not before.status
        if updated:
            self.change(last_update=self.at)
        if moved:
            self.change(status_since=self.at)
        changed = bool(self.outcomes) or now.durable != before.durable
        return Decision(
            now, tuple(self.outcomes), tuple(self.already), changed, tuple(self.offline), tuple(self.refused)
        )

    def change(self, **parts: Any) -> None:
        for name, value in parts.items():
            object.__setattr__(self.state, name, value)

    def emit(self, kind: Callable[..., Outcome], **facts: object) -> None:
        self.outcomes.append(kind(**{**self._common, **facts}))

    def end_session(self, reason: EndReason, most: float = inf) -> Ended | None:
        session = self.state.session
        if session is None:
            return None
        self.change(session=None)
        return Ended(Person.of(session), session.kind, session.since, min(session.seconds(self.now), most), reason)

    def card_holder(self) -> Person | None:
        user = self.directory.find(self.state.card.fob) if self.state.card else None
        return Person.of(user) if user else None

    def block_card(self) -> None:
        if self.state.card is not None:
            self.change(card=replace(self.state.card, blocked=True))

    def stop(self, reason: EndReason) -> None:
        """End the session, if one runs, while its card is still in the reader."""
        ended = self.end_session(reason)
        self.block_card()
        if ended:
            self.emit(SessionEnded, ended=ended)
        self.lock_if_due()

    def lock_if_due(self) -> None:
        """Let the lock fall that waited for the end of the session."""
        if flag := self.state.due_lock(self.at):
            self.lock(flag)

    def lock(self, flag: Flag) -> None:
        ended = self.end_session(EndReason.LOCK)
        self.block_card()
        self.change(lock=flag, lock_pending=None)
        self.emit(LockSet, flag=flag, ended=ended, card=None if ended else self.card_holder())
