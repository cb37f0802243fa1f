"""What the stand-in workspace knows and has seen, as plain values. All times are `time.monotonic()`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Json = dict[str, Any]


class SlackError(Exception):
    """An answer with "ok": false."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.answer: Json = {"ok": False, "error": error, **more}


@dataclass(frozen=True)
class Call:
    """A request to the Web API (or a response_url, method "response_url"), as it arrived, whatever became of it."""

    method: str
    params: Mapping[str, Any]
    at: float


@dataclass(frozen=True)
class Post:
    """A message that the workspace took."""

    channel: str
    ts: str
    text: str
    blocks: Sequence[Json]
    thread_ts: str | None
    broadcast: bool
    at: float
    params: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Ephemeral:
    """A message that only one member sees."""

    channel: str
    user: str
    text: str
    blocks: Sequence[Json]
    thread_ts: str | None
    at: float


@dataclass(frozen=True)
class Update:
    """A change of a message by chat.update."""

    channel: str
    ts: str
    text: str
    blocks: Sequence[Json]
    at: float


@dataclass(frozen=True)
class Answer:
    """What was sent to the response_url of a slash command or button."""

    url: str
    text: str
    blocks: Sequence[Json]
    in_channel: bool
    replace_original: bool
    delete_original: bool
    at: float


@dataclass(frozen=True)
class View:
    """A modal that the bot opened, or somebody's App Home."""

    id: str
    user: str
    view: Json
    at: float

    @property
    def hash(self) -> str:
        return f"{self.at}.{self.id}"

    @property
    def callback_id(self) -> str:
        return str(self.view.get("callback_id", ""))

    @property
    def private_metadata(self) -> str:
        return str(self.view.get("private_metadata", ""))


@dataclass(frozen=True)
class Canvas:
    """A canvas with the Markdown that was last given for the whole of it."""

    id: str
    channel: str | None
    title: str
    markdown: str


@dataclass(frozen=True)
class Ack:
    """The acknowledgement of an envelope; `took` is the time since the envelope was sent."""

    envelope_id: str
    payload: Json | None
    at: float
    took: float


class Suggested(NamedTuple):
    """The options that the app has for what was typed; `took` is the time since that was sent. Slack allows 3 s."""

    options: list[Json]
    took: float


@dataclass
class User:
    id: str
    display_name: str
    real_name: str
    deleted: bool = False
    is_bot: bool = False
    email: str = ""
    confirmed: bool = True
    """Whether the address is confirmed: nobody is found by one that isn't."""
    stranger: bool = False
    """Whether they are of another workspace, in a shared channel."""


@dataclass
class Channel:
    id: str
    name: str
    private: bool
    members: list[str]
    archived: bool = False


class State:
    """Everything recorded, behind one condition that is notified of each change."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.calls: list[Call] = []
        self.posts: list[Post] = []
        self.current: dict[tuple[str, str], Post] = {}
        self.ephemerals: list[Ephemeral] = []
        self.updates: list[Update] = []
        self.answers: list[Answer] = []
        self.views: list[View] = []
        self.suggested: dict[str, list[Json]] = {}
        """By modal, the options that were suggested in it."""
        self.homes: dict[str, View] = {}
        """What each user sees in App Home."""
        self.canvases: dict[str, Canvas] = {}
        self.pins: list[tuple[str, str]] = []
        """Pinned messages, by channel and ts."""
        self.threads: dict[tuple[str, str], str] = {}
        """By channel and ts of every message, people's too, the ts of the message that begins its thread."""
        self.locked: set[tuple[str, str]] = set()
        """Messages whose threads are locked."""
        self.triggers: dict[str, tuple[str, float]] = {}
        self.exchanged: set[str] = set()
        self.response_urls: dict[str, int] = {}
        """How often each can still be used."""
        self._count = 0
        self._last_ts = 0

    def number(self) -> int:
        """A number never given before."""
        with self.changed:
            self._count += 1
            return self._count

    def ts(self) -> str:
        """A message timestamp: the time, unique and increasing."""
        with self.changed:
            self._last_ts = max(time.time_ns() // 1000, self._last_ts + 1)
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def wait_for(self, predicate: Callable[[], bool], timeout: float, told: Callable[[], str]) -> None:
        """Wait until the predicate holds; a TimeoutError says what there was instead."""
        end = time.monotonic() + timeout
        with self.changed:
            while not predicate():
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"not within {timeout} s: {told()}")
                # The slices serve predicates that look at more than this workspace.
                self.changed.wait(min(left, 0.05))
