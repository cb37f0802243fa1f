"""Stops a machine whose firmware takes no pokes: presses the restart button of its reader, by ESPHome's native API.

The relay falls as the board restarts, and its first report ends all doubt. Each attempt has a connection and a time
limit of its own, in one thread for all of them: one that hangs holds up nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from mac_actors import clock
from mac_actors.core.config import MachineConfig
from mac_actors.core.text import one_line
from mac_actors.errors import MachineUnavailable
from mac_actors.settings.api_keys import ApiKeys

if TYPE_CHECKING:
    from aioesphomeapi.client import APIClient

log = logging.getLogger(__name__)

PORT = 6053
"""Where ESPHome's native API is."""

BUTTON = "Reboot ESP"
"""The name of the restart button in dm_mac's firmware."""

SECONDS = 5.0
"""How long an attempt may take in all. By then the reader's own report is near."""

RESTART_SECONDS = 2.0
"""How long a board may take from the press of its button until it hangs up: 0.1 s by itself."""

ONCE_IN_SECONDS = 60.0
"""A reader is restarted once in this time at the most: it reports as soon as it is up."""


class NativeApi:
    """The way to the native API, for any thread. :meth:`restart` never blocks."""

    def __init__(self, keys: ApiKeys, port: int | None = None) -> None:
        self.keys = keys
        """Replaced when they are read anew."""
        self.notify: Callable[[str], None] = log.warning
        """Takes what people must know."""
        self.port = port or PORT
        self._tried: dict[str, float] = {}
        self.troubles: dict[str, str | None] = {}
        """What went wrong with the last restart of each machine's reader; ``None``: nothing did."""
        self._stopping = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="native-api", daemon=True)
        self._thread.start()

    def restart(self, machine: MachineConfig, address: str, needed: Callable[[], bool]) -> None:
        """Restart the reader at ``address``, if there is a key for it, and if that is ``needed`` still."""
        key, now = self.keys.of(machine.name), clock.seconds()
        if key is None or now - self._tried.get(machine.name, -math.inf) < ONCE_IN_SECONDS:
            return
        self._tried[machine.name] = now
        asyncio.run_coroutine_threadsafe(self._restart(machine, address, key, needed), self._loop)

    def try_out(self, machine: MachineConfig, address: str) -> float | None:
        """Look whether a restart would do; returns the seconds that it took, ``None`` without a key.

        Raises :class:`MachineUnavailable` with what is wrong.
        """
        key, begun = self.keys.of(machine.name), clock.seconds()
        if key is None:
            return None
        looking = asyncio.run_coroutine_threadsafe(self._attempt(self._look, machine, address, key), self._loop)
        try:
            why = looking.result(2 * SECONDS)
        except (TimeoutError, CancelledError):
            why = "the server had no time to look"
        if why is not None:
            raise MachineUnavailable(f"the native API of its reader does not do: {why}")
        return clock.seconds() - begun

    def close(self) -> None:
        """Leave what is under way, and stop."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(5.0)

    def _run(self) -> None:
        with suppress(ImportError):  # a second, which the first restart should not take
            import_module("aioesphomeapi.client")
            import_module("aioesphomeapi._frame_helper.noise")

        logging.getLogger("aioesphomeapi").setLevel(logging.CRITICAL)  # what people must know is said here
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._stopping.wait())

    # for the thread alone

    async def _restart(self, machine: MachineConfig, address: str, key: str, needed: Callable[[], bool]) -> None:
        async def press(client: APIClient, stopped: asyncio.Event) -> None:
            if needed():
                client.button_command(_KEY)
                await _within(
                    RESTART_SECONDS, stopped.wait(), f"its button {BUTTON!r} was pressed, and it did not restart"
                )

        why = await self._attempt(press, machine, address, key)
        before, self.troubles[machine.name] = self.troubles.get(machine.name), why
        if why is not None and why != before:
            self.notify(
                f"{machine.display_name}: its reader could not be restarted at once, so the machine stops only "
                f"when it reports next: {why}. To try again: mac-actors readers poke {machine.name}"
            )

    @staticmethod
    async def _look(client: APIClient, _stopped: asyncio.Event) -> None:
        entities, _ = await client.list_entities_services()
        if not any(entity.key == _KEY for entity in entities):
            raise _Trouble(f"it has no button {BUTTON!r}")

    async def _attempt(
        self, do: Callable[[APIClient, asyncio.Event], Awaitable[None]], machine: MachineConfig, address: str, key: str
    ) -> str | None:
        """Connect and ``do`` something, within the time limit; returns what went wrong, ``None`` if nothing did."""
        from aioesphomeapi import client as library
        from aioesphomeapi import core as errors

        stopped = asyncio.Event()

        async def on_stop(_expected: bool) -> None:
            stopped.set()

        client = library.APIClient(
            address, self.port, noise_psk=key, expected_name=machine.name, client_info="mac-actors", provide_time=False
        )

        async def connect_and_do() -> None:
            await client.connect(on_stop, log_errors=False)
            await do(client, stopped)

        try:
            await _within(SECONDS, connect_and_do(), f"{address} does not answer within {SECONDS:g} s")
        except _Trouble as trouble:
            return str(trouble)
        except errors.BadNameAPIError as error:
            return f"the board at {address} is called {one_line(error.received_name)!r}, not {machine.name!r}"
        except (errors.RequiresEncryptionAPIError, errors.EncryptionPlaintextAPIError):
            return f"{address} speaks without encryption; its configuration needs a key under api, encryption"
        except errors.InvalidEncryptionKeyAPIError:
            return f"{address} refuses the key"
        except (errors.APIConnectionError, OSError):
            return f"no connection with {address}, port {self.port}; does its firmware have api there?"
        except Exception:
            log.exception("the native API of %s failed", machine.name)
            return "the server made a mistake; its log says which"
        finally:
            client.force_disconnect()
        return None


class _Trouble(Exception):  # noqa: N818 - it is said to people
    """What went wrong, in words."""


async def _within(seconds: float, what: Awaitable[object], otherwise: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            await what
    except TimeoutError:
        raise _Trouble(otherwise) from None


def entity_key(name: str) -> int:
    """Return the number by which ESPHome knows an entity: FNV-1, 32 bits, of its name in small letters."""
    key = 2166136261
    for byte in re.sub(r"[^a-z0-9_-]", "_", name.lower()).encode():
        key = (key * 16777619) % 2**32 ^ byte
    return key


_KEY = entity_key(BUTTON)
