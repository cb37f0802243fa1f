"""Commands, answers and notices: every row of the Slack contract, said in a workspace and read there."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from mac_actors.core.config import Directory, MachineConfig
from mac_actors.core.inputs import Input, Lock, Oops, Unlock, Unoops
from mac_actors.core.state import MachineState, Source, Status
from mac_actors.core.transitions import Decision, decide
from mac_actors.errors import StorageError
from mac_actors.storage.store import Store
from tests.fakes import PATIENCE, HangingStore, RefusingStore, wait_until

from . import envelopes
from .conftest import MakeShop
from .records import Post
from .shop import ADA_FOB, Shop
from .workspace import ADA, BOB, CONTROL, EVE, OOPS, OTHER

STATES = re.compile(r"oopsed|OOPSED|locked|LOCKED|idle|in use|Metal Mill|metal-mill", re.IGNORECASE)


# --- commands in the control channel ------------------------------------------------------------------


def test_oops_sets_oops_and_is_posted_once_in_both_channels(shop: Shop) -> None:
    shop.say("oops Metal Mill: belt slips")
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED
    assert shop.texts(CONTROL) == ["Metal Mill is oopsed, by ada, from Slack: belt slips."]
    assert shop.texts(OOPS) == ["Metal Mill is oopsed: belt slips."]
    assert not shop.ephemerals()


def test_lock_sets_the_lock_out_and_is_posted_once_in_both_channels(shop: Shop) -> None:
    shop.say("lock table-saw: new belt", user=BOB)
    shop.settle()
    assert shop.state("table-saw").status is Status.LOCKED_OUT
    assert shop.texts(CONTROL) == ["Table Saw is locked out for maintenance, by bob, from Slack: new belt."]
    assert shop.texts(OOPS) == ["Table Saw is locked out for maintenance: new belt."]


def test_clear_lifts_what_is_set_and_is_posted_once_in_both_channels(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.drained()
    shop.begin()
    shop.say("clear Metal Mill: mended", user=BOB)
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed, by bob, from Slack: mended."]
    assert shop.texts(OOPS) == ["Metal Mill is no longer oopsed: mended."]


def test_clear_of_oops_and_lock_is_one_change(shop: Shop) -> None:
    shop.say("lock Metal Mill")
    shop.say("oops Metal Mill")
    shop.drained()
    shop.begin()
    shop.say("clear Metal Mill")
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed and locked out, by ada, from Slack."]
    assert shop.texts(OOPS) == ["Metal Mill is no longer oopsed and locked out."]


@pytest.mark.parametrize("text", ["status", "list", "STATUS", "  status  "])
def test_status_lists_all_machines_and_the_server(shop: Shop, text: str) -> None:
    shop.say("oops Metal Mill: belt slips")
    shop.report("drill_press", ADA_FOB)
    shop.drained()
    shop.begin()
    shop.say(text, user=BOB)
    shop.settle()
    [post] = shop.texts(CONTROL)
    lines = post.splitlines()
    assert re.fullmatch(r"Metal Mill: OOPSED for \d+ s, by ada, from Slack: belt slips", lines[0])
    assert len(lines) == len(shop.fleet) + 1
    assert any(re.fullmatch(r"drill_press: in use by Ada Example for \d+ s", line) for line in lines)
    users = shop.service.configuration.directory.users
    fobs = sum(len(user.fob_codes) for user in users)
    assert re.fullmatch(rf"Server up for .+; {len(users)} users with {fobs} fobs, users file .+ old\.", lines[-1])
    assert not shop.texts(OOPS)


def test_status_of_one_machine_tells_it_in_detail(shop: Shop) -> None:
    shop.report("drill_press", ADA_FOB)
    shop.drained()
    shop.begin()
    shop.say("status DRILL_PRESS")
    shop.settle()
    [post] = shop.texts(CONTROL)
    in_use, power, reader = post.splitlines()
    assert re.fullmatch(r"drill_press: in use by Ada Example for \d+ s", in_use)
    assert power == "power is on"
    assert re.fullmatch(r"reader: last report \d+ s ago, up for .+, Wi-Fi 92 %, temperature 54 °C", reader)


def test_history_lists_the_last_events_newest_first_with_names(shop: Shop) -> None:
    shop.say("oops Dust Collector: full")
    shop.say("clear Dust Collector", user=BOB)
    shop.drained()
    shop.begin()
    shop.say("history dust-collector")
    shop.settle()
    [post] = shop.texts(CONTROL)
    lines = post.splitlines()
    assert lines[0] == "The last events of Dust Collector, newest first:"
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.fullmatch(rf"{stamp}  Dust Collector is no longer oopsed, by bob, from Slack\. Power is on\.", lines[1])
    assert re.fullmatch(rf"{stamp}  Dust Collector is oopsed, by ada, from Slack: full\.", lines[2])


def test_history_of_a_machine_to_which_nothing_happened_says_so(shop: Shop) -> None:
    shop.say("history “CO2 Laser”")
    shop.settle()
    assert shop.texts(CONTROL) == ["CO2 Laser: nothing has happened yet."]


@pytest.mark.parametrize("text", ["help", "", "frobnicate Metal Mill", "HELP me"])
def test_help_nothing_and_anything_else_is_answered_with_what_the_bot_can_do(shop: Shop, text: str) -> None:
    shop.say(text)
    shop.settle()
    [post] = shop.texts(CONTROL)
    for command in ("status", "oops NAME", "lock NAME", "clear NAME", "history NAME"):
        assert command in post
    assert ("I don't know the command frobnicate." in post) is text.startswith("frob")
    assert not shop.texts(OOPS)


@pytest.mark.parametrize(
    "text",
    [
        "OOPS mig welder: bay 2",
        "oops   MIG    Welder:   Bay  2",
        "oops “MIG Welder: Bay 2”",
        "oops 'welder'",
        "oops `WELDER`",
        "oops\tMIG\N{NO-BREAK SPACE}Welder: Bay 2\nand something else",
    ],
)
def test_case_white_space_and_quotes_do_not_matter(shop: Shop, text: str) -> None:
    shop.say(text)
    shop.settle()
    assert shop.texts(CONTROL) == ["MIG Welder: Bay 2 is oopsed, by ada, from Slack."]
    assert shop.state("welder").oops


def test_an_alias_with_a_colon_takes_a_reason_too(shop: Shop) -> None:
    shop.say("lock MIG Welder: Bay 2: no gas: empty")
    shop.settle()
    assert shop.texts(OOPS) == ["MIG Welder: Bay 2 is locked out for maintenance: no gas: empty."]


def test_what_is_typed_is_posted_inert_and_escapes_are_undone_once(shop: Shop) -> None:
    shop.say("oops Metal Mill: <!here> <@U0BOB> &lt;b&gt; &amp;amp; <http://shop.io|shop.io> *x*")
    shop.settle()
    flag = shop.state("metal-mill").oops
    assert flag
    assert flag.reason == "@here @U0BOB <b> &amp; shop.io *x*"
    [control], [oops] = shop.posts(CONTROL), shop.posts(OOPS)
    for post in (control, oops):
        assert post.text.endswith(": @here @U0BOB &lt;b&gt; &amp;amp; shop.io *x*.")
        assert post.params["mrkdwn"] in {False, "0", "false"}
        assert post.params["parse"] == "none"
        assert post.params["link_names"] in {False, "0", "false"}
    assert control.blocks[0]["text"]["text"].endswith(": @here @U0BOB <b> &amp; shop.io *x*.")


def test_every_command_is_acknowledged_without_waiting_for_the_disk(
    make_shop: MakeShop, quick: pytest.MonkeyPatch
) -> None:
    shop = with_store(make_shop, quick, HangingStore)
    store = shop.fleet.store
    assert isinstance(store, HangingStore)
    shop.drained()
    store.gate.clear()
    try:
        for _ in range(15):
            assert shop.workspace.mention("oops Metal Mill").acked().took < 3
        assert shop.workspace.slash("/oops-clear", "metal-mill").acked().took < 3
        assert shop.workspace.slash("/oops-clear").acked().took < 3
        assert shop.workspace.mention("status").acked().took < 3
        wait_until(lambda: "Server up for" in "".join(shop.texts()))
    finally:
        store.gate.set()


# --- what names no machine ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "called"),
    [
        ("oops Metl Mill: belt", "Metl Mill"),
        ("oops Metal", "Metal"),
        ("lock Metal Mill belt slips", "Metal Mill belt slips"),
        ("clear “metal mil”", "metal mil"),
        ("history metalmill", "metalmill"),
        ("status Metal Mills", "Metal Mills"),
    ],
)
def test_a_name_that_fits_none_is_answered_with_the_nearest_and_changes_nothing(
    shop: Shop, command: str, called: str
) -> None:
    shop.say("lock Metal Mill")
    shop.drained()
    shop.begin()
    before = shop.fleet.snapshots()
    shop.say(command)
    shop.settle()
    [post] = shop.texts(CONTROL)
    assert post.startswith(f"There is no machine called {called}. Did you mean ")
    assert "Metal Mill" in post or "metal-mill" in post
    assert not shop.texts(OOPS)
    assert [(m.oops, m.lock) for m in shop.fleet.snapshots()] == [(m.oops, m.lock) for m in before]


def test_a_name_that_is_like_none_is_answered_with_how_to_find_out(shop: Shop) -> None:
    shop.say("oops &lt;!channel&gt; zzzzzz")
    shop.settle()
    [post] = shop.texts(CONTROL)
    assert post.startswith("There is no machine called &lt;!channel&gt; zzzzzz.")
    assert "<!channel>" not in post


@pytest.mark.parametrize("command", ["oops", "lock", "clear", "history", "oops : belt slips", "lock :"])
def test_a_command_without_a_name_asks_for_it(shop: Shop, command: str) -> None:
    shop.say(command)
    shop.settle()
    [post] = shop.texts(CONTROL)
    assert post.startswith("Which machine?")
    assert not any(machine.oops or machine.lock for machine in shop.fleet.snapshots())


def test_a_question_in_a_thread_is_answered_in_that_thread_and_a_notice_in_the_channel(shop: Shop) -> None:
    shop.say("status", thread_ts="1700000000.000001")
    shop.say("oops nothing like it", thread_ts="1700000000.000001")
    shop.say("oops Metal Mill", thread_ts="1700000000.000001")
    shop.settle()
    status, unknown, notice = shop.posts(CONTROL)
    for answer in (status, unknown):
        assert (answer.thread_ts, answer.broadcast) == ("1700000000.000001", False)
    assert notice.thread_ts is None


# --- other channels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [OOPS, OTHER])
@pytest.mark.parametrize(
    "command",
    [
        "oops Metal Mill: x",
        "lock Metal Mill",
        "clear Table Saw",
        "clear",
        "history Table Saw",
        "help",
        "",
        "frobnicate &lt;!here&gt;",
    ],
)
def test_anything_but_status_outside_the_control_channel_changes_nothing_and_is_told_to_the_asker(
    shop: Shop, command: str, channel: str
) -> None:
    shop.say("oops Table Saw: saw stop")
    shop.drained()
    shop.begin()
    shop.workspace.mention(command, user=EVE, channel=channel).acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert not shop.posts()
    [told] = shop.ephemerals()
    assert (told.channel, told.user) == (channel, EVE)
    assert "control channel" in told.text
    assert not re.search("Metal Mill|Table Saw|saw stop", told.text)
    assert not STATES.search(told.text.partition("'")[0] + told.text.partition("works")[2])
    assert shop.state("table-saw").oops
    assert shop.state("metal-mill").status is Status.IDLE


@pytest.mark.parametrize("channel", [OOPS, OTHER])
@pytest.mark.parametrize("command", ["status", "list"])
def test_status_in_another_channel_shows_no_name(shop: Shop, command: str, channel: str) -> None:
    shop.report("drill_press", ADA_FOB)
    shop.say("oops Table Saw: saw stop")
    shop.drained()
    shop.begin()
    shop.workspace.mention(command, user=EVE, channel=channel).acked()
    shop.wait_for_texts(1, channel)
    shop.settle()
    [post] = shop.posts()
    assert post.channel == channel
    assert re.match(r"Table Saw: OOPSED for \d+ s, from Slack: saw stop\n", post.text)
    assert re.search(r"^drill_press: in use for \d+ s$", post.text, re.MULTILINE)
    assert not re.search(r"\bada\b|Example|\bby\b", post.text, re.IGNORECASE)


def test_status_of_one_machine_in_another_channel_shows_no_name(shop: Shop) -> None:
    shop.report("drill_press", ADA_FOB)
    shop.say("lock drill_press", user=BOB)
    shop.drained()
    shop.begin()
    for name in ("drill_press", "Drill_Press"):
        shop.workspace.mention(f"status {name}", user=EVE, channel=OTHER).acked()
    for text in shop.wait_for_texts(2, OTHER):
        assert "drill_press: LOCKED OUT" in text
        assert not re.search(r"\bada\b|\bbob\b|Example|\bby\b", text, re.IGNORECASE)


# --- who is not obeyed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": "B0ELSE"},
        {"bot_id": envelopes.BOT_ID, "user": envelopes.BOT_USER},
        {"user": envelopes.BOT_USER},
        {"edited": True},
        {"subtype": "message_changed"},
        {"subtype": "bot_message", "bot_id": "B0ELSE"},
        {"edited": True, "channel": OTHER},
        {"bot_id": "B0ELSE", "channel": OTHER},
    ],
)
@pytest.mark.parametrize("command", ["oops Metal Mill", "status", "help"])
def test_bots_apps_and_edits_are_neither_obeyed_nor_answered(shop: Shop, command: str, more: dict[str, Any]) -> None:
    shop.workspace.mention(command, **more).acked()
    shop.settle()
    assert not shop.posts()
    assert not shop.ephemerals()
    assert shop.state("metal-mill").status is Status.IDLE


def test_a_bot_without_a_bot_id_is_known_by_its_account(shop: Shop) -> None:
    shop.workspace.add_user("U0ROBOT", "robot", "Robot", is_bot=True)
    for command in ("oops Metal Mill", "lock Metal Mill", "clear Metal Mill"):
        shop.workspace.mention(command, user="U0ROBOT").acked()
    shop.settle()
    assert not shop.posts()
    assert shop.state("metal-mill").status is Status.IDLE


def test_a_deactivated_user_is_not_obeyed(shop: Shop) -> None:
    shop.workspace.add_user("U0GONE", "gone", "Gone", deleted=True)
    shop.workspace.mention("oops Metal Mill", user="U0GONE").acked()
    shop.workspace.slash("/oops-clear", "Metal Mill", user="U0GONE").acked()
    shop.settle()
    assert not shop.posts()
    assert shop.state("metal-mill").status is Status.IDLE


def test_what_people_write_without_a_mention_is_no_command(shop: Shop) -> None:
    payload = envelopes.app_mention(
        text="oops Metal Mill", user=ADA, channel=CONTROL, ts="1.1", event_id="Ev-plain",
        thread_ts=None, edited=False, bot_id=None, subtype=None,
    )  # fmt: skip
    payload["event"]["type"] = "message"
    shop.workspace._event(payload, 0, "", queued=True).acked()
    shop.settle()
    assert not shop.posts()
    assert shop.state("metal-mill").status is Status.IDLE


# --- who did it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("display", "real", "shown"),
    [
        ("zoë", "Zoë Z", "zoë"),
        ("", "Zoë Z", "Zoë Z"),
        ("  ", "Zoë\nZ", "Zoë Z"),
        ("<!here> & Co", "Z", "&lt;!here&gt; &amp; Co"),
    ],
)
def test_who_did_it_is_the_display_name(shop: Shop, display: str, real: str, shown: str) -> None:
    user = f"U0{abs(hash((display, real)))}"
    shop.workspace.add_user(user, display, real)
    shop.say("oops Metal Mill", user=user)
    shop.settle()
    assert shop.texts(CONTROL) == [f"Metal Mill is oopsed, by {shown}, from Slack."]


def test_where_slack_cannot_say_who_it_was_the_id_stands_for_the_name(shop: Shop) -> None:
    shop.workspace.add_user("U0LATE", "late", "Late")
    shop.workspace.fail("users.info", "internal_error")
    shop.say("oops Metal Mill", user="U0LATE")
    shop.workspace.mend()
    shop.say("clear Metal Mill", user="U0LATE")
    shop.settle()
    assert shop.texts(CONTROL) == [
        "Metal Mill is oopsed, by U0LATE, from Slack.",
        "Metal Mill is no longer oopsed, by late, from Slack.",
    ]


# --- repetitions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["oops Metal Mill", "status", "help", "clear Metal Mill", "oops nothing"])
def test_a_repeated_event_is_carried_out_once(shop: Shop, command: str) -> None:
    delivery = shop.say(command)
    for attempt in (1, 2, 3):
        shop.workspace.redeliver(delivery, attempt=attempt).acked()
    shop.settle()
    assert len(shop.texts(CONTROL)) == 1


def test_a_repetition_does_not_undo_what_was_done_since(shop: Shop) -> None:
    delivery = shop.say("oops Metal Mill")
    shop.say("clear Metal Mill")
    shop.workspace.redeliver(delivery).acked()
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert len(shop.texts(CONTROL)) == 2


def test_repetitions_that_come_while_the_command_is_carried_out_change_nothing(shop: Shop) -> None:
    shop.workspace.add_user("U0SLOW", "slow", "Slow")
    shop.workspace.slow(60, "users.info")
    delivery = shop.workspace.mention("oops Metal Mill", user="U0SLOW")
    delivery.acked()
    shop.workspace.wait_for(
        lambda: any(c.params.get("user") == "U0SLOW" for c in shop.workspace.calls_to("users.info"))
    )
    for attempt in (1, 2):
        shop.workspace.redeliver(delivery, attempt=attempt).acked()
    shop.workspace.mend()
    shop.wait_for_texts(1)
    shop.settle()
    assert shop.texts(CONTROL) == ["Metal Mill is oopsed, by slow, from Slack."]


def test_a_repetition_after_a_restart_is_not_carried_out_again(make_shop: MakeShop) -> None:
    shop = make_shop()
    oops = shop.say("oops Metal Mill")
    clear = shop.say("clear Metal Mill")
    status = shop.say("status")
    shop.drained()
    shop.stop()
    again = make_shop()
    for delivery in (oops, clear, status):
        again.workspace.redeliver(delivery, attempt=2).acked()
    again.settle()
    assert not again.posts()
    assert again.state("metal-mill").status is Status.IDLE


def test_an_event_whose_first_delivery_was_lost_is_carried_out_when_it_is_repeated(make_shop: MakeShop) -> None:
    shop = make_shop()
    shop.stop()
    lost = shop.workspace.mention("oops Metal Mill", queued=False)
    assert lost.sent_at is None
    again = make_shop()
    again.workspace.redeliver(lost, attempt=1, reason="socket_mode_connection_error").acked()
    again.wait_for_texts(1, OOPS)
    again.settle()
    assert again.texts(CONTROL) == ["Metal Mill is oopsed, by ada, from Slack."]


def test_a_command_that_could_not_be_looked_up_on_disk_is_carried_out_when_it_is_repeated(
    make_shop: MakeShop, quick: pytest.MonkeyPatch
) -> None:
    shop = with_store(make_shop, quick, ForgetfulStore)
    store = shop.fleet.store
    assert isinstance(store, ForgetfulStore)
    store.failing = 1
    delivery = shop.workspace.mention("oops Metal Mill")
    delivery.acked()
    wait_until(lambda: store.failing == 0)
    shop.settle()
    if not shop.state("metal-mill").oops:
        shop.workspace.redeliver(delivery).acked()
        shop.settle()
    assert shop.state("metal-mill").oops
    assert len(shop.texts(OOPS)) == 1


# --- what is said beside the notice -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "command", "answer"),
    [
        ("oops Metal Mill", "oops metal-mill: again", "Metal Mill is oopsed already: nothing was changed."),
        ("lock Metal Mill", "lock metal-mill", "Metal Mill is locked out already: nothing was changed."),
        (
            "status",
            "clear metal-mill",
            "Metal Mill is neither oopsed nor locked out: nothing was changed.",
        ),
    ],
)
def test_a_command_that_changes_nothing_is_answered_so(shop: Shop, before: str, command: str, answer: str) -> None:
    shop.say(before)
    shop.drained()
    shop.begin()
    state = shop.state("metal-mill")
    shop.say(command, user=BOB)
    shop.settle()
    assert shop.texts(CONTROL) == [answer]
    assert not shop.texts(OOPS)
    after = shop.state("metal-mill")
    assert (after.oops, after.lock) == (state.oops, state.lock)


def test_clear_of_the_one_that_is_set_says_nothing_of_the_other(shop: Shop) -> None:
    shop.say("lock Metal Mill")
    shop.say("clear Metal Mill")
    shop.settle()
    assert shop.texts(CONTROL)[1:] == ["Metal Mill is no longer locked out, by ada, from Slack."]


def test_a_change_that_is_not_yet_on_disk_is_called_so_and_posted_once_it_is(
    make_shop: MakeShop, quick: pytest.MonkeyPatch
) -> None:
    shop = with_store(make_shop, quick, RefusingStore)
    store = shop.fleet.store
    assert isinstance(store, RefusingStore)
    shop.drained()
    store.refuse()
    try:
        shop.workspace.mention("oops Metal Mill").acked()
        assert shop.wait_for_texts(1) == [
            "Metal Mill: done, but not on disk yet (the server's disk is slow or failing)."
        ]
        assert shop.state("metal-mill").oops
        assert not shop.texts(OOPS)
    finally:
        store.mend()
    shop.wait_for_texts(1, OOPS)
    shop.settle()
    assert shop.texts(CONTROL)[1:] == ["Metal Mill is oopsed, by ada, from Slack."]


def test_oops_clear_and_buttons_say_too_that_a_change_is_not_yet_on_disk(
    make_shop: MakeShop, quick: pytest.MonkeyPatch
) -> None:
    shop = with_store(make_shop, quick, RefusingStore)
    store = shop.fleet.store
    assert isinstance(store, RefusingStore)
    notice = oops_notice(shop)
    store.refuse()
    try:
        shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
        shop.wait_for_ephemerals(1)
        shop.workspace.slash("/oops-clear", "metal-mill", user=ADA).acked()
        told = shop.wait_for_ephemerals(2)
    finally:
        store.mend()
    assert [one.user for one in told] == [BOB, ADA]
    assert {one.text for one in told} == {
        "Metal Mill: done, but not on disk yet (the server's disk is slow or failing)."
    }
    shop.settle()
    assert len(shop.texts(CONTROL)) == 2
    assert len(shop.texts(OOPS)) == 2


def test_a_machine_whose_actor_has_died_obeys_all_the_same(shop: Shop) -> None:
    for command, status in (("oops", Status.OOPSED), ("clear", Status.IDLE)):
        shop.fleet["metal-mill"].actor_ref.stop(timeout=PATIENCE)
        shop.say(f"{command} Metal Mill")
        shop.settle()
        assert shop.state("metal-mill").status is status
    texts = shop.texts(CONTROL)
    assert sum("is oopsed" in text for text in texts) == 1
    assert sum("no longer oopsed" in text for text in texts) == 1
    assert sum("The actor of Metal Mill had stopped" in text for text in texts) == 2
    assert len(texts) == 4


def test_a_mistake_in_the_server_is_owned_up_to(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object, **__: object) -> list[str]:
        raise RuntimeError("a mistake <in> the server")

    monkeypatch.setattr("mac_actors.slack.answers.history_text", mistaken)
    shop.say("history Metal Mill")
    shop.settle()
    [text] = shop.texts(CONTROL)
    assert "The server made a mistake" in text
    assert "a mistake <in>" not in text


def test_a_machine_that_does_not_answer_is_called_by_its_alias(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.actors.replies.ANSWER_SECONDS", 0.2)
    with held(monkeypatch, "table-saw") as gate:
        shop.say("oops Table Saw")
        [text] = shop.wait_for_texts(1)
        gate.set()
    shop.settle()
    assert "try again" in text
    assert "Table Saw" in text


def test_what_is_said_of_a_machine_that_does_not_answer_stays_true(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout does not cancel the work: "nothing was done" must not be said of a command that is done later."""
    monkeypatch.setattr("mac_actors.actors.replies.ANSWER_SECONDS", 0.2)
    with held(monkeypatch, "table-saw") as gate:
        shop.say("oops Table Saw")
        [text] = shop.wait_for_texts(1)
        gate.set()
    shop.settle()
    assert shop.state("table-saw").oops is None or "Nothing was done" not in text


