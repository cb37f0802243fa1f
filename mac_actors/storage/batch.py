"""Records as one plain document of rows that are to be written, each with its id: what both engines' writers take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from mac_actors.core.notices import Notice
from mac_actors.storage import codec
from mac_actors.storage.records import Record, SlackLink
from mac_actors.storage.schema import addition, admin, board_session

SEEN_FOR = timedelta(hours=2)
"""How long a chat event is remembered; Slack repeats one for five minutes at the most."""

SMALL: Final = (addition, admin, board_session)
"""The tables of :attr:`Record.put` and :attr:`Record.drop`."""

_KEYS: Final = {table.name: next(iter(table.primary_key)).name for table in SMALL}

STEPS: Final = (
    *("rewrite", "reword", "note", "move"),
    *(f"{step}_{table.name}" for table in SMALL for step in ("drop", "put")),
    *("drop_key", "put_key", "state", "journal", "outbox", "wait", "drop_wait", "sent", "thread"),
    *("drop_link", "link", "seen", "forget_seen"),
)
"""What a batch may consist of, in the order in which it is done. No key of a table is twice in a step."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """What some records want: ``steps`` are rows by :data:`STEPS`, without those of which there are none.

    ``lines`` and ``posts`` are how many rows the journal and the outbox get. ``scrub`` is that of the records.
    """

    steps: dict[str, Sequence[Row]]
    lines: int
    posts: int
    scrub: bool


def make_batch(records: Iterable[Record], last_journal: int, last_outbox: int) -> Batch:
    """Return what these records want, with ids that go on after the last ones."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    # By their keys, where what comes later in the batch takes the place of what came before.
    keyed: defaultdict[str, dict[Any, Row]] = defaultdict(dict)
    keys: dict[str, Row | None] = {}
    small: dict[str, dict[Any, Row | None]] = {name: {} for name in _KEYS}
    lines, posts = rows["journal"], rows["outbox"]
    scrub = False
    for record in records:
        if record.state:
            name, state = record.state
            keyed["state"][name] = {"name": name, "state": state}
        for row, notices in record.rows:
            number = last_journal + len(lines) + 1
            lines.append({"id": number, **row})
            for notice in notices:
                posts.append(_post(last_outbox + len(posts) + 1, row["at"], notice, number))
        for at, notice in record.notices:
            posts.append(_post(last_outbox + len(posts) + 1, codec.timestamp(at), notice))
        if record.sent:
            rows["sent"] += [{"sent_id": number} for number in record.sent]
        if record.seen:
            rows["seen"].append({"id": record.seen[0], "at": codec.timestamp(record.seen[1])})
            rows["forget_seen"] = [{"before": codec.timestamp(record.seen[1] - SEEN_FOR)}]
        _add_chat(keyed, record)
        _add_rewritten(keyed, record)
        if record.keys:
            keys.update(record.keys)
        if record.moved or record.drop or record.put:
            _change_small(small, keyed["link"], rows["move"], record)
        scrub = scrub or record.scrub
    rows |= {step: list(found.values()) for step, found in keyed.items()}
    if keys:
        rows["drop_key"] = [{"of": machine} for machine in keys]
        rows["put_key"] = [{"machine": machine, **row} for machine, row in keys.items() if row]
    for name, changed in small.items():
        if changed:
            rows[f"drop_{name}"] = [{"row": key} for key, row in changed.items() if row is None]
            rows[f"put_{name}"] = [row for row in changed.values() if row is not None]
    return Batch({step: rows[step] for step in STEPS if rows.get(step)}, len(lines), len(posts), scrub)


def _add_chat(keyed: dict[str, dict[Any, Row]], record: Record) -> None:
    for thread in record.threads:
        place = thread.key, thread.channel
        row = {**thread._asdict(), "key": str(thread.key), "unsettled": int(thread.unsettled)}
        before = keyed["thread"].get(place)
        keyed["thread"][place] = {**row, "root": before["root"]} if before else row
    for machine, who, at in record.wait:
        keyed["drop_wait"].pop((machine, who), None)
        keyed["wait"].setdefault((machine, who), {"machine": machine, "slack_id": who, "at": codec.timestamp(at)})
    for machine, who in record.told:
        keyed["wait"].pop((machine, who), None)
        keyed["drop_wait"][machine, who] = {"of": machine, "whose": who}
    for who in record.unlinked:
        keyed["link"].pop(who, None)
        keyed["drop_link"][who] = {"slack_id": who}
    for link in record.links:
        keyed["drop_link"].pop(link.id, None)
        keyed["link"][link.id] = _link(link)


def _add_rewritten(keyed: dict[str, dict[Any, Row]], record: Record) -> None:
    for name, value in record.notes:
        keyed["note"][name] = {"name": name, "value": value}
    for number, account, data in record.rewrites:
        keyed["rewrite"][number] = {"row": number, "account": account, "text": data}
    for number, words in record.reworded:
        keyed["reword"][number] = {"row": number, "words": words}


def _change_small(
    small: dict[str, dict[Any, Row | None]], links: dict[Any, Row], moves: list[Row], record: Record
) -> None:
    for old, new in record.moved:
        moves.append({"old": old, "new": new})
        puts: tuple[dict[Any, Any], ...] = (small[addition.name], small[board_session.name], links)
        for put in puts:
            put |= {key: {**row, "account_id": new} for key, row in put.items() if row and row["account_id"] == old}
    for table, key in record.drop:
        small[table][key] = None
    for table, row in record.put:
        small[table][row[_KEYS[table]]] = row


def _link(link: SlackLink) -> dict[str, Any]:
    return link._asdict() | {"at": codec.timestamp(link.at), "switched_off": " ".join(link.switched_off)}


def _post(number: int, at: str, notice: Notice, journal_id: int | None = None) -> dict[str, Any]:
    return {
        "id": number,
        "at": at,
        "channel": str(notice.channel),
        "text": notice.text,
        "opens": None if notice.opens is None else str(notice.opens),
        "closes": "\n".join(map(str, notice.closes)) or None,
        "journal_id": journal_id,
        "within": "\n".join(map(str, notice.within)) or None,
        "asks": None if notice.asks is None else str(notice.asks),
        "due": None if notice.due is None else codec.timestamp(notice.due),
    }
