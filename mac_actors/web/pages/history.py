"""The page of one machine. Its charts are drawn from its tables (static/charts.js)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import bottle

from mac_actors.core.config import MachineConfig
from mac_actors.core.outcomes import kind
from mac_actors.core.people.trainers import trained_by
from mac_actors.core.phrases import Phrase, joined, phrase
from mac_actors.core.text import duration
from mac_actors.core.wording import full_text, public_text
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage.history.history import History
from mac_actors.storage.history.values import DAYS
from mac_actors.storage.records import Entry
from mac_actors.web.access import Access
from mac_actors.web.api.usage import running_sessions
from mac_actors.web.limiter import JOURNAL
from mac_actors.web.pages.board import page_kind, stamp
from mac_actors.web.pages.html import language, render
from mac_actors.web.pages.notes import Notes
from mac_actors.web.pages.tiles import BUTTONS, Board, Tile, TileContent
from mac_actors.web.requests import number

EVENTS = 30
"""Lines of the timeline on one page."""

DONE = 20
"""Of the last maintenance so much is shown."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

DAYTIME = range(8, 22)
"""Hours that are shown even if nobody came in them."""

HARDLY = 0.03
"""An hour of the night that is in use for less of the time is left out."""

LEVELS = (0.02, 0.15, 0.35, 0.6)
"""From these shares of time in use on an hour is coloured one step darker."""

CHANCES = ((0.15, phrase("free")), (0.5, phrase("maybe in use")), (math.inf, phrase("in use")))
"""What an hour usually is, by the share of its time in use: the first that is larger."""

COMING = 12
"""Hours from now on that a page shows by themselves."""


@dataclass(frozen=True, slots=True)
class Hour:
    """A row of the week: an hour of the day, and how much of it was in use on each weekday, 0 to 100."""

    hour: int
    percent: tuple[int, ...]
    levels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chance:
    """What a machine usually is in an hour, in words, and how dark that is (0 to 4)."""

    hour: int
    word: str
    level: int


def routes(
    app: bottle.Bottle, fleet: MachineFleet, access: Access, history: History, live: Board, notes: Notes
) -> None:
    """Add the page."""

    @app.get("/machines/<name:path>", limit=JOURNAL)
    def machine(name: str) -> bytes:
        viewer = access.viewer(bottle.request.environ)
        cursor = live.view().cursor  # what changes from here on is told to the page
        seen = fleet.snapshot(name)
        running = next((one for one in running_sessions(fleet) if one.machine == seen.name), None)
        past = history.machine(seen.name, running)
        before = number("before", bottle.request.query.get("before") or None)
        page = fleet.store.page(machine=seen.name, before=before, limit=EVENTS)
        done = fleet.store.page(machine=seen.name, kind="maintenance_done", limit=DONE)
        config = fleet.configuration.machines.get(seen.name)
        tile_kind = page_kind(viewer)
        return render(
            "machine.tpl",
            viewer,
            machine=seen if viewer.names else seen.without_names(),
            state_now=Tile(TileContent.of(seen), 0).html(tile_kind, viewer.names),
            cursor=cursor,
            said=notes.take(bottle.request.query.get("said", "")),
            stamp=stamp(viewer, tile_kind),
            buttons=BUTTONS,
            always_on=config is not None and config.always_enabled,
            second=config.second_relay if config else None,
            past=past,
            needs=needs(fleet, config, names=viewer.names) if config else None,
            coming=coming(past.week, now := datetime.now().astimezone()),
            today=today(past.week, now),
            week=week(past.week),
            busiest=busiest(past.week),
            weekdays=WEEKDAYS,
            signals=hourly(fleet.wifi.of(seen.name)),
            events=[Event.of(entry, names=viewer.names) for entry in page.entries],
            done=[Event.of(entry, names=viewer.names) for entry in done.entries],
            before=before,
            older=page.next,
            days=DAYS,
            share=share,
            duration=duration,
        )


def week(shares: Sequence[Sequence[float]]) -> list[Hour]:
    """Return the hours of the day from the first that is more than hardly in use to the last, the day's in any case."""
    used = [hour for hour in range(24) if hour in DAYTIME or any(day[hour] > HARDLY for day in shares)]
    return [
        Hour(
            hour,
            tuple(round(day[hour] * 100) for day in shares),
            tuple(_level(day[hour]) for day in shares),
        )
        for hour in range(used[0], used[-1] + 1)
    ]