# --- /oops-clear --------------------------------------------------------------------------------------


def test_oops_clear_with_a_name_clears_like_the_command(shop: Shop) -> None:
    shop.say("oops Metal Mill: belt")
    shop.say("lock Metal Mill")
    shop.drained()
    shop.begin()
    shop.workspace.slash("/oops-clear", " “metal  mill”: mended ", user=BOB).acked()
    shop.wait_for_texts(1, OOPS)
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed and locked out, by bob, from Slack: mended."]
    assert not shop.ephemerals()
    assert not shop.answers()


def test_oops_clear_of_a_machine_that_is_fine_is_answered_to_the_asker(shop: Shop) -> None:
    shop.workspace.slash("/oops-clear", "Metal Mill").acked()
    [told] = shop.wait_for_ephemerals()
    assert told.text == "Metal Mill is neither oopsed nor locked out: nothing was changed."
    shop.settle()
    assert not shop.posts()


def test_oops_clear_of_a_name_that_fits_none_is_answered_with_the_nearest(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.drained()
    shop.begin()
    shop.workspace.slash("/oops-clear", "Metal Mil").acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert told.text.startswith("There is no machine called Metal Mil. Did you mean ")
    assert told.user == ADA
    assert shop.state("metal-mill").oops
    assert not shop.posts()


@pytest.mark.parametrize("text", ["", "   "])
def test_oops_clear_without_a_name_and_nothing_to_clear_is_an_ephemeral_answer(shop: Shop, text: str) -> None:
    delivery = shop.workspace.slash("/oops-clear", text)
    delivery.acked()
    [answer] = delivery.answered()
    assert answer.text == "No machine is oopsed or locked out."
    assert not answer.in_channel
    assert not shop.workspace.views


@pytest.mark.parametrize("channel", [OOPS, OTHER])
@pytest.mark.parametrize("text", ["", "Metal Mill"])
def test_oops_clear_elsewhere_is_refused_to_the_asker_alone(shop: Shop, text: str, channel: str) -> None:
    shop.say("oops Metal Mill: belt")
    shop.drained()
    shop.begin()
    views = len(shop.workspace.views)
    delivery = shop.workspace.slash("/oops-clear", text, user=EVE, channel=channel)
    delivery.acked()
    [answer] = delivery.answered()
    shop.settle()
    assert "control channel" in answer.text
    assert "Metal Mill" not in answer.text
    assert not answer.in_channel
    assert shop.state("metal-mill").oops
    assert not shop.posts()
    assert len(shop.workspace.views) == views


def test_oops_clear_in_a_channel_without_the_bot_is_refused_too(shop: Shop) -> None:
    shop.workspace.add_channel("C0ALIEN", "alien", members=(EVE,))
    delivery = shop.workspace.slash("/oops-clear", "Metal Mill", user=EVE, channel="C0ALIEN")
    delivery.acked()
    [answer] = delivery.answered()
    assert "control channel" in answer.text


def test_oops_clear_without_a_name_opens_a_menu_of_what_can_be_cleared(shop: Shop) -> None:
    shop.say("oops MIG Welder: Bay 2: no gas")
    shop.say("lock Table Saw")
    shop.drained()
    shop.begin()
    views = len(shop.workspace.views)
    shop.workspace.slash("/oops-clear", user=BOB).acked()
    view = shop.workspace.wait_for_views(views + 1)[-1]
    assert view.user == BOB
    options = view.view["blocks"][0]["element"]["options"]
    assert [o["value"] for o in options] == ["table-saw", "welder"]
    assert [o["text"]["text"].partition(" for ")[0] for o in options] == [
        "Table Saw: LOCKED OUT",
        "MIG Welder: Bay 2: OOPSED",
    ]
    shop.workspace.submit_view(view, values={"machine": {"name": envelopes.chosen("welder")}}).acked()
    shop.wait_for_texts(1, OOPS)
    shop.settle()
    assert shop.texts(CONTROL) == ["MIG Welder: Bay 2 is no longer oopsed, by bob, from Slack."]
    assert shop.state("welder").status is Status.IDLE
    assert shop.state("table-saw").lock
    assert not shop.ephemerals()


def test_a_menu_that_is_submitted_too_late_says_that_nothing_was_changed(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    views = len(shop.workspace.views)
    shop.workspace.slash("/oops-clear").acked()
    view = shop.workspace.wait_for_views(views + 1)[-1]
    shop.say("clear Metal Mill", user=BOB)
    shop.drained()
    shop.begin()
    shop.workspace.submit_view(view, values={"machine": {"name": envelopes.chosen("metal-mill")}}).acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert "nothing was changed" in told.text
    assert not shop.posts()


def test_a_menu_that_slack_does_not_open_is_answered_with_another_way(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.workspace.fail("views.open", "expired_trigger_id")
    delivery = shop.workspace.slash("/oops-clear")
    delivery.acked()
    [answer] = delivery.answered()
    assert "/oops-clear NAME" in answer.text


# --- buttons ------------------------------------------------------------------------------------------


def oops_notice(shop: Shop, name: str = "Metal Mill") -> Post:
    """Oops a machine; return its notice in the control channel."""
    shop.say(f"oops {name}: belt slips")
    shop.drained()
    shop.begin()
    return [post for post in shop.workspace.posts(CONTROL) if post.blocks][-1]


def buttons(shop: Shop, notice: Post) -> list[str]:
    shown = shop.workspace.message(notice.channel, notice.ts)
    return [element["text"]["text"] for block in shown.blocks for element in block.get("elements", ())
            if element["type"] == "button"]  # fmt: skip


def shown_text(shop: Shop, notice: Post) -> str:
    """All that can be read in the notice now."""
    shown = shop.workspace.message(notice.channel, notice.ts)
    parts = [block["text"]["text"] for block in shown.blocks if block["type"] == "section"]
    parts += [e["text"] for b in shown.blocks if b["type"] == "context" for e in b["elements"]]
    return "\n".join(parts)


def test_only_an_oops_notice_in_the_control_channel_has_buttons(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.say("lock Metal Mill")
    shop.say("clear Metal Mill")
    shop.settle()
    assert [bool(post.blocks) for post in shop.posts(CONTROL)] == [True, False, False]
    assert not any(post.blocks for post in shop.posts(OOPS))
    assert buttons(shop, shop.posts(CONTROL)[0]) == ["Clear", "Lock out"]


def test_the_clear_button_clears_and_the_notice_shows_by_whom(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice, user=BOB).acked()
    [update] = shop.wait_for_updates()
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed, by bob, from Slack."]
    assert shop.texts(OOPS) == ["Metal Mill is no longer oopsed."]
    assert update.ts == notice.ts
    assert shown_text(shop, notice) == "Metal Mill is oopsed, by ada, from Slack: belt slips.\nCleared by bob."
    assert buttons(shop, notice) == []
    assert not shop.ephemerals()


def test_the_lock_out_button_locks_and_leaves_the_clear_button(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
    shop.wait_for_updates()
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED_LOCKED_OUT
    assert shop.texts(CONTROL) == ["Metal Mill is locked out for maintenance, by bob, from Slack."]
    assert shown_text(shop, notice).endswith("\nLocked out by bob.")
    assert buttons(shop, notice) == ["Clear"]
    shop.begin()
    shop.workspace.press("mac_clear", message=shop.workspace.message(CONTROL, notice.ts), user=ADA).acked()
    shop.wait_for_updates()
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed and locked out, by ada, from Slack."]
    assert buttons(shop, notice) == []
    assert "Cleared by ada." in shown_text(shop, notice)


@pytest.mark.parametrize("action", ["mac_clear", "mac_lock"])
def test_the_button_of_an_old_notice_does_nothing_to_a_newer_oops(shop: Shop, action: str) -> None:
    old = oops_notice(shop)
    shop.say("clear Metal Mill")
    new = oops_notice(shop)
    assert new.ts != old.ts
    shop.workspace.press(action, message=old, user=BOB).acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert told.user == BOB
    assert "nothing was changed" in told.text
    assert shop.state("metal-mill").status is Status.OOPSED
    assert not shop.posts()
    assert buttons(shop, old) == []
    assert buttons(shop, new) == ["Clear", "Lock out"]


def test_two_who_press_clear_at_once_clear_once_and_the_notice_shows_who_did(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice, user=BOB).acked()
    shop.wait_for_updates(1)
    shop.workspace.press("mac_clear", message=notice, user=ADA).acked()
    shop.wait_for_ephemerals()
    shop.settle()
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed, by bob, from Slack."]
    assert "Cleared by bob." in shown_text(shop, notice)


def test_a_press_that_changes_nothing_is_not_shown_as_done_by_whoever_pressed(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.say("lock Metal Mill", user=ADA)
    shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert told.text == "Metal Mill is locked out already: nothing was changed."
    assert "Locked out by bob" not in shown_text(shop, notice)


def test_a_press_that_is_not_answered_by_the_machine_is_not_shown_as_done(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = oops_notice(shop, "Table Saw")
    monkeypatch.setattr("mac_actors.actors.replies.ANSWER_SECONDS", 0.2)
    with held(monkeypatch, "table-saw"):
        shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
        [told] = shop.wait_for_ephemerals()
    assert told.user == BOB
    assert "try again" in told.text
    assert "Locked out by bob" not in shown_text(shop, notice)


def test_a_button_pressed_from_another_channel_does_nothing(shop: Shop) -> None:
    notice = oops_notice(shop)
    forged = Post(OTHER, notice.ts, notice.text, notice.blocks, None, False, notice.at, {})
    shop.workspace.press("mac_clear", message=forged, user=EVE).acked()
    shop.workspace.press("mac_lock", message=forged, user=EVE).acked()
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED
    assert not shop.posts()
    assert not shop.updates()


def test_a_button_pressed_by_a_deactivated_user_does_nothing(shop: Shop) -> None:
    shop.workspace.add_user("U0FIRED", "fired", "Fired", deleted=True)
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice, user="U0FIRED").acked()
    shop.settle()
    assert shop.state("metal-mill").oops
    assert not shop.updates()


@pytest.mark.parametrize("value", ["", "x", "metal-mill", "metal-mill oops ", "nothing oops 2026", "metal-mill lock x"])
def test_a_button_with_a_forged_value_changes_nothing(shop: Shop, value: str) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice, value=value).acked()
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED
    assert not shop.posts()


# --- notices ------------------------------------------------------------------------------------------


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


# --- threads ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["oops", "lock"])
def test_the_end_of_an_oops_or_lock_is_in_the_thread_of_its_notice_and_in_the_channel(shop: Shop, command: str) -> None:
    shop.say(f"{command} Metal Mill")
    shop.say(f"{command} Table Saw")
    shop.say("clear Metal Mill")
    shop.say("clear Table Saw")
    shop.settle()
    for channel in (CONTROL, OOPS):
        mill, saw, no_mill, no_saw = shop.posts(channel)
        assert mill.thread_ts is saw.thread_ts is None
        assert (no_mill.thread_ts, no_mill.broadcast) == (mill.ts, True)
        assert (no_saw.thread_ts, no_saw.broadcast) == (saw.ts, True)


@pytest.mark.parametrize("commands", [("oops", "lock"), ("lock", "oops")])
def test_the_end_of_both_is_in_the_thread_of_the_older(shop: Shop, commands: tuple[str, str]) -> None:
    for command in commands:
        shop.say(f"{command} Metal Mill")
    shop.say("clear Metal Mill")
    shop.settle()
    for channel in (CONTROL, OOPS):
        older, newer, end = shop.posts(channel)
        assert newer.thread_ts is None
        assert (end.thread_ts, end.broadcast) == (older.ts, True)


def test_each_oops_has_a_thread_of_its_own(shop: Shop) -> None:
    for _ in range(3):
        shop.say("oops Metal Mill")
        shop.say("clear Metal Mill")
    shop.settle()
    for channel in (CONTROL, OOPS):
        posts = shop.posts(channel)
        assert [post.thread_ts for post in posts[1::2]] == [post.ts for post in posts[::2]]


def test_the_end_of_one_of_two_is_in_the_thread_of_that_one(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.say("lock Metal Mill")
    assert shop.http.delete("/api/machine/locked_out/metal-mill").status == 200
    shop.settle()
    for channel in (CONTROL, OOPS):
        _oops, lock, end = shop.posts(channel)
        assert (end.thread_ts, end.broadcast) == (lock.ts, True)


def test_the_end_of_an_oops_by_its_button_is_in_its_thread(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice).acked()
    shop.wait_for_texts(1, OOPS)
    shop.settle()
    [end] = shop.posts(CONTROL)
    assert (end.thread_ts, end.broadcast) == (notice.ts, True)


def test_threads_outlive_the_server(make_shop: MakeShop) -> None:
    first = make_shop()
    first.say("oops Metal Mill")
    first.say("lock Metal Mill")
    first.drained()
    notices = {channel: first.posts(channel)[0].ts for channel in (CONTROL, OOPS)}
    first.stop()
    second = make_shop()
    second.say("clear Metal Mill", user=BOB)
    second.settle()
    for channel, ts in notices.items():
        [end] = second.posts(channel)
        assert (end.thread_ts, end.broadcast) == (ts, True)


def test_a_button_works_after_the_server_was_restarted(make_shop: MakeShop) -> None:
    notice = oops_notice(first := make_shop())
    first.stop()
    second = make_shop()
    second.workspace.press("mac_clear", message=notice, user=BOB).acked()
    second.wait_for_updates()
    second.settle()
    assert second.state("metal-mill").status is Status.IDLE
    assert second.texts(CONTROL) == ["Metal Mill is no longer oopsed, by bob, from Slack."]


def test_a_thread_whose_notice_was_deleted_is_no_obstacle(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.drained()
    shop.begin()
    shop.workspace.fail("chat.postMessage", "thread_not_found", times=1, channel=OOPS)
    shop.say("clear Metal Mill")
    shop.settle()
    assert shop.texts(OOPS) == ["Metal Mill is no longer oopsed."]
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed, by ada, from Slack."]


# --- order --------------------------------------------------------------------------------------------


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


# --- tools --------------------------------------------------------------------------------------------


class ForgetfulStore(Store):
    """A disk from which it can't be read, ``failing`` times, which events were seen."""

    failing = 0

    def has_seen(self, event_id: str) -> bool:
        """Look, or fail."""
        if self.failing:
            self.failing -= 1
            raise StorageError("cannot read the events seen: disk I/O error")
        return super().has_seen(event_id)


def with_store(make_shop: MakeShop, patch: pytest.MonkeyPatch, store: type[Store]) -> Shop:
    """Start a server on another kind of disk."""
    with pytest.MonkeyPatch.context() as one:
        one.setattr("mac_actors.service.service.Store", store)
        return make_shop()


class held:
    """A machine's actor does not get on with its next command until the gate is open."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str) -> None:
        self.gate = threading.Event()

        def wait_and_decide(config: MachineConfig, directory: Directory, state: MachineState, event: Input) -> Decision:
            if config.name == name and isinstance(event, Oops | Lock):
                assert self.gate.wait(PATIENCE)
            return decide(config, directory, state, event)

        patch.setattr("mac_actors.actors.machine.decide", wait_and_decide)

    def __enter__(self) -> threading.Event:
        return self.gate

    def __exit__(self, *_: object) -> None:
        self.gate.set()
