"""What the bot did in the workspace, for tests to look at and to wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.fakes import PATIENCE

from .records import Answer, Call, Canvas, Ephemeral, Post, State, Update, View
from .socket_mode import SocketMode


class Seen:
    """Waiting methods raise a TimeoutError that says what there was instead. Times are `time.monotonic()`."""

    _state: State
    _sockets: SocketMode

    @property
    def calls(self) -> list[Call]:
        """All requests, in the order in which they came, also those that a fault met."""
        with self._state.changed:
            return list(self._state.calls)

    def calls_to(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def posts(self, channel: str | None = None) -> list[Post]:
        """The posts taken, as they were taken."""
        with self._state.changed:
            return [post for post in self._state.posts if channel in (None, post.channel)]

    def message(self, channel: str, ts: str) -> Post:
        """A post as it is now, after its updates."""
        with self._state.changed:
            return self._state.current[channel, ts]

    def updates(self, channel: str | None = None) -> list[Update]:
        with self._state.changed:
            return [update for update in self._state.updates if channel in (None, update.channel)]

    def ephemerals(self, channel: str | None = None) -> list[Ephemeral]:
        with self._state.changed:
            return [one for one in self._state.ephemerals if channel in (None, one.channel)]

    @property
    def answers(self) -> list[Answer]:
        """What was sent to response_urls; `Delivery.answers()` has those of one interaction."""
        with self._state.changed:
            return list(self._state.answers)

    @property
    def views(self) -> list[View]:
        with self._state.changed:
            return list(self._state.views)

    @property
    def homes(self) -> dict[str, View]:
        """What each user sees in App Home."""
        with self._state.changed:
            return dict(self._state.homes)

    @property
    def canvases(self) -> list[Canvas]:
        with self._state.changed:
            return list(self._state.canvases.values())

    @property
    def pins(self) -> list[tuple[str, str]]:
        """Channel and ts of the messages that are pinned."""
        with self._state.changed:
            return list(self._state.pins)

    # Waiting.

    def wait_for(self, predicate: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until the predicate holds."""
        self._state.wait_for(predicate, timeout, lambda: f"the last calls: {self.calls[-5:]}")

    def wait_for_posts(self, channel: str, n: int = 1, timeout: float = PATIENCE) -> list[Post]:
        """The posts of a channel, once there are at least n."""
        self._state.wait_for(lambda: len(self.posts(channel)) >= n, timeout, lambda: self._told(self.posts(channel)))
        return self.posts(channel)

    def wait_for_ephemerals(self, channel: str, n: int = 1, timeout: float = PATIENCE) -> list[Ephemeral]:
        self._state.wait_for(
            lambda: len(self.ephemerals(channel)) >= n, timeout, lambda: self._told(self.ephemerals(channel))
        )
        return self.ephemerals(channel)

    def wait_for_updates(self, channel: str, n: int = 1, timeout: float = PATIENCE) -> list[Update]:
        self._state.wait_for(
            lambda: len(self.updates(channel)) >= n, timeout, lambda: self._told(self.updates(channel))
        )
        return self.updates(channel)

    def wait_for_views(self, n: int = 1, timeout: float = PATIENCE) -> list[View]:
        self._state.wait_for(lambda: len(self.views) >= n, timeout, lambda: self._told(self.views))
        return self.views

    def wait_connected(self, n: int = 1, timeout: float = PATIENCE) -> None:
        """Wait until websockets were opened n times in all and one is open now."""
        self._state.wait_for(
            lambda: self.connections_made >= n and self.connected > 0,
            timeout,
            lambda: f"{self.connections_made} connections made, {self.connected} open",
        )

    @property
    def connections_made(self) -> int:
        """How many websockets were ever opened."""
        return self._sockets.made

    @property
    def connected(self) -> int:
        """How many websockets are open now."""
        return len(self._sockets.open_links())

    def _told(self, found: Iterable[object]) -> str:
        return f"only {list(found)}; the last calls: {self.calls[-5:]}"
