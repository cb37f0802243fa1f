"""From a source's records to users as users.json has them: completed, checked, and no two with the same fob."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mac_actors.core.config import fold_name, normalize_fob
from mac_actors.core.text import one_line
from mac_actors.errors import ConfigError
from mac_actors.imports.users.fobs import far_shorter
from mac_actors.imports.users.source import UserRecord, UserSource
from mac_actors.settings.problems import explain, printed
from mac_actors.settings.user_entries import UserEntry, user_clashes


@dataclass(frozen=True, slots=True)
class People:
    """The users of a source; who was left out, by the reason; and what else is to be said."""

    users: tuple[UserEntry, ...]
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def gather(source: UserSource, extra: Sequence[UserEntry] = (), present: Sequence[UserEntry] = ()) -> People:
    """Read the source and check everybody in it; ``extra`` are users that it does not have.

    Where the source does not know who has ``oops_override``, that stays as it is in ``present``, as long as it is the
    same person. Raises :class:`ConfigError` with a line for each mistake: where it is, and what is expected.
    """
    problems: list[str] = []
    records: dict[int, UserRecord] = {}
    users: dict[int, UserEntry] = {}
    left_out: dict[str, list[str]] = {}
    for number, record in enumerate(source.records()):
        fobless = not record.fields.get("fob_codes") and not any(p.name == "fob_codes" for p in record.problems)
        if reason := record.left_out or ("they have no fob" if fobless else ""):
            left_out.setdefault(reason, []).append(record.label)
        else:
            records[number] = record
    overriders = {user.account_id: user for user in present if user.oops_override and not source.overrides}
    notes: list[str] = []
    short = far_shorter([fob for record in records.values() for fob in record.fields["fob_codes"]])
    for number, record in records.items():
        fields = _completed(record.fields)
        if former := overriders.get(fields.get("account_id", "")):
            fields["oops_override"] = _is_same(former, fields)
            if not fields["oops_override"]:
                notes.append(_not_kept(former, fields["full_name"]))
        found = [*_problems(record, fields), *_short_fobs(record, short)]
        problems += [f"{source.name}: {problem}" for problem in found]
        if not found:
            users[number] = UserEntry.model_validate(fields)
    problems += _clashes(source, records, users, extra)
    if problems:
        raise ConfigError([printed(line) for line in problems])
    return People((*users.values(), *extra), left_out, tuple(map(printed, notes)))


def _completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Derive what a source need not have: one name from the others, and an empty e-mail address."""
    fields = {name: one_line(value) if isinstance(value, str) else value for name, value in given.items()}
    first, last = fields.get("first_name", ""), fields.get("last_name", "")
    full = fields.get("full_name") or f"{first} {last}".strip()
    if not first and not last:
        first, _, last = full.rpartition(" ")
        first, last = (first, last) if first else (last, "")
    return {
        "email": "",
        "authorizations": [],
        **fields,
        "full_name": full,
        "first_name": first,
        "last_name": last,
        "preferred_name": fields.get("preferred_name") or first or full,
    }


def _is_same(former: UserEntry, fields: Mapping[str, Any]) -> bool:
    """Whether a user is who had the account id before: account ids of those who left may be used again."""
    return (
        not {normalize_fob(fob) for fob in fields["fob_codes"]}.isdisjoint(former.fob_codes)
        or former.email.casefold() == fields["email"].casefold() != ""
        or fold_name(former.full_name) == fold_name(fields["full_name"])
    )


def _not_kept(former: UserEntry, name: str) -> str:
    return (
        f"{name} has the account id {former.account_id}, which was {former.full_name}'s, and neither their name, "
        "e-mail address nor a fob of theirs: oops_override is not kept. If it is to be, write it into users.json."
    )


def _problems(record: UserRecord, fields: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with one record, each with its place."""
    found = [f"{record.origin}{', ' if place else ''}{place}: {text}" for _, place, text in record.problems]
    wrong = {problem.name for problem in record.problems}
    if not fields["full_name"] and not {"full_name", "first_name", "last_name"} & wrong:
        found.append(f"{record.where('full_name')}: a name is required, in one field or in several")
    try:
        UserEntry.model_validate(fields)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            name, *rest = details["loc"]
            if name not in wrong:
                position = rest[0] if rest and isinstance(rest[0], int) else None
                found.append(f"{record.where(str(name), position)}: {explain(details)}")
    return found


def _short_fobs(record: UserRecord, short: Collection[str]) -> list[str]:
    return [
        f"{record.where('fob_codes', position)}: {fob!r} is far shorter than most: enter the whole number, "
        "with the zeroes before it"
        for position, fob in enumerate(record.fields["fob_codes"])
        if fob in short
    ]


def _clashes(
    source: UserSource, records: Mapping[int, UserRecord], users: Mapping[int, UserEntry], extra: Sequence[UserEntry]
) -> Iterable[str]:
    """Say who has what only one may have."""
    everybody = {**users, **{-1 - number: user for number, user in enumerate(extra)}}
    for clash in user_clashes(everybody):
        name, what = ("account_id", "an account id") if clash.position is None else ("fob_codes", "a fob")
        label = f"{clash.value!r}" if clash.position is None else f"ending in {clash.value[-4:]!r}"
        one, other = (
            records.get(key, UserRecord(f"extra user {everybody[key].account_id}", {}))
            for key in (clash.key, clash.other)
        )
        both = f"{other.origin} ({everybody[clash.other].full_name}) has the one {label} too"
        yield f"{source.name}: {one.where(name, clash.position)}: expected {what} of their own, but {both}"


def masked(fob: str) -> str:
    """Show a fob without giving it away: its last four characters."""
    return f"…{(normalize_fob(fob) or '')[-4:]}"
