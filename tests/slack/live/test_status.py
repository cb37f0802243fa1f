"""A canvas, or a message where there are none, has every machine's state: the latest wins, whatever happens to it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mac_actors.core.config import MachineConfig
from mac_actors.core.inputs import AddDetails
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Flag, MachineState, Session, SessionKind, Severity, Source, Telemetry
from mac_actors.core.text import local_time
from mac_actors.errors import StorageError
from mac_actors.slack.live import status as live
from mac_actors.slack.live import words
from mac_actors.storage.store import Store
from tests.slack.conftest import MakeShop
from tests.slack.standin.records import Canvas
from tests.slack.standin.workspace import CONTROL, EVE, OOPS, Workspace

NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quick_live(quick: pytest.MonkeyPatch) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "PACE_SECONDS", 0.0)
        patch.setattr(live, "RETRY", (0.05, 0.2))
        patch.setattr("mac_actors.slack.connection.LOOK_SECONDS", 0.0)
        patch.setattr("mac_actors.fleet.watch.WATCH_SECONDS", 0.02)
        yield


def canvas(workspace: Workspace) -> Canvas:
    """The canvas that the server keeps."""
    workspace.wait_for(lambda: any(words.KEPT in one.markdown for one in workspace.canvases))
    return next(one for one in workspace.canvases if words.KEPT in one.markdown)


def wait_for_words(workspace: Workspace, pattern: str) -> str:
    workspace.wait_for(lambda: bool(re.search(pattern, canvas(workspace).markdown)))
    return canvas(workspace).markdown


def test_the_canvas_has_every_machine_with_what_is_wrong_first_and_without_names(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    shop.report("wood-lathe")
    shop.say("oops Metal Mill: belt *slips* <@U0BOB>")
    text = wait_for_words(workspace, "Out of use")
    kept, out, entry, free, others = wait_for_words(workspace, "belt").split("\n\n")
    assert (kept, out, free) == (words.KEPT, "## Out of use", "## Free")
    assert re.fullmatch(r"- \*\*Metal Mill\*\*: oopsed since [-\d]+ [:\d]+ \w+: belt \\\*slips\\\* a member", entry)
    assert others.count("\n") == len(shop.fleet) - 2
    assert "ada" not in text
    assert [post for post in shop.posts(OOPS) if "Every machine" in post.text] == []
    assert canvas(workspace).channel == OOPS
    shop.report("wood-lathe", "1000001")
    wait_for_words(workspace, r"## In use\n\n- \*\*Wood Lathe\*\*: in use since")
    shop.say("clear Metal Mill")
    wait_for_words(workspace, f"{words.KEPT}\n\n## In use")
    edits = [call.params["changes"] for call in workspace.calls_to("canvases.edit")]
    assert {(len(changes), changes[0]["operation"]) for changes in edits} == {(1, "replace")}


def test_details_are_in_the_canvas(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    shop.say("lock Metal Mill: belt")
    shop.fleet.ask(
        "metal-mill",
        AddDetails(datetime.now(UTC), Source.SLACK, "eve", "it smells", severity=Severity.WITH_CARE),
    )
    text = wait_for_words(workspace, "smells")
    assert re.search(r"locked out since [^;]+: belt; usable with care: it smells", text)
    assert "eve" not in text


def test_a_lock_that_is_pending_is_in_the_canvas(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    shop.report("wood-lathe", "1000001")
    shop.say("lock wood-lathe when free: new belt")
    wait_for_words(workspace, r"Wood Lathe\*\*: in use since [^;]+; to be locked out once it is free: new belt")


def test_nothing_is_written_while_nothing_changes(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    canvas(workspace)
    edits = len(workspace.calls_to("canvases.edit"))
    for _ in range(5):
        shop.say("status", user=EVE, channel=OOPS)
    assert len(workspace.calls_to("canvases.edit")) == edits
    assert len(workspace.calls_to("conversations.canvases.create")) == 1


def test_it_is_the_same_canvas_after_a_restart_with_what_has_changed_meanwhile(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    first = canvas(workspace).id
    workspace.fail("canvases.edit", "internal_error")
    shop.say("oops Metal Mill: belt")
    shop.settle()
    shop.stop()
    workspace.mend()
    make_shop()
    wait_for_words(workspace, "belt")
    assert [one.id for one in workspace.canvases] == [first]


def test_a_canvas_whose_making_was_not_heard_of_is_found_again(make_shop: MakeShop, workspace: Workspace) -> None:
    workspace.cut_answers("conversations.canvases.create")
    shop = make_shop()
    shop.say("oops Metal Mill: belt")
    wait_for_words(workspace, "belt")
    assert len(workspace.canvases) == 1


def test_a_canvas_that_people_made_is_left_alone(make_shop: MakeShop, workspace: Workspace) -> None:
    workspace.people_make_canvas(OOPS, "# Our rules")
    shop = make_shop()
    shop.say("oops Metal Mill: belt")
    wait_for_words(workspace, "belt")
    assert [one.markdown for one in workspace.canvases if one.markdown == "# Our rules"]
    assert len(workspace.canvases) == 2
    assert canvas(workspace).title == "Machines"


def test_a_canvas_that_somebody_deleted_is_made_anew_and_it_is_said_once(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop()
    workspace.delete_canvas(canvas(workspace).id)
    shop.say("oops Metal Mill: belt")
    wait_for_words(workspace, "belt")
    assert [r.message for r in caplog.records if "live status" in r.message] == [
        "the live status in the oops channel is gone (canvas_not_found): it is made anew"
    ]


def test_a_locked_canvas_is_written_to_when_it_is_free_again_and_holds_up_no_notice(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop()
    workspace.lock_canvas(canvas(workspace).id)
    for name in ("Metal Mill", "Table Saw"):
        shop.say(f"oops {name}: belt")
    shop.drained()
    assert len(shop.texts(OOPS)) == 2
    workspace.wait_for(lambda: len(workspace.calls_to("canvases.edit")) >= 3)
    assert "belt" not in canvas(workspace).markdown
    workspace.mend()
    wait_for_words(workspace, "Table Saw.+belt")
    said = [r.message for r in caplog.records if "live status" in r.message]
    assert said == ["the live status in the oops channel waits: Slack answered canvas_editing_locked"]


def test_without_canvases_it_is_one_pinned_message_that_is_changed(make_shop: MakeShop, workspace: Workspace) -> None:
    workspace.free_plan = True
    workspace.people_make_canvas(OOPS, "# Our rules")
    shop = make_shop()
    [post] = workspace.wait_for_posts(OOPS)
    assert post.text.startswith("Every machine as it is now")
    workspace.wait_for(lambda: workspace.pins == [(OOPS, post.ts)])
    shop.say("oops Metal Mill: belt &amp; 1")
    workspace.wait_for(lambda: "Metal Mill: oopsed since" in workspace.message(OOPS, post.ts).text)
    assert "belt &amp; 1" in workspace.message(OOPS, post.ts).text.splitlines()[1]
    shop.stop()
    shop = make_shop()
    shop.say("clear Metal Mill")
    workspace.wait_for(lambda: "oopsed" not in workspace.message(OOPS, post.ts).text)
    workspace.delete_message(post)
    shop.say("oops Table Saw")
    workspace.wait_for(lambda: len([p for p in workspace.posts(OOPS) if "Every machine" in p.text]) == 2)
    assert [one.markdown for one in workspace.canvases] == ["# Our rules"]


@pytest.mark.parametrize("error", ["edit_window_closed", "cant_update_message"])
def test_a_message_that_can_not_be_changed_is_made_anew_once_an_hour_at_most(
    make_shop: MakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    def made() -> list[str]:
        return [post.text for post in workspace.posts(OOPS) if "Every machine" in post.text]

    workspace.free_plan = True
    workspace.people_make_canvas(OOPS, "# Our rules")
    shop = make_shop()
    workspace.wait_for(lambda: len(made()) == 1)
    workspace.fail("chat.update", error)
    shop.say("oops Metal Mill: belt")
    workspace.wait_for(lambda: len(workspace.calls_to("chat.update")) == 1)
    for text in ("oops Table Saw", "clear Table Saw", "oops Wood Lathe"):
        shop.say(text)
        shop.settle()
    assert len(made()) == 1
    shop.stop()
    monkeypatch.setattr(live, "ANEW_SECONDS", 0.0)
    shop = make_shop()
    workspace.wait_for(lambda: len(made()) == 2)
    assert "belt" in made()[1]
    shop.say("clear Metal Mill")
    workspace.wait_for(lambda: len(made()) == 3)


def test_a_plan_that_has_canvases_no_more_gets_a_message(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    canvas(workspace)
    for method in ("canvases.edit", "conversations.canvases.create"):
        workspace.fail(method, "canvas_disabled_user_team")
    workspace.scopes = [scope for scope in workspace.scopes if scope != "pins:write"]
    shop.say("oops Metal Mill: belt")
    workspace.wait_for(lambda: any("Every machine" in post.text for post in workspace.posts(OOPS)))
    assert not workspace.pins


def test_without_the_scope_there_is_none(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    workspace.scopes = [scope for scope in workspace.scopes if scope != "canvases:write"]
    shop = make_shop()
    shop.say("oops Metal Mill: belt")
    shop.settle()
    workspace.wait_for(lambda: "there is no live status" in caplog.text)
    assert len(workspace.calls_to("conversations.canvases.create")) == 1
    assert not workspace.canvases
    assert len(shop.posts(OOPS)) == 1


def test_the_latest_state_is_written_when_slack_is_back(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    canvas(workspace)
    workspace.down()
    for _ in range(5):
        assert shop.http.post("/api/machine/oops/metal-mill").status == 200
        assert shop.http.post("/api/machine/clear/metal-mill").status == 200
    assert shop.http.post("/api/machine/oops/table-saw", {"reason": "the last"}).status == 200
    workspace.up()
    text = wait_for_words(workspace, "the last")
    assert "Metal Mill**: oopsed" not in text
    shop.connected()
    workspace.wait_for_posts(CONTROL)


def test_the_message_has_what_is_wrong_and_says_what_is_left_out() -> None:
    many = tuple((f"machine {n:03}", "") for n in range(500))
    shown = ((words.OUT, (("Mill", "oopsed & <x>"),)), (words.FREE, many))
    text = words.message(shown)
    assert len(text) <= 4000
    assert text.splitlines()[1] == "Mill: oopsed &amp; &lt;x&gt;"
    assert re.fullmatch(r"… and \d+ more lines: mention me with 'status'\.", text.splitlines()[-1])
    odd = words.markdown(((words.FREE, (("drill_press _x_ ![](@U1)", "<b> & *c*"),)),))
    assert odd.splitlines()[-1] == r"- **drill_press \_x\_ \!\[\](@U1)**: \<b\> \& \*c\*"
    assert words.markdown(()) == f"{words.KEPT}\n\nThere are no machines yet."


def test_it_begins_when_the_disk_says_where_it_is_kept(
    make_shop: MakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop()
    first = canvas(workspace).id
    shop.stop()
    asked = threading.Event()
    note = Store.note

    def fail(store: Store, name: str) -> str | None:
        if name == live.NOTE and not asked.is_set():
            asked.set()
            raise StorageError("disk I/O error")
        return note(store, name)

    monkeypatch.setattr(Store, "note", fail)
    shop = make_shop()
    shop.say("oops Metal Mill: belt")
    wait_for_words(workspace, "belt")
    assert asked.is_set()
    assert [one.id for one in workspace.canvases] == [first]


def _machine(**parts: Any) -> Snapshot:
    state = MachineState(NOW, last_checkin=parts.pop("last_checkin", NOW), **parts)
    return Snapshot.of(MachineConfig("mill"), state, NOW, "no token" if "telemetry" in parts else None)


SESSION = Session("1", "Ann Able", "Ann", SessionKind.OVERRIDE, NOW)
SINCE = local_time(NOW)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (_machine(), (words.FREE, "")),
        (_machine(last_checkin=None), (words.FREE, "")),
        (_machine(last_checkin=NOW - timedelta(hours=1)), (words.SILENT, "its reader is silent")),
        (
            _machine(last_checkin=NOW - timedelta(hours=1), session=SESSION),
            (words.SILENT, "its reader is silent, a session was running"),
        ),
        (_machine(session=SESSION), (words.USED, f"in use since {SINCE}")),
        (
            _machine(session=SESSION, oops=Flag(NOW, Source.SLACK, "ada")),
            (words.OUT, f"oopsed since {SINCE}; runs by override"),
        ),
        (
            _machine(lock=Flag(NOW, Source.SLACK, "ada", "x" * 600)),
            (words.OUT, f"locked out since {SINCE}: {'x' * 600}"[:499] + "…"),
        ),
        (
            _machine(telemetry=Telemetry(uptime=1.0)),
            (words.FREE, "can't be stopped from here, its reader's reports are refused"),
        ),
    ],
)
def test_what_is_said_of_a_machine(machine: Snapshot, said: tuple[str, str]) -> None:
    assert words.sentence(machine) == said
