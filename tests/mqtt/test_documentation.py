"""The examples for Home Assistant are what its documentation of automations describes, and their entities exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml  # type: ignore[import-untyped]

from mac_actors.core.config import MachineConfig
from mac_actors.mqtt.messages import Topics, devices

PAGE = Path(__file__).parents[2] / "docs" / "mqtt.rst"

ENTITY = {"type": "string", "pattern": r"^[a-z_]+\.[a-z0-9_]+$"}
ENTITIES = {"oneOf": [ENTITY, {"type": "array", "items": ENTITY, "minItems": 1}]}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


STATE = {"type": "string"}
TRIGGER = _object(
    ["trigger", "entity_id"],
    trigger={"const": "state"},
    entity_id=ENTITIES,
    to=STATE,
    **{"for": {"type": "string", "pattern": r"^\d\d:\d\d:\d\d$"}},
)
CONDITION = _object(["condition", "entity_id", "state"], condition={"const": "state"}, entity_id=ENTITIES, state=STATE)
CALL = _object(["action"], action=ENTITY, target=_object(["entity_id"], entity_id=ENTITIES), data={"type": "object"})
CHOICE = _object(
    ["if", "then"],
    **{"if": {"type": "array", "items": CONDITION}},
    then={"type": "array", "items": CALL},
    **{"else": {"type": "array", "items": CALL}},
)
AUTOMATION = _object(
    ["triggers", "actions"],
    alias={"type": "string"},
    triggers={"type": "array", "items": TRIGGER, "minItems": 1},
    conditions={"type": "array", "items": CONDITION},
    actions={"type": "array", "items": {"anyOf": [CALL, CHOICE]}, "minItems": 1},
)
"""https://www.home-assistant.io/docs/automation/yaml/, as far as the examples go."""


def test_the_automations_are_what_home_assistant_takes_and_ask_for_entities_that_there_are() -> None:
    blocks = re.findall(r"^\.\. code-block:: yaml\n\n((?:   .*\n|\n)+)", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    assert len(blocks) == 2
    machines = [MachineConfig(name, alias=alias) for name, alias in (("saw", "Table Saw"), ("band", "Band Saw"))]
    known = set()
    for _, payload in devices(Topics("mac-actors"), machines, commands=False):
        device = yaml.safe_load(payload)
        for entity in device["components"].values():
            words = f"{device['device']['name']} {entity['name']}"
            known.add(f"{entity['platform']}.{words.lower().replace(' ', '_')}")
    for block in blocks:
        automations = yaml.safe_load(block)
        for automation in automations:
            jsonschema.validate(automation, AUTOMATION)
        asked = set(re.findall(r"binary_sensor\.\w+", block))
        assert asked <= known
