"""The audit that follows each fault: what was promised, against what the disk, the API and Slack say.

It looks at the server from outside: the API, the database file, the stand-in workspace, /proc.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from mac_actors.core.notices import notices
from mac_actors.storage.codec import load_outcome
from mac_actors.storage.upkeep.verify import verify
from tests.faults.client import Answer
from tests.faults.load import ALWAYS, MACHINES, Entry, Ledger
from tests.faults.shop import CONTROL, OOPS, Vitals, until
from tests.slack.standin.records import Post
from tests.slack.standin.workspace import Workspace

MORE_THREADS, MORE_DESCRIPTORS, MORE_MEGABYTES = 6, 24, 64.0
"""What a process may hold more than when it was warm: Slack's clients keep pools, SQLite its pages. Each machine may
have got a thread besides."""

DRAIN_SECONDS = 90.0
"""How long the notices of a fault may take to be out; Slack's promise is 30 s after it is back, then the pace."""

LOST = "cannot be written, and is lost"
"""What the journal says when it gives a change up: what waits now may wait for ever."""

CHANNELS = {"control": CONTROL, "oops": OOPS}

_FLAG_OF = {"oops_set": ("oops", True), "lock_set": ("lock", True)}
_CLEARS = {"oops_cleared": ("oops",), "lock_cleared": ("lock",), "cleared": ("oops", "lock")}
_ROW_OF = {"oops": {"oops_set"}, "lock": {"lock_set"}, "unoops": {"oops_cleared"}, "unlock": {"lock_cleared"}}
_ROW_OF["clear"] = {"oops_cleared", "lock_cleared", "cleared"}
_INSERTED = {"session_started", "session_refused", "card_seen"}


@dataclass(frozen=True)
class Row:
    """A line of the journal, as it is on disk."""

    id: int
    machine: str
    kind: str
    data: Any
    text: str

    @property
    def held(self) -> bool:
        """Whether it was refused because a server that owned nothing had answered: each of a cell may have done so."""
        return bool(self.data.get("refusal") == "moving")

    @property
    def reason(self) -> str | None:
        reason = self.data.get("reason") or (self.data.get("flag") or {}).get("reason")
        return str(reason) if reason else None


class Audited(Protocol):
    """A server, or a cell of them."""

    exempt: set[str]
    clock_jumped: bool
    starts: list[float]
    stops: list[dict[str, int]]
    workspace: Workspace

    @property
    def ledger(self) -> Ledger: ...

    @property
    def baseline(self) -> Vitals | None: ...

    def call(self, method: str, path: str) -> Answer: ...

    def ready(self) -> bool: ...

    def log(self) -> str: ...

    def may_repeat(self, earlier: float, later: float) -> bool:
        """Whether what was posted may be there again (``time.monotonic()``)."""

    def waiting(self) -> int:
        """Return how many notices wait for Slack."""

    def on_disk(self) -> Path:
        """Return where everything is in a SQLite database, as it is now."""

    def vitals(self) -> Vitals: ...


def audit(shop: Audited) -> list[str]:
    """Everything that is not as it was promised; empty when all is well. The load must have been stopped.

    A line may be posted twice after a kill, and where it was under way when the server was stopped.
    """
    stuck = settle(shop)
    rows = read_journal_of(directory := shop.on_disk())
    machines = {machine["name"]: machine for machine in shop.call("GET", "/api/machines").body["machines"]}
    return [
        *stuck,
        *shop.ledger.violations,
        *_invariants(machines),
        *promises(shop.ledger, rows),
        *_order(shop.ledger, rows),
        *_reboots(shop, rows),
        *_states(shop, rows, machines),
        *_notices(shop, rows),
        *_verified(shop, directory),
        *_log(shop),
        *_growth(shop),
    ]


def settle(shop: Audited) -> list[str]:
    """Wait until nothing waits for the disk, or for Slack; returns what does for ever."""
    stuck = []
    try:
        until(lambda: shop.ready() or LOST in shop.log(), "the server says that it is ready")
        until(lambda: not shop.waiting() or LOST in shop.log(), "all notices are out", DRAIN_SECONDS)
    except TimeoutError as error:
        stuck.append(str(error))
    shop.ledger.settle()
    return stuck


def read_journal_of(directory: Path) -> list[Row]:
    """All lines, in their order."""
    found = _query(directory, "select id, machine, kind, data from journal order by id")
    return [Row(number, machine, kind, json.loads(data), data) for number, machine, kind, data in found]


def _query(directory: Path, query: str) -> list[Any]:
    path = directory / "mac.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as database:
        return database.execute(query).fetchall()


