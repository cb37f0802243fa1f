"""One line of a spreadsheet becomes the record of a user; or it is about nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from mac_actors.imports.users.cells import ANYTHING, clean, folded, listed, truth
from mac_actors.imports.users.fobs import SEPARATORS, fobs_of
from mac_actors.imports.users.mapping import Header, Mapped
from mac_actors.imports.users.source import Problem, UserRecord

NO_MEMBER = "they are no members"

_TOTAL = re.compile(r"\W*(sub|grand |zwischen)?(totals?|summen?|gesamt\w*|insgesamt|anzahl|count|sum|totaux)\b")
"""How a line begins that sums up others."""

Cells = list[tuple[str, str]]
"""What stands in the cells of a field that are not empty, each with its place."""


def read_row(line: int, row: Sequence[str], header: Header, mapped: Mapped) -> UserRecord:
    """Read a line. All that is wrong is in the record, each mistake with its column."""
    origin = f"line {line}"
    padded = [*row, *[""] * (len(header.names) - len(row))]
    given = {
        name: [(f"column {header.names[n]}", padded[n]) for n in numbers if clean(padded[n])]
        for name, numbers in header.columns.items()
    }
    if _is_no_member(padded, header, given):
        text = " ".join(filter(None, map(clean, row)))
        return UserRecord(origin, {"full_name": f"{origin}: {text}"}, left_out=NO_MEMBER)
    for name, value in mapped.defaults.items():
        given[name] = given[name] or [("default", value)]
    fobs, problems = fobs_of(given["fob_codes"], mapped.separators or SEPARATORS)
    if any(clean(cell) for cell in row[len(header.names) :]):
        text = f"the line has {len(row)} cells, the first line {len(header.names)}: is a quotation mark missing?"
        problems.append(Problem("", "", text))
    fields: dict[str, Any] = {
        name: " ".join(clean(text) for _, text in cells) for name, cells in given.items() if cells
    }
    fields["fob_codes"] = list(fobs)
    for place, text in given["oops_override"]:
        fields["oops_override"] = truth(text, {*mapped.yes} - {ANYTHING}, mapped.no)
        if fields["oops_override"] is None:
            problems.append(Problem("oops_override", place, f"expected yes or no, not {text!r}"))
    for place, text in given["expiration_ymd"]:
        if place != "default":
            fields["expiration_ymd"] = _day(place, text, mapped.date_format, problems)
    several = listed((text for _, text in given["authorizations"]), mapped.separators or ";,")
    fields["authorizations"] = list(dict.fromkeys([*several, *_ticked(padded, header, mapped, problems)]))
    places = {name: cells[0][0] for name, cells in given.items() if cells}
    places |= {name: f"column {header.names[numbers[0]]}" for name, numbers in header.columns.items() if numbers}
    places |= {f"fob_codes[{position}]": place for position, place in enumerate(fobs.values())}
    return UserRecord(origin, fields, places, problems, header.excludes(padded))


def _is_no_member(row: Sequence[str], header: Header, given: dict[str, Cells]) -> bool:
    """Whether it is the first line again, a sum, or a remark."""
    seen = [folded(cell) for cell in row if clean(cell)]
    named = given["full_name"] or given["first_name"] or given["last_name"]
    whole = bool(named and given["account_id"])
    return (
        len(seen) == 1
        or [*map(folded, row)] == [*map(folded, header.names)]
        or not (whole or given["fob_codes"])
        or bool(_TOTAL.match(seen[0]) and not (whole and (given["expiration_ymd"] or _is_person(given))))
    )


def _is_person(given: dict[str, Cells]) -> bool:
    """Whether it has a fob, and a name that is more than the word for a sum, or a number."""
    names = (text for name in ("full_name", "first_name", "last_name") for _, text in given[name])
    return bool(given["fob_codes"] and re.search(r"[^\W\d_]", _TOTAL.sub("", folded(" ".join(names)))))


def _ticked(row: Sequence[str], header: Header, mapped: Mapped, problems: list[Problem]) -> Iterator[str]:
    """Yield the authorizations whose columns say yes."""
    for number, authorization in header.authorizations.items():
        given = truth(row[number], mapped.yes, mapped.no)
        if given:
            yield authorization
        elif given is None:
            text = (
                f'expected yes or no (or x), not {row[number]!r}: yes = ["…"] or no = ["…"] in the mapping says which'
            )
            problems.append(Problem("authorizations", f"column {header.names[number]}", text))


def _day(place: str, text: str, form: str, problems: list[Problem]) -> str:
    try:
        return datetime.strptime(clean(text), form).date().isoformat()
    except ValueError:
        expected = f"expected a day as {form}, not {text!r}: --date-format says how days are written"
        problems.append(Problem("expiration_ymd", place, expected))
        return ""
