"""What is published: topics and payloads, and Home Assistant's discovery. Pure.

Discovery is of devices: one message describes a machine with all its entities
(https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from mac_actors.core.config import MachineConfig
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Status
from mac_actors.version import VERSION

ONLINE, OFFLINE = b"online", b"offline"

_ORIGIN = {"name": "mac-actors", "sw_version": VERSION}

Message = tuple[str, bytes]
"""A topic and what is retained there; nothing: what was retained there is removed."""


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Topics:
    """All topics of a server, below ``base``."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.availability = f"{base}/availability"
        self.shop = f"{base}/shop"
        self.own = f"{base}/+"
        self.machines = f"{base}/machine/+"
        self.commands = f"{base}/machine/+/command"

    def machine(self, name: str) -> str:
        """Where a machine's state is."""
        return f"{self.base}/machine/{name}"

    def command(self, name: str) -> str:
        """Where commands for a machine are expected."""
        return f"{self.base}/machine/{name}/command"

    def discovery(self, name: str) -> str:
        """Where Home Assistant looks for a machine, or for the shop (no name)."""
        return f"homeassistant/device/{self.identifier(name)}/config"

    def identifier(self, name: str) -> str:
        """What Home Assistant knows a machine by, or the shop (no name): no other device has it."""
        return re.sub("[^a-zA-Z0-9_-]", "_", f"{self.base}_{name}" if name else self.base)

    def name_in(self, topic: str) -> str:
        """Return which machine a topic below ``machine/`` is about."""
        return topic[len(self.machine("")) :].partition("/")[0]


def removal(topics: Topics, name: str) -> list[Message]:
    """Return what removes a machine that is no longer configured."""
    return [(topics.machine(name), b""), (topics.discovery(name), b"")]


def states(topics: Topics, machines: Iterable[Snapshot], *, names: bool) -> list[Message]:
    """Return what machines and shop are like now; ``names``: with the names of users."""
    shown = [machine if names else machine.without_names() for machine in machines]
    found = [(topics.machine(machine.name), _json(_state(machine))) for machine in shown]
    return [(topics.shop, _json(_shop(shown))), *found]


def devices(topics: Topics, machines: Iterable[MachineConfig], *, commands: bool) -> list[Message]:
    """Return how Home Assistant is told of them."""
    described = [(machine.name, _device(topics, machine, commands=commands)) for machine in machines]
    return [(topics.discovery(name), _json(device)) for name, device in [("", _shop_device(topics)), *described]]


def _shop(machines: list[Snapshot]) -> dict[str, int]:
    return {
        "machines": len(machines),
        "in_use": sum(machine.status is Status.IN_USE for machine in machines),
        "oopsed": sum(machine.oops is not None for machine in machines),
        "locked": sum(machine.lock is not None for machine in machines),
        "offline": sum(not machine.online for machine in machines),
    }


def _state(machine: Snapshot) -> dict[str, Any]:
    reasons = [flag.reason for flag in (machine.oops, machine.lock) if flag and flag.reason]
    return {
        "name": machine.display_name,
        "status": machine.status,
        "status_since": machine.status_since.isoformat(timespec="seconds"),
        "in_use": machine.status is Status.IN_USE,
        "oopsed": machine.oops is not None,
        "locked": machine.lock is not None,
        "power": machine.relay,
        "online": machine.online,
        "reason": "; ".join(reasons)[:250] or None,
        "user": (machine.session.full_name or None) if machine.session else None,
    }


def _flag(key: str, name: str, device_class: str | None = None, **more: str) -> dict[str, Any]:
    """Return an entity that is on or off."""
    template = f"{{{{ 'ON' if value_json.{key} else 'OFF' }}}}"
    kind = {"device_class": device_class} if device_class else {}
    return {"platform": "binary_sensor", "name": name, "value_template": template, **kind, **more}


def _device(topics: Topics, machine: MachineConfig, *, commands: bool) -> dict[str, Any]:
    entities = {
        "status": {
            "platform": "sensor",
            "name": "Status",
            "device_class": "enum",
            "options": [status.value for status in Status],
            "value_template": "{{ value_json.status }}",
        },
        "in_use": _flag("in_use", "In use", "running"),
        "oopsed": _flag("oopsed", "Oopsed", "problem"),
        "power": _flag("power", "Power", "power"),
        "online": _flag("online", "Reader", "connectivity", entity_category="diagnostic"),
        "reason": {
            "platform": "sensor",
            "name": "Reason",
            "icon": "mdi:text",
            "value_template": "{{ value_json.reason or '' }}",
        },
    }
    command = {"command_topic": topics.command(machine.name)}
    if commands:
        entities["lock"] = {
            "platform": "lock",
            "name": "Maintenance lock",
            "value_template": "{{ 'LOCKED' if value_json.locked else 'UNLOCKED' }}",
            "payload_lock": "lock",
            "payload_unlock": "unlock",
            **command,
        }
        for word, icon in (("oops", "mdi:alert"), ("clear", "mdi:check")):
            entities[word] = {
                "platform": "button",
                "name": word.capitalize(),
                "payload_press": word,
                "icon": icon,
                **command,
            }
    else:
        # Home Assistant's class "lock" is on for what is unlocked; an entity that locks would need a command.
        entities["lock"] = {
            "platform": "binary_sensor",
            "name": "Maintenance lock",
            "device_class": "lock",
            "value_template": "{{ 'OFF' if value_json.locked else 'ON' }}",
        }
    return _described(topics, machine.name, machine.display_name, "Machine", topics.machine(machine.name), entities)


def _shop_device(topics: Topics) -> dict[str, Any]:
    def number(key: str, name: str) -> dict[str, Any]:
        template = f"{{{{ value_json.{key} }}}}"
        return {"platform": "sensor", "name": name, "state_class": "measurement", "value_template": template}

    entities = {
        "in_use": number("in_use", "Machines in use"),
        "oopsed": number("oopsed", "Machines oopsed"),
        "locked": number("locked", "Machines locked out"),
        "offline": number("offline", "Readers offline"),
        "problem": _flag("oopsed", "Any machine oopsed", "problem"),
    }
    return _described(topics, "", "Machines of the shop", "Server", topics.shop, entities)


def _described(
    topics: Topics, name: str, label: str, model: str, state: str, entities: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    identifier = topics.identifier(name)
    for key, entity in entities.items():
        entity["unique_id"] = f"{identifier}_{key}"
        if entity["platform"] != "button":
            entity["state_topic"] = state
    return {
        "device": {"identifiers": [identifier], "name": label, "manufacturer": "mac-actors", "model": model},
        "origin": _ORIGIN,
        "availability_topic": topics.availability,
        "qos": 1,
        "components": entities,
    }
