"""Who is obeyed where: other channels, bots, edits, deactivated users; and who is said to have done it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mac_actors.core.state import Status
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin import envelopes
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OOPS, OTHER

STATES = re.compile(r"oopsed|OOPSED|locked|LOCKED|idle|in use|Metal Mill|metal-mill", re.IGNORECASE)


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
    assert re.match(r"Table Saw: OOPSED for \d+ s, from Slack: saw stop, its reader was never seen\n", post.text)
    assert re.search(r"^drill_press: in use for \d+ s, last contact \d+ s ago$", post.text, re.MULTILINE)
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


def test_slackbot_is_not_obeyed(shop: Shop) -> None:
    shop.workspace.add_user("USLACKBOT", "slackbot", "Slackbot")  # Slack says of it that it is no bot
    shop.workspace.mention("oops Metal Mill", user="USLACKBOT").acked()
    shop.settle()
    assert not shop.posts()
    assert shop.state("metal-mill").status is Status.IDLE


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"subtype": "channel_topic"}, "its subtype is channel_topic"),
        ({"bot_id": "B0ELSE"}, "it is a bot's"),
        ({"edited": True}, "it was edited"),
    ],
)
def test_what_is_not_obeyed_leaves_a_line_in_the_log(
    shop: Shop, more: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mac_actors")
    shop.workspace.mention("oops Metal Mill", **more).acked()
    shop.settle()
    assert f"a mention by {ADA} in {CONTROL} is not obeyed: {why}" in caplog.text


def test_a_mention_in_passing_is_told_once_what_works(shop: Shop) -> None:
    shop.workspace.add_channel("C0CHAT", "chat", members=("UBOT", ADA, BOB))
    for user in (ADA, ADA, BOB):
        for text in ("thank you <@UBOT>", "<@UBOT>"):
            shop.workspace.mention(text, user=user, channel="C0CHAT").acked()
    shop.settle()
    text = (
        "Commands work in the admins' control channel alone. Here I answer to a mention with 'status', 'status NAME' "
        "or 'notify me NAME'."
    )
    assert sorted((told.user, told.text) for told in shop.ephemerals()) == [(ADA, text), (BOB, text)]
    assert not shop.posts()


def test_what_is_said_to_the_asker_of_a_thread_is_said_in_the_thread(shop: Shop) -> None:
    shop.workspace.mention("oops Metal Mill", channel=OTHER, thread_ts="1.000001").acked()
    shop.wait_for_ephemerals()
    assert shop.workspace.calls_to("chat.postEphemeral")[-1].params["thread_ts"] == "1.000001"


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


def test_nothing_is_cleared_for_somebody_whom_slack_cannot_tell_and_slack_is_asked_once(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.workspace.add_user("U0WHO", "who", "Who")
    shop.workspace.fail("users.info", "internal_error")
    shop.drained()
    shop.begin()
    asked = len(shop.workspace.calls_to("users.info"))
    shop.say("clear Metal Mill", user="U0WHO")
    shop.settle()
    assert len(shop.workspace.calls_to("users.info")) == asked + 1
    assert shop.texts(CONTROL) == [
        "Slack can't say who you are at the moment: nothing was changed. Try again in half a minute."
    ]
    assert shop.state("metal-mill").oops


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
