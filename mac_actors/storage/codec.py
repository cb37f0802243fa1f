"""States, outcomes and additions as JSON text, and back. What could not be read again is refused: ``ValueError``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import TypeAdapter

from mac_actors.core.outcomes import TYPES, Outcome, kind
from mac_actors.core.people.additions import Addition, Author, Kind
from mac_actors.core.state import MachineState, Source

_STATE: Final = TypeAdapter(MachineState)

_ADAPTERS: Final[dict[type[Outcome], TypeAdapter[Any]]] = {t: TypeAdapter(t) for t in set(TYPES.values())}


def dump_state(state: MachineState) -> str:
    """Return the state as JSON. Raises ``ValueError`` for text that is none, or not Unicode (lone surrogates)."""
    return _STATE.dump_json(state, warnings="error").decode()


def load_state(text: str) -> MachineState:
    """Read a state back. Raises ``ValueError`` for anything that :func:`dump_state` did not write."""
    return _STATE.validate_json(text)


def dump_outcome(outcome: Outcome) -> str:
    """Return the outcome as JSON. Raises ``ValueError`` as :func:`dump_state`."""
    return _ADAPTERS[type(outcome)].dump_json(outcome, warnings="error").decode()


def load_outcome(kind_: str, text: str) -> Outcome:
    """Read an outcome of the journal back. Raises ``ValueError`` for one that this version does not know."""
    if kind_ not in TYPES:
        raise ValueError(f"unknown kind of outcome: {kind_}")
    result: Outcome = _ADAPTERS[TYPES[kind_]].validate_json(text)
    return result


def journal_row(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as a row of the journal, but for its id."""
    person, ended = outcome.person, outcome.ended_session
    return {
        "at": timestamp(outcome.at),
        "machine": outcome.machine or "",
        "kind": kind(outcome),
        "account_id": person.account_id if person else None,
        "seconds": ended.seconds if ended else None,
        "data": dump_outcome(outcome),
    }


_ADDITION: Final = TypeAdapter(Addition)

_IN_COLUMNS = {"id", "account_id", "counts"}


def addition_row(addition: Addition) -> tuple[str, dict[str, Any]]:
    """Return an addition as a row, with its table: for ``Record.put``. Raises ``ValueError`` as :func:`dump_state`."""
    data = _ADDITION.dump_json(addition, exclude=_IN_COLUMNS, warnings="error").decode()
    return "addition", {
        "id": addition.id,
        "account_id": addition.account_id,
        "counts": int(addition.counts),
        "data": data,
    }


def load_addition(number: int, account_id: str, counts: int, data: str) -> Addition:
    """Read an addition back. Raises ``ValueError`` for what :func:`addition_row` did not make."""
    document: dict[str, Any] = json.loads(data)
    addition: Addition = _ADDITION.validate_python(
        document | {"id": number, "account_id": account_id, "counts": bool(counts)}
    )
    return addition


def unreadable_addition(number: int, account_id: str, counts: int) -> Addition:
    """Return what an addition counts as that can't be read back."""
    author = Author(datetime.min.replace(tzinfo=UTC), Source.SERVER)
    return Addition(number, account_id, Kind.UNREADABLE, author, given=False, counts=bool(counts))


def timestamp(at: datetime) -> str:
    """Return a time as the tables hold it: ISO 8601 in UTC, of fixed width so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
