"""What Home Assistant takes as the description of a device, by its documentation of MQTT discovery.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and the pages of the platforms, with what its own
``homeassistant/components/mqtt/schemas.py`` demands: device, components and origin are required; a device has an
identifier; each component names its platform and, to be a part of a device, has a unique id.
"""

from __future__ import annotations

from typing import Any

TOPIC = {"type": "string", "minLength": 1, "maxLength": 65535, "pattern": "^[^+#\\u0000]+$"}
TEXT = {"type": "string"}

COMMON = {
    "platform": TEXT,
    "name": TEXT,
    "unique_id": TEXT,
    "icon": {"type": "string", "pattern": "^mdi:[a-z-]+$"},
    "entity_category": {"enum": ["config", "diagnostic"]},
    "qos": {"enum": [0, 1, 2]},
}

BINARY_SENSOR_CLASSES = [
    *("battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas", "heat"),
    *("light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power", "presence", "problem"),
    *("running", "safety", "smoke", "sound", "tamper", "update", "vibration", "window"),
]


def _platform(name: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "if": {"properties": {"platform": {"const": name}}},
        "then": {
            "properties": COMMON | properties,
            "required": ["platform", "unique_id", *required],
            "additionalProperties": False,
        },
    }


COMPONENT = {
    "type": "object",
    "properties": {"platform": {"enum": ["binary_sensor", "sensor", "lock", "button"]}},
    "required": ["platform"],
    "allOf": [
        _platform(
            "binary_sensor",
            ["state_topic"],
            state_topic=TOPIC,
            value_template=TEXT,
            payload_on=TEXT,
            payload_off=TEXT,
            device_class={"enum": BINARY_SENSOR_CLASSES},
        ),
        _platform(
            "sensor",
            ["state_topic"],
            state_topic=TOPIC,
            value_template=TEXT,
            device_class={"enum": ["enum", "timestamp", "duration", "current"]},
            state_class={"enum": ["measurement", "total", "total_increasing"]},
            options={"type": "array", "items": TEXT, "minItems": 1},
            unit_of_measurement=TEXT,
        ),
        _platform(
            "lock",
            ["command_topic"],
            state_topic=TOPIC,
            command_topic=TOPIC,
            value_template=TEXT,
            payload_lock=TEXT,
            payload_unlock=TEXT,
            state_locked=TEXT,
            state_unlocked=TEXT,
        ),
        _platform("button", ["command_topic"], command_topic=TOPIC, payload_press=TEXT),
    ],
}

DEVICE = {
    "type": "object",
    "properties": {
        "device": {
            "type": "object",
            "properties": {
                "identifiers": {"type": "array", "items": TEXT, "minItems": 1},
                **dict.fromkeys(("name", "manufacturer", "model", "sw_version", "hw_version", "suggested_area"), TEXT),
            },
            "required": ["identifiers"],
            "additionalProperties": False,
        },
        "origin": {
            "type": "object",
            "properties": {"name": TEXT, "sw_version": TEXT, "support_url": TEXT},
            "required": ["name"],
            "additionalProperties": False,
        },
        "components": {"type": "object", "additionalProperties": COMPONENT, "minProperties": 1},
        "availability_topic": TOPIC,
        "payload_available": TEXT,
        "payload_not_available": TEXT,
        "state_topic": TOPIC,
        "qos": {"enum": [0, 1, 2]},
    },
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
}
