"""The admins' calls for the readers' keys."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

import bottle

from mac_actors.core.config import MachineConfig
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.wording import origin
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.reader_keys import KeyRefused
from mac_actors.web.access import Access, Caller
from mac_actors.web.api.openapi import Operation
from mac_actors.web.api.request_models import AdminBody
from mac_actors.web.api.responses.common import SuccessBody, json_of
from mac_actors.web.api.responses.readers import KeyStateBody, ReaderBody, ReaderKeyBody, ReadersBody
from mac_actors.web.errors import RequestRefused
from mac_actors.web.requests import parse_body, read_body

T = TypeVar("T")


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the routes."""
    keys = fleet.reader_keys

    def check_access() -> Caller:
        return access.check_admin_call(bottle.request.environ)

    def change(name: str, how: Callable[[MachineConfig, str], T], gone: Collection[str] = ()) -> tuple[str, T]:
        caller = check_access()
        body = parse_body(AdminBody, read_body(bottle.request.environ) or b"{}")
        machine = MachineConfig(name) if name in gone else fleet.configuration.machines[fleet.find(name)]
        try:
            return machine.name, how(machine, origin(body.source, caller.name or body.by))
        except KeyRefused as refused:
            raise RequestRefused(409, str(refused)) from None

    def changing(summary: str, result: type[ReaderKeyBody | SuccessBody]) -> Operation:
        return Operation(summary, result, errors=(409, 503), body=AdminBody, security="admin")

    @app.get("/api/readers", api=Operation("All readers: which have keys", ReadersBody, security="admin"))
    def readers() -> bytes:
        check_access()
        gone = [
            ReaderBody(machine=name, display_name=name, key=key_state(name, None), gone=True) for name in keys_of_gone()
        ]
        return json_of(ReadersBody(readers=[*(reader_body(machine) for machine in fleet.snapshots()), *gone]))

    @app.post("/api/reader/<name:path>/key", api=changing("Give a reader a key", ReaderKeyBody))
    def add(name: str) -> bytes:
        machine, key = change(name, keys.add)
        return json_of(ReaderKeyBody(machine=machine, key=key))

    @app.put(
        "/api/reader/<name:path>/key",
        api=changing("Give a reader a new key; both are good until it is used", ReaderKeyBody),
    )
    def rotate(name: str) -> bytes:
        machine, key = change(name, keys.rotate)
        return json_of(ReaderKeyBody(machine=machine, key=key))

    @app.delete("/api/reader/<name:path>/key", api=changing("Take a reader its keys: it reports unsigned", SuccessBody))
    def revoke(name: str) -> bytes:
        change(name, keys.revoke, gone=keys_of_gone())
        return json_of(SuccessBody(), exclude_none=True)

    def reader_body(machine: Snapshot) -> ReaderBody:
        return ReaderBody(
            machine=machine.name,
            display_name=machine.display_name,
            key=key_state(machine.name, machine.last_checkin),
            firmware=machine.telemetry.firmware,
            last_checkin=machine.last_checkin,
        )

    def keys_of_gone() -> list[str]:
        return sorted(name for name in keys.machines() if name not in fleet.configuration.machines)

    def key_state(name: str, last_checkin: datetime | None) -> KeyStateBody | None:
        held = keys.get(name)
        if held is None:
            return None
        # No report counts without the key: the last one that did was made with it, if any was.
        used, new = held.key.used_since, held.new
        last = max(used, last_checkin or used) if used else None
        return KeyStateBody(since=held.key.since, last_used=last, rotating_since=new.since if new else None)
