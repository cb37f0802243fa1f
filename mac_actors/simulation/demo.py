"""The demo: a server on the sample configuration, simulated readers, and an admin who clears what was oopsed."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

from mac_actors.actors.notifier import PrintedChat
from mac_actors.core.inputs import Clear
from mac_actors.core.state import Source
from mac_actors.service.service import Service
from mac_actors.settings import Settings
from mac_actors.simulation.readers import ReaderPlan, simulate

PACE = 8.0
"""How much faster than in life people come and go."""

REPAIR = timedelta(seconds=25)
"""How long the demo's admin takes to mend and clear a machine."""


def settings_for(directory: Path, given: Settings) -> Settings:
    """Lay out the sample configuration in ``directory`` and return settings that use it, and no Slack."""
    for name in ("machines.json", "users.json"):
        with (files("mac_actors") / "samples" / name).open("rb") as source, (directory / name).open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return replace(
        given,
        machines_config=directory / "machines.json",
        users_config=directory / "users.json",
        state_dir=directory / "machine_state",
        slack=None,
        tls_cert=None,
        tls_key=None,
    )


def run(settings: Settings, stop: threading.Event, say: Callable[[str], None], command: str) -> None:
    """Run the demo until ``stop`` is set. The notices that Slack would get are said as they come.

    ``command`` is how mac-actors is called here.
    """
    service = Service(settings, PrintedChat(say))
    service.start()
    try:
        say(f"The server runs at {service.server.url} with {len(service.fleet)} machines and simulated readers.")
        say(f"Look at  {service.server.url}/  (the board; the API is at /docs); or, in another terminal:")
        say(f"    {command} status --url {service.server.url}")
        say("Below is what Slack would be told, channel by channel. Ctrl-C ends the demo.")
        say("")
        asyncio.run(_people(service, stop))
    finally:
        service.stop()


async def _people(service: Service, stop: threading.Event) -> None:
    ended = asyncio.Event()
    plan = ReaderPlan(
        fobs=[code for user in service.fleet.configuration.directory.users for code in user.fob_codes],
        token=service.settings.tokens.reader,
        pace=PACE,
        oops=True,
    )
    readers = asyncio.create_task(
        simulate(service.server.url, list(service.fleet), len(service.fleet), plan, stop=ended)
    )
    while not stop.is_set() and not readers.done():
        _mend(service)
        await asyncio.to_thread(stop.wait, 0.5)
    ended.set()
    await readers


def _mend(service: Service) -> None:
    now = datetime.now(UTC)
    for machine in service.fleet.snapshots():
        if machine.oops and now - machine.oops.since > REPAIR:
            service.fleet.ask(machine.name, Clear(now, Source.CLI, "the demo's admin", "mended"))
