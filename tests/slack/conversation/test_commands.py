"""Commands in the control channel: each is carried out, and told once in each channel."""

from __future__ import annotations

import re

import pytest

from mac_actors.core.state import Status
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.workspace import BOB, CONTROL, OOPS, OTHER


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
    assert re.fullmatch(r"Metal Mill: OOPSED for \d+ s, by ada, from Slack: belt slips, its reader .+", lines[0])
    assert len(lines) == len(shop.fleet) + 1
    assert any(
        re.fullmatch(r"drill_press: in use by Ada Example for \d+ s, last contact \d+ s ago", line) for line in lines
    )
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
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d \S+"
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
        "oops\tMIG\N{NO-BREAK SPACE}Welder: Bay 2",
        "*oops MIG Welder: Bay 2*",
        "`oops MIG Welder: Bay 2`",
        "<@UBOT>: oops MIG Welder: Bay 2",
        "*<@UBOT> oops MIG Welder: Bay 2*",
        "oops: MIG Welder: Bay 2",
        "oops MIG Welder: Bay 2.",
        "oops MIG Welder: Bay 2!",
        "oops MIG\u200b Welder: Bay\ufeff 2",
    ],
)
def test_case_white_space_quotes_and_marks_do_not_matter(shop: Shop, text: str) -> None:
    shop.say(text)
    shop.settle()
    assert shop.texts(CONTROL) == ["MIG Welder: Bay 2 is oopsed, by ada, from Slack."]
    assert shop.state("welder").oops


@pytest.mark.parametrize(
    ("text", "control", "oops"),
    [
        ("Metal Mill: ask <@U0BOB>", "ask bob", "ask a member"),
        ("Metal Mill: see <https://w/m|the wiki>", "see the wiki (https://w/m)", "see the wiki (https://w/m)"),
        ("Metal Mill – belt slips", "belt slips", "belt slips"),
        ("Metal Mill:\nbelt slips\nbadly", "belt slips badly", "belt slips badly"),
        ("Metal Mill\nbelt slips", "belt slips", "belt slips"),
    ],
)
def test_a_reason_is_told_as_it_was_meant_and_names_no_member_in_the_oops_channel(
    shop: Shop, text: str, control: str, oops: str
) -> None:
    shop.say(f"oops {text}")
    shop.settle()
    assert shop.texts(CONTROL) == [f"Metal Mill is oopsed, by ada, from Slack: {control}."]
    assert shop.texts(OOPS) == [f"Metal Mill is oopsed: {oops}."]
    shop.workspace.mention("status Metal Mill", channel=OTHER).acked()
    [told] = shop.wait_for_texts(1, OTHER)
    assert f": {oops}" in told
    assert "bob" not in told


def test_answers_use_the_alias(shop: Shop) -> None:
    shop.say('lock "CO2 LASER"')
    shop.settle()
    shop.say("lock co2-laser")
    shop.settle()
    shop.say("clear co2-lasr")
    shop.settle()
    assert shop.texts(CONTROL) == [
        "CO2 Laser is locked out for maintenance, by ada, from Slack.",
        "CO2 Laser is locked out already: nothing was changed.",
        "There is no machine called co2-lasr. Did you mean CO2 Laser?",
    ]


@pytest.mark.parametrize("subtype", ["thread_broadcast", "me_message", "file_share"])
def test_what_people_write_in_other_ways_is_a_command_too(shop: Shop, subtype: str) -> None:
    shop.say("oops Metal Mill: belt slips", subtype=subtype)
    shop.settle()
    assert shop.texts(CONTROL) == ["Metal Mill is oopsed, by ada, from Slack: belt slips."]


def test_an_alias_with_a_colon_takes_a_reason_too(shop: Shop) -> None:
    shop.say("lock MIG Welder: Bay 2: no gas: empty")
    shop.settle()
    assert shop.texts(OOPS) == ["MIG Welder: Bay 2 is locked out for maintenance: no gas: empty."]


def test_what_is_typed_is_posted_inert_and_escapes_are_undone_once(shop: Shop) -> None:
    shop.say("oops Metal Mill: <!here> <@U0BOB> &lt;b&gt; &amp;amp; <http://shop.io|shop.io> *x*")
    shop.settle()
    flag = shop.state("metal-mill").oops
    assert flag
    assert flag.reason == "@here bob <b> &amp; shop.io *x*"
    assert flag.public_reason == "@here a member <b> &amp; shop.io *x*"
    [control], [oops] = shop.posts(CONTROL), shop.posts(OOPS)
    for post, who in ((control, "bob"), (oops, "a member")):
        assert post.text.endswith(f": @here {who} &lt;b&gt; &amp;amp; shop.io *x*.")
        assert post.params["mrkdwn"] in {False, "0", "false"}
        assert post.params["parse"] == "none"
        assert post.params["link_names"] in {False, "0", "false"}
    assert control.blocks[0]["text"]["text"].endswith(": @here bob <b> &amp; shop.io *x*.")


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
    shop.wait_for_texts(1)
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