def _invariants(machines: dict[str, Any]) -> Iterator[str]:
    """What machine.md and http.md say of every reachable state, as far as the API shows it."""
    for name, machine in machines.items():
        session, flagged = machine["session"], bool(machine["oops"] or machine["lock"])
        override = session is not None and session["kind"] == "override"
        statuses = {(True, True): "oopsed_locked_out", (True, False): "oopsed", (False, True): "locked_out"}
        expected = statuses.get(
            (bool(machine["oops"]), bool(machine["lock"])), "in_use" if session is not None else "idle"
        )
        if machine["relay"] and not (session or name == ALWAYS):
            yield f"{name}: the relay is on without a session"
        if flagged and machine["relay"] and not override:
            yield f"{name}: the relay is on while oopsed or locked"
        if machine["second_relay"] and not machine["relay"]:
            yield f"{name}: the second relay is on without the first"
        if machine["status"] != expected:
            yield f"{name}: the status is {machine['status']}, not {expected}"
        if session and not flagged and not machine["relay"]:
            yield f"{name}: a session runs and the relay is off"


def promises(ledger: Ledger, rows: list[Row]) -> Iterator[str]:
    """Each acknowledged transition once, each that was not acknowledged once at the most."""
    by_reason: Counter[str] = Counter(row.reason for row in rows if row.reason)
    kinds = {row.reason: row.kind for row in rows if row.reason}
    least: Counter[tuple[str, str]] = Counter()
    most: Counter[tuple[str, str]] = Counter()
    started: Counter[tuple[str, str]] = Counter()
    for entry in ledger.entries:
        if entry.kind == "insert" and not (entry.held and entry.machine == ALWAYS):
            key = (entry.machine, entry.key)
            sure = entry.answered and not entry.may_be_lost and not entry.held
            most[key] += 1
            least[key] += sure
            started[key] += sure and entry.relay and entry.machine != ALWAYS
        elif entry.kind in _ROW_OF:
            low, high = _expected(entry)
            if not low <= by_reason[entry.key] <= high:
                yield f"{_shown(entry)}: {by_reason[entry.key]} times in the journal, not {low}" + (
                    f" to {high}" if high > low else ""
                )
            elif by_reason[entry.key] and kinds[entry.key] not in _ROW_OF[entry.kind]:
                yield f"{_shown(entry)}: in the journal as {kinds[entry.key]}"
    inserted = (row for row in rows if row.kind in _INSERTED and not row.held)
    found = Counter((row.machine, row.data["fob"]) for row in inserted)
    found_started = Counter((row.machine, row.data["fob"]) for row in rows if row.kind == "session_started")
    # A reader that seems to have restarted gets one line for that and for its card: see _reboots.
    blocked = Counter(row.machine for row in rows if row.kind == "rebooted" and row.data["card_blocked"])
    for key, times in most.items():
        missing = least[key] - found[key]
        if 0 < missing <= blocked[key[0]]:
            blocked[key[0]] -= missing
        elif not least[key] <= found[key] <= times:
            yield f"{key[0]}: card {key[1]} inserted {least[key]} to {times} times, in the journal {found[key]}"
        if found_started[key] < started[key]:
            yield f"{key[0]}: card {key[1]} had power {started[key]} times, sessions: {found_started[key]}"


def _expected(entry: Entry) -> tuple[int, int]:
    if not entry.answered or entry.may_be_lost or entry.held:
        return 0, 1
    changed = len(entry.already) < (2 if entry.kind == "clear" else 1) and "set_since" not in entry.already
    return int(changed), int(changed)


def _shown(entry: Entry) -> str:
    how = f"answered, already={entry.already}" if entry.answered else "not answered"
    return f"{entry.machine}: {entry.kind} {entry.key} ({how})"


def _order(ledger: Ledger, rows: list[Row]) -> Iterator[str]:
    """On each machine commands, and cards, are in the journal in the order in which they were asked for."""
    for chosen in ("insert", None):
        asked: dict[str, dict[str, int]] = defaultdict(dict)
        for entry in ledger.entries:
            if (entry.kind == "insert") != (chosen == "insert") or entry.kind in {"press", "remove"}:
                continue
            if not entry.held:
                asked[entry.machine].setdefault(entry.key, entry.number)
        last: dict[str, int] = {}
        for row in rows:
            key = row.data.get("fob") if chosen else row.reason
            number = asked[row.machine].get(str(key))
            if number is None or row.held:
                continue
            if number < last.get(row.machine, 0):
                how = f"line {row.id}, {row.kind} {row.data.get('refusal', '')} of {row.data['at']}"
                yield f"{row.machine}: {key} is in the journal after what was asked for later: {how}"
            last[row.machine] = number


def _reboots(shop: Audited, rows: list[Row]) -> Iterator[str]:
    """No reader of the load restarts. It may seem so to a server that was restarted after its clock was set."""
    for row in rows:
        if row.kind == "rebooted" and row.machine in MACHINES and not (shop.clock_jumped and len(shop.starts) > 1):
            yield f"{row.machine}: line {row.id} says that its reader has restarted"


