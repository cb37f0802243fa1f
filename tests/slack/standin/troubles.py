"""How the workspace is made to misbehave, and what its people and owners do to the app's plans."""

from __future__ import annotations

from . import websocket
from .endpoint import Endpoint
from .faults import Fault, Faults
from .rates import Rates
from .records import Post, State
from .server import Server
from .socket_mode import Drop, SocketMode
from .web_api import WebApi


class Troubles:
    """A method is a name such as "chat.postMessage", or "response_url"; None means all of them."""

    _state: State
    _faults: Faults
    _api: WebApi
    _sockets: SocketMode
    _endpoint: Endpoint
    _server: Server

    def down(self) -> None:
        """Refuse connections and reset those that are open."""
        self._server.down()
        self._faults.release()

    def up(self) -> None:
        """Be reachable again, at the same address."""
        self._server.up()

    def slow(self, seconds: float, method: str | None = None) -> None:
        """Let requests wait before they are carried out. Zero, or `mend`, lets those that wait go at once. A request
        whose client gave up meanwhile is not carried out.
        """
        self._faults.delay(seconds, method)

    def rate_limit(self, method: str | None = None, retry_after: int = 1, times: int | None = 1) -> None:
        """Answer 429 with Retry-After."""
        self._faults.add(Fault("rate_limit", method, times=times, retry_after=retry_after))

    def fail(self, method: str | None, error: str, times: int | None = None, channel: str | None = None) -> None:
        """Answer with an error such as channel_not_found; times=0 takes it back."""
        self._faults.add(Fault("error", method, channel, times=times, error=error))

    def cut_answers(self, method: str | None = None, times: int | None = 1) -> None:
        """Carry requests out, then close the connection instead of answering."""
        self._faults.add(Fault("cut", method, times=times))

    def http_error(self, status: int = 503, times: int | None = 1, method: str | None = None) -> None:
        """Answer with an HTTP status and a page that is no JSON."""
        self._faults.add(Fault("http_error", method, times=times, status=status))

    def disable_messages(self, disabled: bool = True) -> None:
        """Have an owner of the app switch its direct messages off, or on again."""
        self._api.messages_tab = not disabled

    def mend(self) -> None:
        """Take back all faults (but not `down`)."""
        self._sockets.refusing = None
        self._api.messages_tab = True
        self._state.locked.clear()
        self._api.canvases.locked.clear()
        self._faults.mend()

    def refuse_sockets(self, refused: bool = True, error: str = "internal_error") -> None:
        """Let apps.connections.open fail, and websockets with it; open ones stay."""
        self._sockets.refusing = error if refused else None

    def drop_socket(self, how: Drop = "reset") -> None:
        """End the open websockets: "reset" (RST), "fin" (without a close frame) or "close" (with one)."""
        self._sockets.drop(how)

    def silence_socket(self) -> None:
        """Let the open websockets die without a sign: no pong, no event, no close. A new one works."""
        self._sockets.silence()

    def say_on_socket(self, text: str) -> None:
        """Send a text that is no envelope."""
        for link in self._sockets.open_links():
            link.connection.send(websocket.frame(websocket.TEXT, text.encode()))

    def silence_next_socket(self) -> None:
        """Let the next websocket die in that way before it has answered anything."""
        self._sockets.born_silent = 1

    def refresh_socket(self, seconds: float = 10.0) -> None:
        """Warn the client that its websockets will be closed in 10 s, as Slack does every few hours."""
        self._sockets.refresh_seconds = seconds
        self._sockets.refresh()

    def disable_socket_mode(self) -> None:
        """Switch Socket Mode off in the app's settings: websockets are closed, and opening one is not allowed."""
        self._sockets.disable()

    def lock_thread(self, message: Post) -> None:
        """Let nobody reply to a message any more, until `mend`."""
        with self._state.changed:
            self._state.locked.add((message.channel, message.ts))

    def delete_message(self, message: Post) -> None:
        """Somebody deletes a message: it can neither be updated nor replied to."""
        with self._state.changed:
            del self._state.current[message.channel, message.ts]
            del self._state.threads[message.channel, message.ts]

    def people_make_canvas(self, channel: str, markdown: str) -> None:
        """Somebody makes the channel's canvas."""
        with self._state.changed:
            self._api.canvases.create_in_channel(channel, {"document_content": {"markdown": markdown}})

    def delete_canvas(self, canvas: str) -> None:
        """Somebody deletes a canvas."""
        with self._state.changed:
            del self._state.canvases[canvas]

    def lock_canvas(self, canvas: str) -> None:
        """Keep the app out of a canvas, until `mend`."""
        with self._state.changed:
            self._api.canvases.locked.add(canvas)

    def disable_home(self, disabled: bool = True) -> None:
        """Switch the Home tab off in the app's settings."""
        self._api.home_enabled = not disabled

    def keep_rates(self) -> None:
        """Answer 429 to calls that come too often, from now on."""
        self._endpoint.rates = Rates()

    @property
    def free_plan(self) -> bool:
        """Whether the workspace pays nothing, and so has no canvases but one tab a channel."""
        return self._api.canvases.free_plan

    @free_plan.setter
    def free_plan(self, free: bool) -> None:
        self._api.canvases.free_plan = free
