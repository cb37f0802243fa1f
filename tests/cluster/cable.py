"""A cable to a TCP port, of the database or of a server: what goes wrong on it is the test's to say."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from tests.e2e.processes import PATIENCE, free_port

_HEAD = 1000
"""So many of its first bytes tell whose a connection is: PostgreSQL's clients give their names there."""


class Cable:
    """A proxy before a port of this computer.

    ``only`` chooses connections by what is among their first bytes: the name of one of PostgreSQL's clients (with
    ``sslmode=disable``), or the path of a request. Each fault lasts until :meth:`mend`.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.refused: bytes | None = None
        self.held: bytes | None = None
        self.delayed: tuple[float, bytes] = (0.0, b"")
        self.traps: list[Trap] = []
        self.wires: set[Wire] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen)

    def cut(self, only: bytes = b"", *, reset: bool = True) -> None:
        """End what is connected, by RST or by FIN. New connections come about."""
        self._do(lambda: self._cut(only, reset=reset))

    def refuse(self, only: bytes = b"") -> None:
        """End what is connected, and let nothing connect any more."""

        def refuse() -> None:
            self.refused = only
            if self._server and not only:
                self._server.close()
                self._server = None
            self._cut(only, reset=True)

        self._do(refuse)

    def hold(self, only: bytes = b"") -> None:
        """Let nothing through, and say nothing: a black hole. What was sent meanwhile arrives when it is over."""
        self._do(lambda: setattr(self, "held", only))

    def delay(self, seconds: float, only: bytes = b"") -> None:
        """Let everything arrive so much later, in both directions."""
        self._do(lambda: setattr(self, "delayed", (seconds, only)))

    def mend(self) -> None:
        """Pass everything on, also what was held back."""

        def mend() -> None:
            self.refused = self.held = None
            self.delayed = (0.0, b"")
            for wire in list(self.wires):
                wire.flow()

        self._do(mend)
        self._do(self._listen)

    def cut_in(self, what: bytes) -> threading.Event:
        """Let half of the next message with ``what`` in it through, and reset the connection; set when that is done."""
        return self._trap(Trap(what, answered=False))

    def cut_behind(self, what: bytes, passes: float = 0.0) -> threading.Event:
        """Let the next message with ``what`` in it through, and of its answer as much as ``passes`` says (0.5: half).

        The connection is reset then.
        """
        return self._trap(Trap(what, answered=True, passes=passes))

    def close(self) -> None:
        """End all of it."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _trap(self, trap: Trap) -> threading.Event:
        self._do(lambda: self.traps.append(trap))
        return trap.sprung

    def _do(self, what: Callable[[], object]) -> None:
        """Do something in the cable's own thread, and wait for that."""
        done: Future[None] = Future()

        async def do() -> None:
            try:
                result = what()
                if asyncio.iscoroutine(result):
                    await result
                await asyncio.sleep(0)  # what it has closed is closed in the loop's next turn
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        asyncio.run_coroutine_threadsafe(do(), self._loop)
        done.result(PATIENCE)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await self._loop.create_server(lambda: Wire(self).near, "127.0.0.1", self.port)

    def _cut(self, only: bytes, *, reset: bool) -> None:
        for wire in list(self.wires):
            if only in wire.head:
                wire.end(reset=reset)


class Trap:
    """What is to happen to one message."""

    def __init__(self, what: bytes, *, answered: bool, passes: float = 0.0) -> None:
        self.what = what
        self.answered = answered
        self.passes = passes
        self.sprung = threading.Event()


class End(asyncio.Protocol):
    """One end of a connection."""

    transport: asyncio.Transport | None = None

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.queue: deque[tuple[float, bytes | None]] = deque()
        """What is to be sent here, and when; ``None`` is the end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self is self.wire.near:
            self.wire.begin()

    def data_received(self, data: bytes) -> None:
        self.wire.came(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.wire.came(self, None)

    def end(self, *, reset: bool) -> None:
        transport, self.transport = self.transport, None
        if transport is None:
            return
        if reset:
            sock: socket.socket = transport.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()


class Wire:
    """One connection on a cable: ``near`` is the client's end."""

    def __init__(self, cable: Cable) -> None:
        self.cable = cable
        self.near, self.far = End(self), End(self)
        self.head = b""
        self._trapped: Trap | None = None
        self._connecting: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The client has connected."""
        self.cable.wires.add(self)
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.far, "127.0.0.1", self.cable.target)
        except OSError:
            self.end(reset=True)
        self.flow()

    def came(self, end: End, data: bytes | None) -> None:
        """Something came from one end, or its end; ``None``."""
        cable, other = self.cable, self.far if end is self.near else self.near
        if end is self.near and data and len(self.head) < _HEAD:
            self.head += data
        if data and (trap := self._trapped) and end is self.far:
            self._spring(trap, other, data)
            return
        if data and end is self.near:
            for trap in cable.traps:
                if trap.what in data:
                    cable.traps.remove(trap)
                    if not trap.answered:
                        trap.passes = 0.5
                        self._spring(trap, other, data)
                        return
                    self._trapped = trap
                    break
        if cable.refused and cable.refused in self.head:
            self.end(reset=True)
            return
        seconds, only = cable.delayed
        late = seconds if only in self.head else 0.0
        other.queue.append((asyncio.get_running_loop().time() + late, data))
        self.flow()

    def flow(self) -> None:
        """Pass on what may be passed on now."""
        if self.cable.held is not None and self.cable.held in self.head:
            return
        loop = asyncio.get_running_loop()
        for end in (self.far, self.near):
            while end.queue and (end.transport or end is self.near):
                due, data = end.queue[0]
                if (left := due - loop.time()) > 0:
                    loop.call_later(left, self.flow)
                    break
                end.queue.popleft()
                if data is None:
                    end.end(reset=False)
                elif end.transport:
                    end.transport.write(data)
        if not (self.near.transport or self.far.transport or (self._connecting and not self._connecting.done())):
            self.cable.wires.discard(self)

    def end(self, *, reset: bool) -> None:
        """End it at both ends."""
        self.near.queue.clear()
        self.far.queue.clear()
        self.near.end(reset=reset)
        self.far.end(reset=reset)

    def _spring(self, trap: Trap, end: End, data: bytes) -> None:
        if end.transport and (passes := data[: int(len(data) * trap.passes)]):
            end.transport.write(passes)
        # A reset would overtake what was sent: at this end it is a FIN. The other one is reset.
        end.end(reset=not trap.passes)
        self.end(reset=True)
        trap.sprung.set()
