"""Texts and blocks: inert, complete, without names where they do not belong, and within Slack's limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.core.config import Configuration, Directory, MachineConfig, SecondRelay, User
from mac_actors.core.decision import Already
from mac_actors.core.notices import Channel, Standing, ThreadKey
from mac_actors.core.outcomes import OopsSet
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import (
    Card,
    Flag,
    MachineState,
    SecondDecision,
    Session,
    SessionKind,
    Source,
    Telemetry,
)
from mac_actors.core.text import local_time
from mac_actors.slack import answers, notices, status
from mac_actors.storage.records import Waiting

from .standin.checks import complaints_about_blocks, complaints_about_view

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = ThreadKey("metal-mill", "oops", NOW)
LOCK_KEY = ThreadKey("metal-mill", "lock", NOW)
NASTY = "<!here> <@U0ADA> <http://x.io|x> & *b* _i_ ~s~ `c` :fire: @channel #general"
INERT = "&lt;!here&gt; &lt;@U0ADA&gt; &lt;http://x.io|x&gt; &amp; *b* _i_ ~s~ `c` :fire: @channel #general"


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def notice(
    text: str, channel: Channel = Channel.CONTROL, opens: ThreadKey | None = None, at: datetime = NOW
) -> Waiting:
    return Waiting(channel, text, opens, id=1, at=at)


def machine(
    name: str,
    alias: str | None = None,
    *,
    oops: Flag | None = None,
    lock: Flag | None = None,
    session: str | None = None,
    kind: SessionKind = SessionKind.AUTHORIZED,
    seen: datetime | None = NOW,
    telemetry: Telemetry | None = None,
    always: bool = False,
) -> Snapshot:
    running = Session("1", session, "X", kind, ago(minutes=20), SecondDecision.NONE) if session else None
    state = MachineState(
        status_since=ago(hours=3),
        oops=oops,
        lock=lock,
        card=Card("1", ago(minutes=20)) if session else None,
        session=running,
        telemetry=telemetry or Telemetry(uptime=7260.0),
        last_checkin=seen,
        always_enabled=always,
    )
    second = SecondRelay(frozenset({"x"}))
    return Snapshot.of(MachineConfig(name, frozenset({"x"}), always_enabled=always, alias=alias, second_relay=second),
                       state, NOW)  # fmt: skip


def shop(*users: User, users_mtime: datetime | None = None) -> Configuration:
    return Configuration({}, Directory.of(users), NOW, users_mtime)


def flag(by: str | None = "Ada", reason: str | None = "belt slips", source: Source = Source.SLACK) -> Flag:
    return Flag(ago(hours=2), source, by, reason)


def status_posts(*machines: Snapshot, names: bool = True, configuration: Configuration | None = None) -> list[str]:
    seen = [machine if names else machine.without_names() for machine in machines]
    return status.status_posts(seen, [status.server_line(configuration or shop(), ago(days=3), NOW)], NOW)


def status_lines(*machines: Snapshot, names: bool = True, configuration: Configuration | None = None) -> list[str]:
    return [
        line for post in status_posts(*machines, names=names, configuration=configuration) for line in post.split("\n")
    ]


# --- notices ------------------------------------------------------------------------------------------


def test_what_people_typed_is_posted_inert() -> None:
    assert notices.escape(NASTY) == INERT
    assert notices.notice_text([notice(NASTY)], NOW) == INERT


@given(st.text(alphabet="<>&;ampltg!@#|u0a\n "))
def test_no_text_makes_a_reference_of_slack(text: str) -> None:
    escaped = notices.escape(text)
    assert "<" not in escaped
    assert ">" not in escaped
    assert escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@given(st.text())
def test_a_notice_is_one_line(text: str) -> None:
    assert len(notices.notice_text([notice(text)], NOW).splitlines()) <= 1


def test_a_notice_in_time_has_no_time() -> None:
    assert notices.notice_text([notice("It is.", at=ago(seconds=60))], NOW) == "It is."


def test_a_late_notice_has_the_time_at_which_it_happened() -> None:
    at = ago(seconds=61)
    assert notices.notice_text([notice("It is.", at=at)], NOW) == f"[{local_time(at)}] It is."


def test_of_several_notices_each_has_a_line_and_late_ones_their_time() -> None:
    old, older = ago(minutes=5), ago(days=2)
    text = notices.notice_text([notice("a", at=older), notice("b\nc", at=old), notice("d")], NOW)
    assert text.splitlines() == [
        f"[{local_time(older)}] a",
        f"[{local_time(old)}] b c",
        "d",
    ]


@pytest.mark.parametrize(
    "waiting",
    [
        [notice("x", Channel.OOPS)],
        [notice("x", Channel.CONTROL)],
        [notice("x", Channel.CONTROL, KEY), notice("y", Channel.CONTROL)],
    ],
)
def test_only_a_single_oops_or_lock_has_blocks(waiting: list[Waiting]) -> None:
    assert notices.notice_blocks(Channel(waiting[0].channel), waiting, "x") is None


def test_an_oops_in_the_control_channel_has_buttons_for_just_this_oops() -> None:
    blocks = notices.notice_blocks(Channel.CONTROL, [notice("x", opens=KEY)], INERT)
    assert blocks
    assert not complaints_about_blocks(blocks)
    section, actions = blocks
    assert section["text"] == {"type": "plain_text", "text": NASTY, "emoji": False}
    assert [(b["action_id"], b["text"]["text"], b["value"]) for b in actions["elements"]] == [
        ("mac_clear", "Clear", "metal-mill oops 2026-03-02T12:00:00+00:00"),
        ("mac_lock", "Lock out", "metal-mill oops 2026-03-02T12:00:00+00:00"),
        ("mac_details", "Add details", "metal-mill oops 2026-03-02T12:00:00+00:00"),
    ]


def test_a_lock_out_in_the_control_channel_has_buttons_for_just_this_lock_out() -> None:
    blocks = notices.notice_blocks(Channel.CONTROL, [notice("x", opens=LOCK_KEY)], INERT)
    assert blocks
    assert not complaints_about_blocks(blocks)
    assert [(b["action_id"], b["text"]["text"], b["value"]) for b in blocks[1]["elements"]] == [
        ("mac_clear", "Clear", "metal-mill lock 2026-03-02T12:00:00+00:00"),
        ("mac_unlock", "Unlock", "metal-mill lock 2026-03-02T12:00:00+00:00"),
        ("mac_details", "Add details", "metal-mill lock 2026-03-02T12:00:00+00:00"),
    ]


def test_a_block_shows_the_longest_notice_that_slack_takes() -> None:
    blocks = notices.notice_blocks(Channel.CONTROL, [notice("x", opens=KEY)], "&lt;" * 4000)
    assert blocks
    assert not complaints_about_blocks(blocks)
    assert blocks[0]["text"]["text"] == "<" * 3000


@pytest.mark.parametrize(
    ("channel", "shown", "left"),
    [
        (Channel.CONTROL, Standing((NASTY,), over=True), []),
        (Channel.CONTROL, Standing((NASTY,), locked=True), ["mac_clear", "mac_details"]),
        (Channel.CONTROL, Standing((NASTY,)), ["mac_clear", "mac_lock", "mac_details"]),
        (Channel.OOPS, Standing((NASTY,)), ["mac_details"]),
        (Channel.OOPS, Standing((NASTY,), over=True), []),
    ],
)
def test_a_notice_shows_how_it_stands_and_keeps_the_buttons_that_are_left(
    channel: Channel, shown: Standing, left: list[str]
) -> None:
    blocks = notices.standing_blocks(channel, INERT, KEY, shown)
    assert not complaints_about_blocks(blocks)
    assert blocks[0]["text"]["text"] == NASTY
    [note] = blocks[1]["elements"]
    assert note == {"type": "plain_text", "text": NASTY, "emoji": False}
    assert [b["action_id"] for block in blocks[2:] for b in block["elements"]] == left


# --- answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("already", "text"),
    [
        ((Already.OOPSED,), "Mill &amp; Co is oopsed already: nothing was changed."),
        ((Already.LOCKED_OUT,), "Mill &amp; Co is locked out already: nothing was changed."),
        ((Already.NOT_OOPSED,), "Mill &amp; Co is not oopsed: nothing was changed."),
        (
            (Already.NOT_OOPSED, Already.NOT_LOCKED_OUT),
            "Mill &amp; Co is neither oopsed nor locked out: nothing was changed.",
        ),
    ],
)
def test_what_is_already_so_is_said(already: tuple[Already, ...], text: str) -> None:
    assert answers.already_text("Mill & Co", already) == text


@pytest.mark.parametrize(
    ("called", "suggestions", "text"),
    [
        ("mil", ["Mill"], "There is no machine called mil. Did you mean Mill?"),
        ("mil", ["Mill", "M<l"], "There is no machine called mil. Did you mean Mill or M&lt;l?"),
        ("<!here>", [], "There is no machine called &lt;!here&gt;. 'status' lists all machines."),
        ("", [], "Which machine? Its name comes after the command, for example: oops Metal Mill: belt slips"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(called: str, suggestions: list[str], text: str) -> None:
    assert answers.unknown_text(called, suggestions) == text


def test_a_long_unknown_name_is_not_repeated_whole() -> None:
    text = answers.unknown_text("<" * 4000, ["Mill"])
    assert text.startswith("There is no machine called " + "&lt;" * 80 + "…")
    assert len(text) < 500


def test_the_help_names_every_command() -> None:
    for word in (
        "status",
        "status NAME",
        "oops NAME",
        "lock NAME",
        "clear NAME",
        "history NAME",
        "help",
        "/oops-clear",
    ):
        assert word in answers.help_text()


def test_the_help_says_what_was_not_understood() -> None:
    assert answers.help_text("<!here>").startswith("I don't know the command &lt;!here&gt;. ")
    assert "don't know" not in answers.help_text()


def test_the_history_is_escaped_and_has_times() -> None:
    at = ago(days=1)
    outcome = OopsSet(
        machine="m", display_name="A & B", at=at, flag=Flag(at, Source.SLACK, "<Ada>", "x > y"), ended=None
    )
    lines = answers.history_text("A & B", [outcome]).splitlines()
    assert lines == [
        "The last events of A &amp; B, newest first:",
        f"{local_time(at)}  A &amp; B is oopsed, by &lt;Ada&gt;, from Slack: x &gt; y.",
    ]
    assert answers.history_text("A & B", []) == "A &amp; B: nothing has happened yet."


# --- status -------------------------------------------------------------------------------------------

SILENT = ago(minutes=10)


def test_what_is_wrong_comes_first_then_silent_then_in_use_then_idle() -> None:
    lines = status_lines(
        machine("idle-1"),
        machine("used", session="Ann Able"),
        machine("silent", seen=SILENT),
        machine("locked", lock=flag()),
        machine("idle-2", seen=None),
        machine("oopsed", oops=flag(), seen=SILENT),
    )
    assert [line.split(":")[0] for line in lines[:-1]] == ["locked", "oopsed", "silent", "used", "idle-1", "idle-2"]
    assert lines[-1].startswith("Server up for")


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (machine("m", "A & B"), "A &amp; B: idle for 3 h 00 min, last contact 0 s ago"),
        (machine("m", always=True), "m: idle for 3 h 00 min, power on, last contact 0 s ago"),
        (machine("m", seen=None), "m: idle for 3 h 00 min, its reader was never seen"),
        (machine("m", session="Ann <Able>"), "m: in use by Ann &lt;Able&gt; for 20 min, last contact 0 s ago"),
        (
            machine("m", session="Ann", kind=SessionKind.WARN_ONLY),
            "m: in use by Ann (warn only) for 20 min, last contact 0 s ago",
        ),
        (machine("m", seen=SILENT), "m: OFFLINE, its reader is silent for 10 min"),
        (
            machine("m", seen=SILENT, session="Ann"),
            "m: OFFLINE, its reader is silent for 10 min (a session was running)",
        ),
        (
            machine("m", oops=flag()),
            "m: OOPSED for 2 h 00 min, by Ada, from Slack: belt slips, last contact 0 s ago",
        ),
        (
            machine("m", oops=flag(None, None, Source.BUTTON)),
            "m: OOPSED for 2 h 00 min, from the button at the machine, last contact 0 s ago",
        ),
        (
            machine("m", lock=flag("A&B", "x<y"), seen=None),
            "m: LOCKED OUT for 2 h 00 min, by A&amp;B, from Slack: x&lt;y, its reader was never seen",
        ),
        (
            machine("m", oops=flag(reason="x"), lock=flag("Bob", None, Source.CLI)),
            (
                "m: OOPSED for 2 h 00 min, by Ada, from Slack: x; "
                "LOCKED OUT for 2 h 00 min, by Bob, from the command line, last contact 0 s ago"
            ),
        ),
        (
            machine("m", oops=flag(), session="Olga", kind=SessionKind.OVERRIDE),
            "m: OOPSED for 2 h 00 min, by Ada, from Slack: belt slips, running by override, last contact 0 s ago",
        ),
        (
            machine("m", oops=flag(), seen=SILENT),
            "m: OOPSED for 2 h 00 min, by Ada, from Slack: belt slips, its reader is silent for 10 min",
        ),
    ],
)
def test_a_machine_has_a_line_with_its_state(shown: Snapshot, line: str) -> None:
    assert status_lines(shown)[0] == line


def test_the_last_line_is_about_the_server() -> None:
    users = [User("1", "Ann", "Ann", "Ann", ("1", "2")), User("2", "Bob", "Bob", "Bob", ("3",))]
    line = status_lines(configuration=shop(*users, users_mtime=ago(hours=5)))[-1]
    assert line == "Server up for 3 d 0 h; 2 users with 3 fobs, users file 5 h 00 min old."
    assert status_lines(configuration=shop())[-1] == "Server up for 3 d 0 h; 0 users with 0 fobs."


def test_a_shop_without_machines_has_a_status_too() -> None:
    assert status_lines()[0] == "There are no machines yet."


EVERY_STATE = (
    machine("used", session="Nina Name"),
    machine("override", session="Nina Name", kind=SessionKind.OVERRIDE, oops=flag("Nina Name")),
    machine("warn", session="Nina Name", kind=SessionKind.WARN_ONLY),
    machine("oopsed", oops=flag("Nina Name")),
    machine("locked", lock=flag("Nina Name", None, Source.HTTP), seen=SILENT),
    machine("silent", session="Nina Name", seen=SILENT),
)


def test_without_names_there_is_neither_a_name_nor_by() -> None:
    lines = status_lines(*EVERY_STATE, names=False)
    lines += [line for shown in EVERY_STATE for line in status.machine_lines(shown.without_names(), NOW)]
    text = "\n".join(lines)
    assert "Nina" not in text
    assert ", by " not in text
    assert "in use by" not in text
    assert "belt slips" in text, "the reason may be known to all"
    named = "\n".join(status_lines(*EVERY_STATE, names=True))
    assert named.count("Nina Name") == 5


def test_one_machine_in_detail_tells_what_its_reader_says() -> None:
    telemetry = Telemetry(7260.0, -54.0, 92.0, 53.9, 1.5)
    shown = machine("m", "A & B", session="Ann", seen=ago(seconds=5), telemetry=telemetry)
    assert status.machine_lines(shown, NOW) == [
        "A &amp; B: in use by Ann for 20 min",
        "power is on",
        "reader: last report 5 s ago, up for 2 h 01 min, Wi-Fi 92 %, temperature 54 °C, current 1.5 A",
    ]


def test_one_silent_machine_in_detail_is_called_offline() -> None:
    assert status.machine_lines(machine("m", seen=SILENT), NOW)[0].endswith(", OFFLINE")


def test_one_machine_that_was_never_seen_says_so() -> None:
    lines = status.machine_lines(machine("m", seen=None, telemetry=Telemetry()), NOW)
    assert lines == ["m: idle for 3 h 00 min", "power is off", "reader: never seen"]


# --- limits -------------------------------------------------------------------------------------------


def test_the_status_of_500_machines_begins_with_what_is_wrong_and_in_use() -> None:
    wrong = [machine("broken", oops=flag()), machine("silent", seen=SILENT), machine("used", session="Ann")]
    idle = [machine(f"machine-{n:03}", f"A & B <{n:03}>") for n in range(497)]
    first, *rest = status_posts(*idle, *reversed(wrong))
    assert first.splitlines() == [
        "broken: OOPSED for 2 h 00 min, by Ada, from Slack: belt slips, last contact 0 s ago",
        "silent: OFFLINE, its reader is silent for 10 min",
        "used: in use by Ann for 20 min, last contact 0 s ago",
        "Server up for 3 d 0 h; 0 users with 0 fobs.",
        "497 idle machines: in the thread.",
    ]
    assert [line for text in rest for line in text.split("\n")] == [
        f"A &amp; B &lt;{n:03}&gt;: idle for 3 h 00 min, last contact 0 s ago" for n in range(497)
    ]
    assert all(len(text) < 4000 for text in rest)


def test_the_status_of_all_says_too_which_reader_cannot_be_stopped() -> None:
    [line, _] = status_lines(replace(machine("saw"), refused="rfid_value: expected text"))
    assert line.endswith(", its reader's reports are REFUSED: it can't be stopped from here")
    assert line.startswith("saw: idle for ")


def test_a_status_that_fits_into_one_post_is_one() -> None:
    machines = [machine(f"m-{n}", oops=flag() if n % 2 else None) for n in range(40)]
    assert len(status_posts(*machines)) == 1


def test_the_status_of_500_machines_that_are_all_wrong_loses_no_line() -> None:
    machines = [machine(f"machine-{n:03}", oops=flag(reason="<" * 100)) for n in range(500)]
    posts = status_posts(*machines)
    assert all(len(text) < 4000 for text in posts)
    assert sum(text.count(": OOPSED for") for text in posts) == 500
    assert "0 idle" not in "".join(posts)


def test_posts_are_filled_before_a_new_one_is_begun() -> None:
    assert answers.split(["a", "b"]) == ["a\nb"]
    assert answers.split(["x" * 3498, "y", "z"]) == ["x" * 3498 + "\ny", "z"]
    assert answers.split([]) == []


def test_a_single_line_beyond_the_limit_is_cut() -> None:
    assert answers.split(["x" * 10_000, "y"]) == ["x" * 3500, "y"]


def test_a_cut_line_does_not_end_in_half_an_entity() -> None:
    [text] = answers.split(["x" * 3498 + "&lt;" * 100])
    assert text.replace("&lt;", "").strip("x…") == ""


def options(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = view["blocks"][0]["element"]["options"]
    return found


def test_the_modal_lists_machines_by_alias_with_their_state_and_without_names() -> None:
    view = status.clear_modal([machine("m-1", "A & B", oops=flag()), machine("m-2", lock=flag(None, None))], NOW)
    assert not complaints_about_view(view)
    assert [(o["value"], o["text"]["text"]) for o in options(view)] == [
        ("m-1", "A & B: OOPSED for 2 h 00 min, from Slack: belt slips"),
        ("m-2", "m-2: LOCKED OUT for 2 h 00 min, from Slack"),
    ]
    assert view["callback_id"] == notices.CLEAR_VIEW
    assert view["private_metadata"] == str(NOW.timestamp())


def test_a_modal_of_300_machines_with_long_names_is_within_the_limits() -> None:
    machines = [machine(f"m-{n:03}", f"{n:03} " + "<&>" * 60, oops=flag(reason="r" * 900)) for n in range(300)]
    view = status.clear_modal(machines, NOW)
    assert not complaints_about_view(view)
    assert len(options(view)) == 100
    assert all(len(o["text"]["text"]) == 75 for o in options(view))
    assert options(view)[7]["text"]["text"].startswith("007 <&><&>")


def test_the_machines_of_a_cut_modal_can_be_told_apart_from_their_state() -> None:
    """A name of ordinary length leaves room for the state."""
    view = status.clear_modal([machine("m", "The Large Metal Lathe By The Window", oops=flag(reason="x" * 900))], NOW)
    assert "OOPSED" in options(view)[0]["text"]["text"]