def coming(shares: Sequence[Sequence[float]], now: datetime) -> list[Chance]:
    """Return what the hours from now on usually are."""
    return [_chance(shares, now.weekday() * 24 + now.hour + n) for n in range(COMING)]


def today(shares: Sequence[Sequence[float]], now: datetime) -> Phrase:
    """Say what the rest of this day usually is: ``free until 17, in use until 20, then free``."""
    last = max([hour for hour in range(24) if hour in DAYTIME or shares[now.weekday()][hour] > HARDLY])
    hours = [_chance(shares, now.weekday() * 24 + hour) for hour in range(now.hour, max(last, now.hour) + 1)]
    spans = [(word, [*same][-1].hour + 1) for word, same in groupby(hours, key=lambda chance: chance.word)]
    *before, (final, _) = spans
    if not before:
        return phrase("{state} for the rest of the day", state=final)
    until = joined(", ", (phrase("{state} until {hour}", state=word, hour=end) for word, end in before))
    return phrase("{before}, then {state}", before=until, state=final)


def _chance(shares: Sequence[Sequence[float]], hour_of_week: int) -> Chance:
    weekday, hour = divmod(hour_of_week % 168, 24)
    share = shares[weekday][hour]
    return Chance(hour, next(word for below, word in CHANCES if share < below), _level(share))


def _level(share: float) -> int:
    return sum(share >= level for level in LEVELS)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a member needs to use a machine: one of these authorizations; and who trains for it."""

    authorizations: tuple[str, ...]
    warn_only: bool
    trainers: tuple[str, ...] | None
    """Their names, ``None`` where names are hidden; there are ``number``."""
    number: int


def needs(fleet: MachineFleet, config: MachineConfig, *, names: bool) -> Needs:
    """Return what is needed for a machine."""
    now, directory = datetime.now(UTC), fleet.configuration.directory
    found = sorted(user.full_name for user in directory.users if trained_by(user, directory, (config,), now))
    wanted = tuple(sorted(config.authorizations_or, key=str.casefold))
    return Needs(wanted, config.unauthorized_warn_only, tuple(found) if names else None, len(found))


def busiest(shares: Sequence[Sequence[float]]) -> tuple[str, int, int] | None:
    """Return weekday, hour and percent of the hour that is most in use; ``None``: none is."""
    most = max((day[hour], -weekday, -hour) for weekday, day in enumerate(shares) for hour in range(24))
    return (WEEKDAYS[-most[1]], -most[2], round(most[0] * 100)) if most[0] >= 0.005 else None


def hourly(samples: Iterable[tuple[datetime, int | None]]) -> list[tuple[datetime, int | None, int | None]]:
    """Return hour (local), median and worst signal (dBm) of each hour of the samples; ``None`` for a silent one."""
    hours: dict[datetime, list[int]] = {}
    for at, value in samples:
        found = hours.setdefault(at.astimezone().replace(minute=0, second=0, microsecond=0), [])
        if value is not None:
            found.append(value)
    return [(hour, round(statistics.median(v)) if v else None, min(v, default=None)) for hour, v in hours.items()]


def share(seconds: float, length: float) -> Phrase:
    """Return a share of time in percent, with a decimal where it is small."""
    if length <= 0 or seconds <= 0:
        return Phrase("0 %")
    percent = 100 * seconds / length
    if percent < 0.1:
        return phrase("under {percent:.1f} %", percent=0.1)
    return Phrase("{percent:.1f} %" if percent < 10 else "{percent:.0f} %", percent=percent)


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline."""

    kind: str
    at: datetime
    text: str

    @classmethod
    def of(cls, entry: Entry, *, names: bool) -> Event:
        """Return a line of the journal, without the machine's name where it begins with that and a colon."""
        outcome = entry.outcome
        text = language().say(full_text(outcome) if names else public_text(outcome))
        text = text.removeprefix(f"{outcome.display_name}: ")
        return cls(kind(outcome), outcome.at, text[:1].upper() + text[1:])
