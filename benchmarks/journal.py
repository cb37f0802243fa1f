"""A long journal, made up by the database itself: members begin and end sessions, and now and then one is refused."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing

from benchmarks.servers import Shop
from mac_actors.storage.sqlite.engine import DATABASE

A_DAY = 5000
"""Lines: 500 machines with five sessions each."""

BYTES = 450
"""That a line takes on disk with its places in the indices; once more is wanted, for what else is written there."""

_MEMBER = """'{"account_id":"' || who || '","full_name":"Member ' || who || '"}'"""
_COMMON = """'{"machine":"m' || machine || '","display_name":"Machine ' || machine || '","at":"' || at || '",'"""
_DATA = {
    "session_started": f"""{_COMMON} || '"user":' || {_MEMBER}
        || ',"session":"authorized","second":"none","fob":"' || who || '"}}'""",
    "session_refused": f"""{_COMMON} || '"refusal":"unknown","user":null,"fob":"9' || who || '"}}'""",
    "session_ended": f"""{_COMMON} || '"ended":{{"user":' || {_MEMBER} || ',"kind":"authorized","since":"' || since
        || '","seconds":1800.0,"reason":"card_removed"}}}}'""",
}
_TIME = "strftime('%Y-%m-%dT%H:%M:%f', {}, 'unixepoch') || '000+00:00'"
_LINES = f"""
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :lines),
    line AS (
        SELECT i, i / 2 % :machines AS machine, 1 + i / 2 % :users AS who,
               CASE WHEN i % 20 = 0 THEN 'session_refused'
                    WHEN i % 2 THEN 'session_ended' ELSE 'session_started' END AS kind,
               {_TIME.format(":now - (:lines - i) * :step")} AS at,
               {_TIME.format(":now - (:lines - i) * :step - 1800")} AS since
        FROM n
    )
    INSERT INTO journal (id, at, machine, kind, account_id, seconds, data)
    SELECT i, at, 'm' || machine, kind, CASE kind WHEN 'session_refused' THEN NULL ELSE who END,
           CASE kind WHEN 'session_ended' THEN 1800.0 END,
           CASE kind {" ".join(f"WHEN '{kind}' THEN {data}" for kind, data in _DATA.items())} END
    FROM line
"""


def fill(shop: Shop, lines: int, machines: int | None = None, users: int = 1000) -> None:
    """Put so many lines into the empty journal of a shop whose server has run; the last are of today."""
    if not lines:
        return
    free = shutil.disk_usage(shop.directory).free
    if free < 2 * BYTES * lines:
        raise RuntimeError(f"{lines:,} lines need {2 * BYTES * lines / 1e9:.0f} GB of disk, {free / 1e9:.0f} are free")
    with closing(sqlite3.connect(shop.state / DATABASE, isolation_level=None)) as database:
        for word in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            database.execute(f"PRAGMA {word}")
        indices = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'journal' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indices:
            database.execute(f"DROP INDEX {name}")
        database.execute("DELETE FROM journal")
        given = {"lines": lines, "machines": machines or shop.machines, "users": users}
        database.execute(_LINES, given | {"now": time.time(), "step": 86400 / A_DAY})
        for _, sql in indices:
            database.execute(sql)
