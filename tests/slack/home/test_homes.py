"""App Home: who is linked sees their machines, sessions and switches; who isn't, what is open to all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mac_actors.core.config import MachineConfig, User
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Flag, MachineState, Source
from mac_actors.slack.home import homes
from mac_actors.slack.home.links import Switch
from mac_actors.slack.home.view import SWITCHES, Member, home
from mac_actors.storage.slack_users import link_of
from tests.fakes import wait_until
from tests.slack.conftest import MakeShop
from tests.slack.shop import ADA_FOB
from tests.slack.standin.checks import complaints_about_view
from tests.slack.standin.workspace import ADA, BOB, EVE, Workspace


@pytest.fixture(autouse=True)
def _quick_homes(quick: pytest.MonkeyPatch) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(homes, "PACE_SECONDS", 0.0)
        patch.setattr(homes, "RETRY", (0.05, 0.2))
        patch.setattr("mac_actors.fleet.watch.WATCH_SECONDS", 0.02)
        yield


@pytest.fixture
def ada(workspace: Workspace) -> None:
    """Ada Lovelace of Slack has the address of Ada Example."""
    workspace.add_user(ADA, "ada", "Ada Lovelace", email="user1@example.org")


def lines(view: dict[str, Any]) -> list[str]:
    return [line for block in view["blocks"] if "text" in block for line in block["text"]["text"].splitlines()]


def shown(workspace: Workspace, user: str) -> list[str]:
    home = workspace.homes.get(user)
    return lines(home.view) if home else []


def opened(workspace: Workspace, user: str, word: str = "") -> list[str]:
    """What is seen in a Home that is opened now, once the word is in it."""
    before = len(workspace.calls_to("views.publish"))
    workspace.open_home(user).acked()
    workspace.wait_for(lambda: len(workspace.calls_to("views.publish")) > before)
    workspace.wait_for(lambda: word in "\n".join(shown(workspace, user)))
    return shown(workspace, user)


def part(text: list[str], heading: str) -> list[str]:
    at = text.index(heading) + 1
    headings = ("Machines that", "Out of use: ", "Your last", "Direct mess")
    end = next((n for n in range(at, len(text)) if text[n].startswith(headings)), len(text))
    return text[at:end]


@pytest.mark.usefixtures("ada")
def test_a_member_sees_their_machines_incidents_sessions_and_switches(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    shop.report("metal-mill", ADA_FOB)
    shop.report("metal-mill")
    shop.say("oops Metal Mill: belt")
    shop.say("lock Table Saw", user=BOB)
    shop.report("wood-lathe", ADA_FOB)
    text = opened(workspace, ADA, "it still runs")
    assert text[0] == "You are Ada Example (account 1001)."
    mine = part(text, "Machines that you may use")
    assert mine[0].startswith("Metal Mill: oopsed since ")
    assert not [line for line in mine if "Table Saw" in line]
    out = part(text, "Out of use: 2 machines, the oldest first")
    assert [line.partition(":")[0] for line in out] == ["Metal Mill", "Table Saw"]
    assert "bob" not in "\n".join(text)
    running, over = part(text, "Your last sessions")
    assert running.startswith("Wood Lathe: ")
    assert over.startswith("Metal Mill: ")
    home = workspace.homes[ADA].view
    assert not complaints_about_view(home)
    [boxes] = home["blocks"][-1]["elements"]
    assert boxes["initial_options"] == boxes["options"]


@pytest.mark.usefixtures("ada")
def test_a_switch_is_remembered_and_shown(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    opened(workspace, ADA)
    workspace.check_boxes(SWITCHES).acked()
    workspace.wait_for(lambda: "initial_options" not in workspace.homes[ADA].view["blocks"][-1]["elements"][0])
    link = link_of(shop.fleet.store, ADA)
    assert link
    assert link.switched_off == (Switch.MISSING,)
    shop.stop()
    make_shop()
    opened(workspace, ADA)
    workspace.check_boxes(SWITCHES, Switch.MISSING).acked()
    workspace.wait_for(lambda: "initial_options" in workspace.homes[ADA].view["blocks"][-1]["elements"][0])


def test_who_is_not_linked_sees_what_is_open_to_all_and_how_to_be_linked(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    shop.report("metal-mill", ADA_FOB)
    text = opened(workspace, EVE, "in use")
    assert text[0].startswith("I don't know who you are")
    assert "link @you" in text[0]
    assert "Machines" in text
    assert "Direct messages to me" not in text
    assert "Ada" not in "\n".join(text)
    shop.say(f"link <@{EVE}> 1002")
    assert opened(workspace, EVE, "Björn")[0] == "You are Björn Sample (account 1002)."


def test_another_tab_publishes_nothing(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.open_home(EVE, "messages").acked()
    workspace.open_home(EVE, "about").acked()
    shop.settle()
    assert not workspace.calls_to("views.publish")


def test_an_open_home_follows_and_one_that_was_left_does_not(
    make_shop: MakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop()
    opened(workspace, EVE)
    shop.say("oops Metal Mill: belt")
    workspace.wait_for(lambda: any("belt" in line for line in shown(workspace, EVE)))
    published = len(workspace.calls_to("views.publish"))
    shop.say("status")
    shop.settle()
    assert len(workspace.calls_to("views.publish")) == published
    monkeypatch.setattr(homes, "OPEN_SECONDS", 0.0)
    shop.say("clear Metal Mill")
    shop.settle()
    assert any("belt" in line for line in shown(workspace, EVE))


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("method", ["views.publish", "users.lookupByEmail"])
def test_a_home_is_published_when_slack_is_back_with_what_is_so_then(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    shop = make_shop()
    workspace.fail(method, "internal_error")
    workspace.open_home(ADA).acked()
    workspace.wait_for(lambda: len(workspace.calls_to(method)) >= 2)
    shop.say("oops Metal Mill: the latest")
    shop.settle()
    assert not workspace.homes
    workspace.mend()
    workspace.wait_for(lambda: any("the latest" in line for line in shown(workspace, ADA)))
    said = [record.message for record in caplog.records if "App Home" in record.message]
    assert said == [f"the App Home of {ADA} can't be published: Slack answered internal_error"]


def test_a_rate_limit_is_obeyed(make_shop: MakeShop, workspace: Workspace) -> None:
    make_shop()
    workspace.rate_limit("views.publish", retry_after=1)
    workspace.open_home(EVE).acked()
    workspace.wait_for(lambda: bool(workspace.homes))
    first, second = workspace.calls_to("views.publish")
    assert second.at - first.at >= 0.9


def test_a_home_tab_that_is_switched_off_is_said_once_and_left(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop()
    workspace.disable_home()
    for _ in range(2):
        workspace.open_home(EVE).acked()
        wait_until(lambda: "not_enabled" in caplog.text)
        shop.settle()
    assert len([r for r in caplog.records if "not_enabled" in r.message]) == 1
    workspace.disable_home(disabled=False)
    assert opened(workspace, EVE)


def test_the_home_of_a_very_large_shop_fits() -> None:
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    oops = Flag(now, Source.SLACK, "ada", "ß" * 1000)
    state = MachineState(now, oops=oops)
    machines = [Snapshot.of(MachineConfig(f"m{n}", alias="M" * 80), state, now) for n in range(500)]
    for member in (None, Member(User("1", "Ada", "Ada", "Ada"), {m.name for m in machines}, False, [], [])):
        view = home(machines, member)
        assert not complaints_about_view(view)
