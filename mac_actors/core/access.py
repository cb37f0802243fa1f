"""May this fob run this machine now? One function; every answer is a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mac_actors.core.config import Directory, MachineConfig, SecondRelay, User
from mac_actors.core.state import MachineState, Refusal, SecondDecision, SessionKind


@dataclass(frozen=True, slots=True)
class Granted:
    """A session may start."""

    user: User
    kind: SessionKind
    second: SecondDecision


@dataclass(frozen=True, slots=True)
class Refused:
    """No session; ``user`` is ``None`` for an unknown fob."""

    refusal: Refusal
    user: User | None


@dataclass(frozen=True, slots=True)
class Noted:
    """No session and no refusal: the machine is always enabled."""

    user: User | None


def authorize(
    config: MachineConfig,
    directory: Directory,
    state: MachineState,
    fob: str,
    at: datetime,
    hold: Refusal | None = None,
) -> Granted | Refused | Noted:
    """Decide what a card may do, at its insertion.

    The order of the questions is the contract's: always enabled comes before expiry, expiry before
    override, override before the rest. ``hold`` forbids a start whoever asks, an override too.
    """
    user = directory.find(fob)
    if config.always_enabled:
        return Noted(user)
    if user is None:
        return Refused(Refusal.UNKNOWN, None)
    if directory.expired(user, at):
        return Refused(Refusal.EXPIRED, user)
    if hold is not None:
        return Refused(hold, user)
    if state.flagged:
        if not user.oops_override:
            return Refused(Refusal.OOPSED if state.oops else Refusal.LOCKED_OUT, user)
        kind = SessionKind.OVERRIDE
    elif user.held(at) & config.authorizations_or:
        kind = SessionKind.AUTHORIZED
    elif config.unauthorized_warn_only:
        kind = SessionKind.WARN_ONLY
    else:
        return Refused(Refusal.UNAUTHORIZED, user)
    return Granted(user, kind, authorize_second(config.second_relay, user, at))


def may_use(config: MachineConfig, directory: Directory, user: User, at: datetime) -> bool:
    """Whether ``user`` could start a session on a machine that is neither oopsed nor locked out."""
    if config.always_enabled:
        return True
    allowed = config.unauthorized_warn_only or bool(user.held(at) & config.authorizations_or)
    return allowed and not directory.expired(user, at)


def authorize_second(second: SecondRelay | None, user: User, at: datetime) -> SecondDecision:
    """Decide what a session of ``user`` may do with the second relay."""
    if second is None:
        return SecondDecision.NONE
    if second.always_enabled:
        return SecondDecision.ALWAYS_ENABLED
    if user.held(at) & second.authorizations_or:
        return SecondDecision.GRANTED
    return SecondDecision.WARN if second.unauthorized_warn_only else SecondDecision.DENIED
