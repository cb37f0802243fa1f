"""What holds whatever happens, in whatever order, at the reader, in the network and in the server."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tests.e2e.processes import PATIENCE, ServerProcess
from tests.firmware.conftest import MakeReader
from tests.firmware.link import Link
from tests.firmware.reader import ADA, BJORN, PATIENT_MS, UNKNOWN, Fact, Reader
from tests.firmware.test_keys import key_of
from tests.firmware.test_network import poke

pytestmark = pytest.mark.firmware

ROUNDS, STEPS = 8, 6


@pytest.fixture
def reader(make_reader: MakeReader, server: ServerProcess, seed: int) -> Reader:
    """The reader of the table saw, at rest; by turns without a key and with one."""
    return make_reader(key=key_of(server) if seed % 2 else "")


@pytest.mark.parametrize("seed", range(5))
def test_the_relay_is_on_only_while_a_card_is_in_that_may_and_oops_is_not_pressed(
    reader: Reader, link: Link, server: ServerProcess, seed: int
) -> None:
    dice = random.Random(seed)
    at_the_reader = {
        "card in": lambda: reader.do("card in"),
        "card out": lambda: reader.do("card out"),
        "read": lambda: reader.do(f"code {dice.choice([BJORN, BJORN, ADA, UNKNOWN])}"),
        "put in": lambda: reader.card_in(BJORN),
        "oops": lambda: reader.do("oops pressed"),
        "let go": lambda: reader.do("oops released"),
        "poke": lambda: poke(reader, "table-saw"),
        "time": lambda: reader.later(dice.choice([0.6, 1, 10, PATIENT_MS / 1000])),
    }
    elsewhere = {
        "well": link.be_well,
        "hang": link.hang,
        "hold": link.hold,
        "cut": link.cut,
        "clear": lambda: server.call("POST", "/api/machine/clear/table-saw"),
        "lock": lambda: server.call("POST", "/api/machine/locked_out/table-saw"),
    }
    for _ in range(ROUNDS):
        start(reader, link, server)
        done = []
        for _ in range(STEPS):
            steps = at_the_reader if dice.random() < 0.6 else elsewhere
            done.append(dice.choice(list(steps)))
            steps[done[-1]]()
        assert_safe(reader.facts, done)
    start(reader, link, server)


def start(reader: Reader, link: Link, server: ServerProcess) -> None:
    """Have all well, and the machine running: that is possible whatever has happened."""
    link.be_well()
    reader.do("oops released")
    reader.do("card out")
    link.skip()
    reader.later(10)
    link.next_report()  # it may have been made before all this, and be late
    reader.later(10)
    while (told := link.next_report()).body["oops"] or told.body["rfid_value"] or not told.answered.wait(PATIENCE):
        reader.later(10)
    server.call("POST", "/api/machine/clear/table-saw")
    before = len(reader.lines)
    reader.card_in(BJORN)
    reader.wait_for("relay on", before)


def assert_safe(facts: Sequence[Fact], done: Sequence[str]) -> None:
    """Go through all that happened at the reader, and look at the relay each time."""
    card, pressed, code, on = False, False, "", False
    for fact in facts:
        part, _, value = fact.what.removeprefix("seen ").partition(" ")
        match part:
            case "card":
                card = value == "in"
                code = code if card else ""
            case "oops":
                pressed = value == "pressed"
            case "code":
                code = value
            case "relay":
                on = value == "on"
        assert not on or (card and not pressed and code == BJORN), f"{fact} after {done}"
