"""Notices: what is told in which channel, and in which order."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from mac_actors.core.inputs import Lock, Oops, Unlock, Unoops
from mac_actors.core.state import Source
from tests.fakes import PATIENCE
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.workspace import CONTROL, OOPS


def test_every_source_of_an_oops_is_told_once_in_each_channel(shop: Shop) -> None:
    sources = {"http": "HTTP", "cli": "the command line", "repl": "the Python shell", "slack": "Slack"}
    for source, shown in sources.items():
        for method, path in (("POST", "oops"), ("DELETE", "oops"), ("POST", "locked_out"), ("DELETE", "locked_out")):
            body = {"by": "Zoe", "reason": "r", "source": source}
            if source in {"http", "cli"}:
                assert shop.http.request(method, f"/api/machine/{path}/co2-laser", body).status == 200
            else:
                kind = {"oops": ("oops", "unoops"), "locked_out": ("lock", "unlock")}[path][method == "DELETE"]
                fleet_event(shop, kind, Source(source))
        shop.settle()
        assert shop.texts(CONTROL) == [
            f"CO2 Laser is oopsed, by Zoe, from {shown}: r.",
            f"CO2 Laser is no longer oopsed, by Zoe, from {shown}: r.",
            f"CO2 Laser is locked out for maintenance, by Zoe, from {shown}: r.",
            f"CO2 Laser is no longer locked out, by Zoe, from {shown}: r.",
        ]
        assert shop.texts(OOPS) == [
            "CO2 Laser is oopsed: r.",
            "CO2 Laser is no longer oopsed: r.",
            "CO2 Laser is locked out for maintenance: r.",
            "CO2 Laser is no longer locked out: r.",
        ]
        shop.begin()


def fleet_event(shop: Shop, kind: str, source: Source) -> None:
    event: Any = {"oops": Oops, "unoops": Unoops, "lock": Lock, "unlock": Unlock}[kind]
    shop.fleet.ask("co2-laser", event(datetime.now(UTC), source, "Zoe", "r"))


def test_the_button_at_the_machine_is_told_with_the_session_that_it_ends_in_one_line(shop: Shop) -> None:
    shop.report("metal-mill")
    shop.report("metal-mill", ADA_FOB)
    shop.report("metal-mill", ADA_FOB, oops=True)
    shop.report("metal-mill", ADA_FOB, oops=True)
    shop.report("metal-mill", ADA_FOB)
    shop.report("metal-mill")
    shop.settle()
    login, oops = shop.texts(CONTROL)
    assert login == "Metal Mill: Ada Example logged in."
    assert re.fullmatch(
        r"Metal Mill is oopsed, from the button at the machine\. Ada Example's session ended after \d+ s\.", oops
    )
    assert shop.texts(OOPS) == ["Metal Mill is oopsed."]


@pytest.mark.parametrize(("command", "word"), [("oops", "oopsed"), ("lock", "locked out for maintenance")])
def test_a_command_that_ends_a_session_says_so_in_its_one_line(shop: Shop, command: str, word: str) -> None:
    shop.report("metal-mill", ADA_FOB)
    shop.say(f"{command} Metal Mill")
    shop.report("metal-mill", ADA_FOB)
    shop.report("metal-mill")
    shop.settle()
    _login, line = shop.texts(CONTROL)
    assert re.fullmatch(rf"Metal Mill is {word}, by ada, from Slack\. Ada Example's session ended after \d+ s\.", line)
    assert shop.texts(OOPS) == [f"Metal Mill is {word}."]


def test_logins_refusals_logouts_overrides_and_reboots_are_told_in_the_control_channel_alone(shop: Shop) -> None:
    override = next(u for u in shop.service.configuration.directory.users if u.oops_override)
    shop.report("permissive-kiln", "1000001")
    shop.report("permissive-kiln")
    shop.report("table-saw", ADA_FOB)
    shop.report("table-saw", "9999999999")
    shop.report("table-saw")
    shop.say("lock Table Saw")
    shop.report("table-saw", ADA_FOB)
    shop.report("table-saw", override.fob_codes[0])
    shop.report("table-saw")
    shop.drained()
    shop.report("table-saw", uptime=1.0)
    shop.settle()
    shop.report("table-saw", uptime=100_000.0)
    texts = shop.texts(CONTROL)
    patterns = [
        r"Kiln: Ada Example logged in WITHOUT authorization \(warn only\)\.",
        r"Kiln: Ada Example's session ended after \d+ s\.",
        r"Table Saw: Ada Example was refused: not authorized\.",
        r"Table Saw: a card \(fob ending in 9999\) was refused: the fob is unknown\.",
        r"Table Saw is locked out for maintenance, by ada, from Slack\.",
        r"Table Saw: Ada Example was refused: the machine is locked out for maintenance\.",
        rf"Table Saw: {override.full_name} logged in by OVERRIDE of the oops or lock-out\.",
        rf"Table Saw: {override.full_name}'s override session ended after \d+ s\.",
        r"Table Saw: the reader restarted\.",
    ]
    assert len(texts) == len(patterns), texts
    for text, pattern in zip(texts, patterns, strict=True):
        assert re.fullmatch(pattern, text)
    assert shop.texts(OOPS) == ["Table Saw is locked out for maintenance."]


def test_an_actor_that_was_restarted_is_said_in_the_control_channel_once(shop: Shop) -> None:
    shop.fleet["drill_press"].actor_ref.stop(timeout=PATIENCE)
    shop.wait_for_texts(1)
    shop.settle()
    [text] = shop.texts(CONTROL)
    assert text.startswith("The actor of drill_press had stopped and ")
    assert not shop.texts(OOPS)


def test_posts_about_a_machine_come_in_the_order_in_which_things_happened_to_it(shop: Shop) -> None:
    machines = list(shop.fleet)

    def busy(name: str) -> None:
        for number in range(5):
            for method in ("POST", "DELETE"):
                reply = shop.http.request(method, f"/api/machine/oops/{name}", {"reason": f"{number}"})
                assert reply.status == 200, reply

    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(busy, machines))
    shop.settle()
    for channel in (CONTROL, OOPS):
        lines = [line for text in shop.texts(channel) for line in text.splitlines()]
        for name in machines:
            shown = shop.state(name).display_name
            mine = [line for line in lines if line.startswith(f"{shown} is ")]
            numbers = [int(line.removesuffix(" Power is on.").rpartition(": ")[2].rstrip(".")) for line in mine]
            assert numbers == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], mine
            assert ["no longer" in line for line in mine] == [False, True] * 5


def test_commands_given_one_after_the_other_are_told_in_that_order(shop: Shop) -> None:
    for _ in range(4):
        shop.say("oops Metal Mill")
        shop.say("clear Metal Mill")
    shop.settle()
    texts = shop.texts(CONTROL)
    assert len(texts) == 8
    assert all(("no longer" in a) != ("no longer" in b) for a, b in pairwise(texts))
    assert "no longer" not in texts[0]
