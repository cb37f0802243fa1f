"""What is published: states and Home Assistant's discovery; and which messages are commands."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from mac_actors.core.inputs import Clear, Lock, Oops
from mac_actors.core.state import Source, Status
from mac_actors.mqtt.commands import read_command
from mac_actors.mqtt.messages import Topics, devices, states
from tests.fakes import ANN, ODD_ALIAS, open_fleet, report
from tests.mqtt.schema import DEVICE

TOPICS = Topics("mac-actors")
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def published(*, names: bool = False, commands: bool = False) -> dict[str, Any]:
    """What is retained of the sample shop while Ann runs the mill and the router is out of use."""
    with open_fleet() as fleet:
        report(fleet, "metal-mill", ANN)
        fleet.ask("router", Oops(NOW, Source.CLI, "Olga Oppermann", "by Bob", "by a member"))
        fleet.ask("router", Lock(NOW, Source.CLI, None, "new belt"))
        found = states(TOPICS, fleet.snapshots(), names=names)
        found += devices(TOPICS, fleet.configuration.machines.values(), commands=commands)
        return {topic: json.loads(payload) for topic, payload in found}


def test_the_state_of_a_machine_says_all_and_names_only_where_names_are_public() -> None:
    found, full = published(), published(names=True)
    mill = found["mac-actors/machine/metal-mill"]
    assert mill | {"status_since": ""} == {
        "name": "Metal Mill",
        "status": "in_use",
        "status_since": "",
        "in_use": True,
        "oopsed": False,
        "locked": False,
        "power": True,
        "online": True,
        "reason": None,
        "user": None,
    }
    assert full["mac-actors/machine/metal-mill"]["user"] == "Ann Able"
    router = found["mac-actors/machine/router"]
    assert (router["status"], router["power"], router["online"]) == ("oopsed_locked_out", False, False)
    assert router["reason"] == "by a member; new belt"
    assert full["mac-actors/machine/router"]["reason"] == "by Bob; new belt"
    assert found["mac-actors/shop"] == {"machines": 5, "in_use": 1, "oopsed": 1, "locked": 1, "offline": 4}
    assert not re.search("Able|Bob|Oppermann", json.dumps(found))


@pytest.mark.parametrize("commands", [False, True])
def test_the_discovery_is_what_home_assistants_documentation_describes(commands: bool) -> None:
    found = published(commands=commands)
    devices = {topic: body for topic, body in found.items() if topic.startswith("homeassistant/")}
    assert len(devices) == 6
    unique: list[str] = []
    for topic, body in devices.items():
        assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)
        jsonschema.validate(body, DEVICE)
        for entity in body["components"].values():
            unique.append(entity["unique_id"])
            assert ("command_topic" in entity) is (entity["platform"] in {"lock", "button"})
            if "state_topic" in entity:
                # every template asks for something that is there
                (key,) = re.findall(r"value_json\.(\w+)", entity["value_template"])
                assert key in found[entity["state_topic"]]
    assert len(unique) == len(set(unique))
    laser = devices["homeassistant/device/mac-actors_laser/config"]
    assert laser["device"]["name"] == ODD_ALIAS
    assert laser["availability_topic"] == "mac-actors/availability"
    classes = {key: entity.get("device_class") for key, entity in laser["components"].items()}
    assert classes["oopsed"] == "problem"
    assert (classes["power"], classes["online"], classes["status"]) == ("power", "connectivity", "enum")
    assert laser["components"]["status"]["options"] == [status.value for status in Status]
    assert laser["components"]["lock"]["platform"] == ("lock" if commands else "binary_sensor")
    assert ("oops" in laser["components"]) is commands


def test_two_shops_at_one_broker_have_nothing_in_common() -> None:
    one, other = Topics("shop/one"), Topics("shop/two")
    assert one.machine("laser") == "shop/one/machine/laser"
    assert one.discovery("laser") == "homeassistant/device/shop_one_laser/config"
    assert one.discovery("laser") != other.discovery("laser")
    assert one.name_in("shop/one/machine/laser/command") == "laser"


def test_a_command_is_a_word_or_an_object_with_a_reason() -> None:
    assert read_command(b" lock\n", NOW) == Lock(NOW, Source.MQTT)
    text = json.dumps({"command": "clear", "reason": "done\u0000\n by now"}).encode()
    assert read_command(text, NOW) == Clear(NOW, Source.MQTT, None, "done by now")


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"LOCK", b"start", b"\xff", b"{", b"{}", b'{"command": []}', b'{"command": "lock", "reason": 5}'),
        *(b'{"a":' * 300, b"lock" * 1000),
    ],
)
def test_anything_else_is_none(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_command(payload, NOW)