def _states(shop: Audited, rows: list[Row], machines: dict[str, Any]) -> Iterator[str]:
    """The journal replayed gives the oops, the lock and the session that the API shows."""
    flags: dict[str, dict[str, Any]] = defaultdict(lambda: {"oops": None, "lock": None})
    open_sessions: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        data = row.data
        ended = data.get("ended")
        if ended:
            since = datetime.fromisoformat(ended["since"])
            if since in open_sessions[row.machine]:
                open_sessions[row.machine].remove(since)
            elif row.machine not in shop.exempt:
                yield f"{row.machine}: line {row.id} ends a session that had not begun, or had ended"
            if ended["seconds"] < 0:
                yield f"{row.machine}: line {row.id} ends a session after {ended['seconds']} s"
        if row.kind == "session_started":
            open_sessions[row.machine].append(datetime.fromisoformat(data["at"]))
        if row.kind in _FLAG_OF:
            flags[row.machine][_FLAG_OF[row.kind][0]] = data["flag"]
        for word in _CLEARS.get(row.kind, ()):
            flags[row.machine][word] = None
    for name in machines.keys() - shop.exempt:
        shown = machines[name]
        for word in ("oops", "lock"):
            wanted = flags[name][word] and flags[name][word]["reason"]
            if (shown[word] is None) != (flags[name][word] is None) or (
                shown[word] and shown[word]["reason"] != wanted
            ):
                yield f"{name}: {word} is {shown[word]}, and by the journal {flags[name][word]}"
        session = [datetime.fromisoformat(shown["session"]["since"])] if shown["session"] else []
        if session != open_sessions[name]:
            yield f"{name}: the session is {session}, and by the journal {open_sessions[name]}"


def _notices(shop: Audited, rows: list[Row]) -> Iterator[str]:
    """Every line that the journal's outcomes want in a channel is there, in order; twice as :func:`audit` allows."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for notice in notices(load_outcome(row.kind, row.text)):
            wanted[notice.channel].append(_bare(notice.text))
    for channel, where in CHANNELS.items():
        posts = shop.workspace.posts(where)
        posted = [line for post in posts for line in _lines(post)]
        there, expected = Counter(posted), Counter(wanted[channel])
        for text, times in (expected - there).items():
            yield f"{channel} channel: {times} of {expected[text]} missing: {text}"
        for text in _repeated(posts, expected + _under_way(shop, where), shop.may_repeat):
            yield f"{channel} channel: posted once more, {there[text]} times in all: {text}"
        position = {text: number for number, text in reversed(list(enumerate(posted)))}
        last: dict[str, int] = {}
        for text in wanted[channel]:
            if "reason-" not in text or text not in position:
                continue
            machine = text[:10]
            if position[text] < last.get(machine, -1):
                yield f"{channel} channel: out of order: {text}"
            last[machine] = max(position[text], last.get(machine, -1))


def _repeated(posts: list[Post], wanted: Counter[str], may_repeat: Callable[[float, float], bool]) -> Iterator[str]:
    """The lines that are there more often than they are wanted, and may be repeated."""
    seen: dict[str, list[float]] = defaultdict(list)
    for post in posts:
        for line in _lines(post):
            there = seen[line]
            if 0 < wanted[line] <= len(there):
                earlier = there[-1] if wanted[line] == 1 else there[0]  # which of them is repeated is not to be told
                if not may_repeat(earlier, post.at):
                    yield line
            there.append(post.at)


def _lines(post: Post) -> list[str]:
    return [_bare(line) for line in post.text.splitlines()]


def _bare(line: str) -> str:
    """A line of a post without the time of a late one, and without the summary that ends that of a clear."""
    return re.sub(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d \S+\] ", "", line).partition(" Out of use for ")[0]


def _under_way(shop: Audited, channel: str) -> Counter[str]:
    """The lines that were on their way when the server was stopped, before or after its end."""
    posts = shop.workspace.posts(channel)
    found = [post for stop in shop.stops for post in posts[max(stop[channel] - 1, 0) : stop[channel] + 1]]
    return Counter(line for post in found for line in _lines(post))


def _verified(shop: Audited, directory: Path) -> Iterator[str]:
    """What ``mac-actors verify`` finds."""
    found: list[str] = []
    verify(directory, found.append)
    for finding in found:
        jumped = shop.clock_jumped and "earlier" in finding
        if not jumped and not any(name in finding for name in shop.exempt):
            yield f"verify: {finding}"


def _log(shop: Audited) -> Iterator[str]:
    """No trace, and nothing that is said to be lost."""
    for line in shop.log().splitlines():
        if (
            line.startswith("Traceback")
            or LOST in line
            or "CRITICAL" in line.upper()
            or "are lost" in line
            or "watch over the fleet failed" in line
        ):
            yield f"log: {line}"


def _growth(shop: Audited) -> Iterator[str]:
    """Threads, descriptors and memory are what they were, within the stated slack."""
    before = shop.baseline
    if before is None:
        return
    try:
        until(lambda: shop.vitals().descriptors <= before.descriptors + MORE_DESCRIPTORS, "descriptors are closed", 15)
        until(lambda: shop.vitals().threads <= before.threads + MORE_THREADS + len(MACHINES), "threads have ended", 15)
    except TimeoutError as error:
        yield f"grown: {error}: {before} -> {shop.vitals()}"
    now = shop.vitals()
    if now.megabytes > before.megabytes + MORE_MEGABYTES:
        yield f"memory grew: {before} -> {now}"
